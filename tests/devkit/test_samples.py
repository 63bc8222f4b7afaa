"""Descriptions of ops: the calls that follow from them, and errors in them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tinytorch_core.extend import OpTable

from tinytorch_devkit import Samples, call
from tinytorch_devkit.sampling import draw


@pytest.fixture
def samples() -> Samples:
    ops = OpTable()
    ops.add("one", lambda x: x)
    ops.add("two", lambda x, y, by=1: x + by * y)
    ops.add("many", lambda *arrays: arrays[0])
    return Samples(ops)


def shapes(samples: Samples) -> list[tuple[tuple[int, ...], ...]]:
    return [tuple(i.shape for i in c.inputs) for c in samples.descriptions[0].calls]


def test_one_line_describes_an_elementwise_op_of_one_input(samples: Samples) -> None:
    samples.add("one", abs)
    assert samples.descriptions[0].elementwise
    assert shapes(samples) == [((2, 3),), ((3,),), ((),)]


def test_the_shapes_of_several_inputs_broadcast(samples: Samples) -> None:
    samples.add("two", np.add)
    assert shapes(samples) == [((2, 3), (3,)), ((3,), ()), ((), (2, 3))]


def test_shapes_of_one_input_and_of_several(samples: Samples) -> None:
    samples.add("one", abs, shapes=[(2, 0), ()])
    assert not samples.descriptions[0].elementwise
    assert shapes(samples) == [((2, 0),), ((),)]
    samples.descriptions.clear()
    samples.add("many", abs, shapes=[((2,), (), (1, 2))])
    assert shapes(samples) == [((2,), (), (1, 2))]


def test_each_combination_of_parameters_is_called_with_each_shape(samples: Samples) -> None:
    samples.add("two", np.add, parameters=[{}, {"by": 3}])
    assert [dict(c.parameters) for c in samples.descriptions[0].calls] == 3 * [{}] + 3 * [{"by": 3}]


def test_complete_calls(samples: Samples) -> None:
    x = np.arange(3)
    samples.add("two", np.add, calls=[call(x, [1, 2, 3], by=2)])
    (described,) = samples.descriptions
    assert not described.elementwise
    assert described.text(described.calls[0]) == "two(<int64 of shape (3,)>, [1, 2, 3], by=2)"


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [
        ((-math.inf, math.inf), -3, 3),
        ((0, math.inf), 0, 3),
        ((-math.inf, 1), -2, 1),
        ((5, math.inf), 5, 8),
        ((-1, 1), -1, 1),
        ((0.001, 0.002), 0.001, 0.002),
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (4, 5), (0,)])
def test_numbers_are_distinct_and_inside_the_domain(
    interval: Any, low: float, high: float, shape: tuple[int, ...]
) -> None:
    drawn = draw(shape, interval)
    assert drawn.shape == shape
    assert drawn.dtype == np.float64
    assert len(set(drawn.flat)) == drawn.size
    assert ((low < drawn) & (drawn < high)).all()


def test_numbers_keep_away_from_kinks() -> None:
    drawn = draw((40,), (-3, 3), kinks=[0, 1, 2])
    assert min(abs(drawn - kink).min() for kink in (0, 1, 2)) > 0.09


def test_all_numbers_of_a_call_differ_and_none_is_0(samples: Samples) -> None:
    samples.add("two", np.add)
    x, y = samples.descriptions[0].draw((20,), (20,))
    assert not set(x) & set(y)
    assert 0 not in {*x, *y}


def test_domains_by_name(samples: Samples) -> None:
    samples.add("two", np.add, domain={"y": (7, 9)})
    x, y = samples.descriptions[0].draw((20,), (20,))
    assert (abs(x) < 3).all()
    assert ((y > 7) & (y < 9)).all()


@pytest.mark.parametrize(
    ("name", "keywords", "message"),
    [
        ("ones", {}, "no op is named 'ones'. Did you mean 'one'?"),
        ("many", {}, "pass shapes for some"),
        ("one", {"domain": (1, 0)}, r"must be \(low, high\) with low < high"),
        ("one", {"domain": {"z": (0, 1)}}, "names 'z', which is not one of its inputs. Known: x."),
        (
            "one",
            {"stepwise": ["y"]},
            "stepwise of 'one' names 'y', which is not one of its",
        ),
        ("one", {"calls": [call(1.0)], "shapes": [(3,)]}, "leave shapes= and parameters= out"),
        ("one", {"calls": [call(1.0)], "parameters": [{"by": 1}]}, "leave shapes="),
        ("one", {"calls": []}, "described without a call"),
        ("one", {"shapes": []}, "described without a call"),
    ],
)
def test_invalid_descriptions(samples: Samples, name: str, keywords: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        samples.add(name, abs, **keywords)
    assert not samples.descriptions


def test_a_refusal_needs_a_described_op(samples: Samples) -> None:
    samples.add("two", np.add)
    samples.refuse("two", TypeError, "by", by="much")
    samples.refuse("two", ValueError, "y", 1.0, 2.0)
    first, second = samples.descriptions[0].refusals
    assert first.call.inputs == samples.descriptions[0].calls[0].inputs
    assert second.call.inputs == (1.0, 2.0)
    with pytest.raises(ValueError, match=r"describe 'one' with `add` first. Known: two"):
        samples.refuse("one", TypeError, "x")
