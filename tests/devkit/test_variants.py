"""The calls that follow from a description."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_devkit import call, cases_of, large_calls
from tinytorch_devkit.variants import complex_calls, long_calls, reduces, whole_calls

from .wrong import plugin


def described(*args: Any, **kwargs: Any) -> Any:
    """Return the description of an op with the calls that follow from it."""
    kwargs.setdefault("op", {"inputs": ["x"]})
    return next(case.op for case in cases_of(plugin(*args, **kwargs)) if case.op is not None)


def scaled(x, by=1.0, offset=0.0):
    """x times `by` plus `offset`."""
    if by < 0 and offset:
        raise ValueError("a negative factor takes no offset")
    return x * by + offset


def total(x, axis=None, keepdims=False):
    """The sum over `axis`, which is kept with `keepdims`."""
    return x.sum(axis=axis, keepdims=keepdims)


def test_two_sets_of_parameters_are_combined_unless_the_op_refuses() -> None:
    op = described(scaled, parameters=[{"by": 2.0}, {"by": -1.0}, {"offset": 3.0}])
    assert {"by": 2.0, "offset": 3.0} in op.parameter_sets()
    assert {"by": -1.0, "offset": 3.0} not in op.parameter_sets()


def test_complete_calls_are_combined_too() -> None:
    x = np.array([1.0, 2.0])
    op = described(scaled, calls=[call(x, by=2.0), call(x, offset=3.0)])
    assert op.parameter_sets() == [{"by": 2.0}, {"offset": 3.0}, {"by": 2.0, "offset": 3.0}]


@pytest.mark.parametrize(("axis", "negative"), [(1, -1), ((0, 1), (-2, -1))])
def test_axes_are_counted_from_the_end_too(axis: Any, negative: Any) -> None:
    op = described(total, shapes=[(2, 3)], parameters=[{"axis": axis}])
    assert op.parameter_sets() == [{"axis": axis}, {"axis": negative}]


def test_an_op_of_drawn_inputs_gets_axes_of_length_1_and_0() -> None:
    op = described(total, shapes=[(2, 3)])
    assert {c.inputs[0].shape for c in op.calls} == {(2, 3), (1, 3), (2, 1), (0, 3), (2, 0)}


def test_axes_of_equal_length_stay_equal() -> None:
    op = described(np.matmul, shapes=[((2, 3), (3, 2))], op={"inputs": ["x", "y"]})
    shapes = {tuple(i.shape for i in c.inputs) for c in op.calls}
    assert {((1, 3), (3, 1)), ((2, 1), (1, 2))} <= shapes


def test_several_inputs_get_equal_shapes_too() -> None:
    op = described(np.add, op={"inputs": ["x", "y"]})
    assert ((2, 3), (2, 3)) in {tuple(i.shape for i in c.inputs) for c in op.calls}


def test_calls_for_which_the_reference_is_not_finite_are_dropped() -> None:
    op = described(lambda x: x.mean(), shapes=[(2,)])
    assert [c.inputs[0].shape for c in op.calls] == [(2,), (1,)]


def test_large_numbers_are_inside_the_domain_and_away_from_kinks() -> None:
    op = described(np.sqrt, domain=(0, np.inf), kinks=[100])
    (found,) = large_calls(op)
    assert found.inputs[0].tolist() == [20, 1000, 10_000]


@pytest.mark.parametrize(("domain", "count"), [({}, 0), ({"x": (-np.inf, np.inf)}, 1)])
def test_complete_calls_get_other_numbers_only_in_a_domain_by_name(domain: Any, count: int) -> None:
    op = described(np.sin, calls=[call(np.array([1.0, 2.0]))], domain=domain)
    assert len(list(large_calls(op))) == 2 * count
    assert len(list(complex_calls(op))) == count


def test_whole_numbers_are_inside_the_domain() -> None:
    op = described(np.sin, domain=(0, 4))
    assert {1.0, 2.0, 3.0} >= set(next(whole_calls(op)).inputs[0].flat)
    assert not list(whole_calls(described(np.sin, domain=(0, 1))))


def test_long_calls_extend_the_axes_of_each_length() -> None:
    op = described(total, shapes=[(2, 3)])
    assert [c.inputs[0].shape for c in long_calls(op, 60)] == [(20, 3), (2, 30)]
    square = described(lambda x: np.linalg.inv(x), shapes=[(3, 3)])
    assert [c.inputs[0].shape for c in long_calls(square, 64)] == [(8, 8)]
    only_two = described(lambda x: x * np.ones(2), lambda x: x * [1.0, 1.0], shapes=[(3, 2)])
    assert [c.inputs[0].shape for c in long_calls(only_two, 64)] == [(32, 2)]
    product = described(np.matmul, shapes=[((2, 3), (3, 4))], op={"inputs": ["x", "y"]})
    inputs = [tuple(i.shape for i in c.inputs) for c in long_calls(product, 10_000)]
    assert inputs == [((700, 3), (3, 4)), ((2, 525), (525, 4)), ((2, 3), (3, 700))]
    small = described(total, shapes=[(2, 3)], largest=50)
    assert not list(long_calls(small, 60))


@pytest.mark.parametrize(
    ("function", "expected"),
    [(total, True), (lambda x: x.cumsum(), False), (lambda x: x[:, None] - x, False)],
)
def test_a_reduction_has_fewer_results_than_elements(function: Any, expected: bool) -> None:
    assert reduces(described(function, shapes=[(3,)])) is expected


def test_a_generator_draws_the_same_numbers_in_each_call() -> None:
    def noisy(x, generator):
        """x with normal numbers from `generator`."""
        return x + generator.normal(size=x.shape)

    generators = [{"generator": np.random.default_rng(0)}]
    op = described(noisy, shapes=[(3,)], parameters=generators)
    parameters = [op.fresh(op.calls[0].parameters) for _ in range(2)]
    first, second = (options["generator"].normal() for options in parameters)
    assert first == second == np.random.default_rng(0).normal()


def test_numpy_functions_can_be_described() -> None:
    def describe(samples: Any) -> None:
        samples.add(np.linalg.inv, np.linalg.inv, shapes=[(3, 3)])

    with_inverse = plugin(np.sin, describe=describe, op={"inputs": ["x"]})
    assert "linalg.inv" in {case.subject for case in cases_of(with_inverse)}
