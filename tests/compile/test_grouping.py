"""One call in place of several small ones gives the same bits."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .replay import assert_same_bits, replay_of

RNG = np.random.default_rng(0)


def count(replay, call):
    return inspect.getsource(replay).count(f"    {call}(")


def summed(x):
    total = x * 12
    for i in range(2, 12):
        total = total + x * i
    return total * 2


def squares(x):
    found = [x]
    for _ in range(5):
        found.append(np.tanh(found[-1]))
    total = found[0] * found[0]
    for y in found[1:]:
        total = y * y - total
    return total


def updates(x):
    parameters = [np.sin(x), np.sin(x[:1]), np.sin(x).T.copy(), np.sin(x[0])]
    gradients = [np.cos(p) for p in parameters]
    new = [p - g * 0.1 for p, g in zip(parameters, gradients, strict=True)]
    return (*new, gradients[1] + 1)


def of_products(x):
    products = [x @ x, x.T @ x, x @ x.T]
    halves = [p * 0.5 for p in products]
    return tuple(h @ x for h in halves)


@pytest.mark.parametrize("function", [summed, squares, updates, of_products])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [2, 3, 5, 30])
def test_grouped_calls_give_the_same_bits(function, dtype, size):
    replay = replay_of(function, np.ones((size, size), dtype))
    for scale in (1, -3e4, 1e-10):
        x = (RNG.standard_normal((size, size)) * scale).astype(dtype)
        expected = function(x)
        expected = expected if isinstance(expected, tuple) else (expected,)
        assert_same_bits(replay(x), expected)


SPECIAL = st.sampled_from([0.0, -0.0, 1.0, -2.5, 1e38, -1e38, 1e-45, np.inf, -np.inf, np.nan])


@given(arrays(np.float32, (3, 4), elements=SPECIAL))
def test_special_values_are_added_in_the_same_order(x):
    replay = replay_of(summed, np.ones((3, 4), np.float32))
    with np.errstate(all="ignore"):
        assert_same_bits(replay(x), (summed(x),))


def test_small_calls_become_one():
    x = np.ones((4, 4))
    assert count(replay_of(summed, x), "add") == 0
    assert count(replay_of(squares, x), "multiply") < 6
    # The four products with 0.1, of arrays of three shapes.
    assert count(replay_of(updates, x), "multiply") == 1


def test_large_arrays_are_not_grouped():
    x = np.ones((100, 100))
    assert count(replay_of(summed, x), "add") == 10
    assert count(replay_of(updates, x), "multiply") == 4


def test_a_sum_that_is_needed_before_its_end_stays():
    def partial_sums(x):
        total, found = np.negative(x), []
        for i in range(2, 12):
            total = total + x * i
            found.append(total)
        return tuple(found)

    x = RNG.standard_normal((3, 3))
    assert_same_bits(replay_of(partial_sums, x)(x), partial_sums(x))
