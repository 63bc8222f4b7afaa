"""Compiled code computes what NumPy computes, within the bounds that the documentation states."""

import importlib
import inspect
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_compile.native import lowering, regions

from .replay import assert_close, calls_of_numpy, replay_of
from .test_source import BINARY, FUNCTIONS, UNARY, X, Y

pytest.importorskip("llvmlite", reason="the backend native needs llvmlite")

RNG = np.random.default_rng(1)


def native(function, *arrays):
    return replay_of(function, *arrays, backend="native")


def check(function, *arrays, only_numpy=()):
    """Assert that compiled code equals NumPy for these arrays, and what is left to NumPy."""
    with np.errstate(all="ignore"):
        assert calls_of_numpy(function, *arrays) == set(only_numpy)
        replay = native(function, *arrays)
        for sign in (1, -1):
            for array in arrays:  # in place, because the strides are part of what is captured
                if array.dtype.kind == "f":
                    array *= sign
            expected = function(*arrays)
            expected = expected if isinstance(expected, tuple) else (expected,)
            assert_close(replay(*arrays), expected)


def test_the_functions_of_plugins_that_are_compiled_exist():
    """They are found by name, so NumPy would silently take the place of a renamed one."""
    keys = {*lowering._FUNCTIONS, *lowering._WRITERS, *regions._RANGE_CHECKS}
    names = [key.rsplit(".", 1) for key in keys if isinstance(key, str)]
    assert len(names) > 5
    for module, name in names:
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_replay_agrees_with_numpy(name):
    function = FUNCTIONS[name]
    for dtype in (np.float32, np.float64):
        replay = native(function, X.astype(dtype), Y.astype(dtype))
        for scale in (1, -3, 0.5):
            x, y = (X * scale).astype(dtype), (Y * scale).astype(dtype)
            expected = function(x, y)
            expected = expected if isinstance(expected, tuple) else (expected,)
            assert_close(replay(x, y), expected)


UFUNCS = """
    absolute arccos arcsin arcsinh arctan ceil cos cosh exp exp2 expm1 fabs floor isfinite isnan
    log log10 log1p log2 logical_not negative positive reciprocal rint sign sin sinh sqrt square
    tan tanh trunc cbrt
""".split()  # noqa: SIM905
BINARY_UFUNCS = """
    add subtract multiply true_divide maximum minimum power copysign arctan2 hypot equal not_equal
    less less_equal greater greater_equal logical_and logical_or logical_xor
""".split()  # noqa: SIM905
SPECIAL = np.array([0.0, -0.0, 1, -1, 0.5, 3, -2.5, 90, -110, np.inf, -np.inf, np.nan, 1e-30])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ufuncs_agree_with_numpy_on_infinity_and_nan(dtype):
    x, y = (a.astype(dtype).ravel() for a in np.meshgrid(SPECIAL, SPECIAL))
    check(lambda x: tuple(getattr(np, name)(x) for name in UFUNCS), x)
    check(lambda x, y: tuple(getattr(np, name)(x, y) for name in BINARY_UFUNCS), x, y)
    check(lambda x: (x**2, x**3, x**4, x**5, np.clip(x, -1, 2), np.where(x > 0, x, 0)), x)
    check(lambda x: (x.max(), x.min(), x.sum(), np.maximum(x, 0), np.minimum(1, x)), x)


def test_integers_and_truth_values_agree_with_numpy():
    numbers = RNG.integers(-9, 9, (3, 4))

    def integers(x):
        small = x.astype(np.int8)
        return (
            *(x + 2, x - small, x * x, -x, abs(x), np.maximum(x, 3), x / 4, x > 2, x & 5, x ^ 1),
            *(~x, x.sum(axis=0), x.max(axis=1), x.min(), x.astype(np.float32), x != 0),
            *(x.astype(bool), small + small, x.astype(np.uint8) * 3, x | small),
        )

    check(integers, numbers)
    check(lambda x: (x | (x & ~x), x.any(), x.all(axis=0), x.sum(), x * 1.5, ~x), numbers > 0)


def test_views_and_broadcasting_agree_with_numpy():
    x = RNG.standard_normal((4, 6)).astype(np.float32)

    def views(x):
        rows = x[::2, ::-1]
        return (
            *(x.T * 2 + x.T, rows + x[0], x[:, None, :] * x[None], x.reshape(2, 2, 6)[1] + 1),
            *(x.reshape(-1)[3:9] + x[1], np.broadcast_to(x[0], (3, 6)) * 1, x[..., -1] + x[:, 0]),
            *(x.T.sum(axis=1), rows.max(axis=0), x.T.reshape(3, 8) * 1, x[1:, 2].copy()),
        )

    check(views, x)
    check(views, np.asfortranarray(x))
    check(views, np.repeat(x, 2, axis=1)[:, ::2])
    check(views, x[::-1, ::-1])


def test_empty_arrays_and_arrays_of_no_dimensions_agree_with_numpy():
    check(lambda x: (x + 1, x.sum(), x.sum(axis=0), x @ x.T, x.T @ x), np.zeros((0, 3)))
    check(lambda x: (x + 1, np.exp(x) * x, x.sum(), np.where(x > 0, x, 2)), np.array(1.5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reductions_agree_with_numpy(dtype):
    x = RNG.standard_normal((3, 5, 70)).astype(dtype)

    def reductions(x):
        axes = (0, 1, 2, (0, 1), (0, 2), (1, 2), None)
        kept = tuple(x.sum(axis=axis, keepdims=True) for axis in axes)
        return (*kept, *(x.max(axis=axis) for axis in axes), x.mean(axis=1), x.prod(axis=0))

    check(reductions, x)
    check(reductions, np.ascontiguousarray(x.T))


def test_a_sum_of_many_numbers_is_exact_to_float32():
    x = RNG.random(100_000).astype(np.float32)
    (found,) = native(lambda x: x.sum(), x)(x)
    assert found == pytest.approx(x.astype(np.float64).sum(), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "depth", "columns"), [(1, 1, 1), (5, 3, 2), (7, 9, 37), (33, 4, 9)]
)
def test_products_agree_with_numpy(rows, depth, columns, dtype):
    x = RNG.standard_normal((rows, depth)).astype(dtype)
    y = RNG.standard_normal((depth, columns)).astype(dtype)

    def products(x, y):
        ones = np.ones(len(x), x.dtype)
        again = np.dot(np.dot(x, y), y.T)
        return np.dot(x, y), (x @ y).T @ x, again, np.dot(x[:, 0], x), np.dot(y, y[0]), ones @ x

    check(products, x, y)
    check(products, np.asfortranarray(x), np.asfortranarray(y))


def test_stacks_of_products_agree_with_numpy():
    x = RNG.standard_normal((2, 3, 5, 4))
    check(lambda x: (x @ np.swapaxes(x, 2, 3), x[:, :1] @ x[0, 0].T, x @ x[0, 0, 0]), x)


def test_indexing_agrees_with_numpy():
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    rows, columns = np.array([0, 4, 4, -1]), np.array([0, 2, -3, 1])

    def indexing(x, rows, columns):
        added = x * 1
        np.add.at(added, rows, x[:4])
        written = x * 1
        written[rows, columns] = 7
        changed = x + 1
        changed[1:3, ::2] = x[:2, :2]
        changed[4, 1] = changed[-1, 2] + x[0, 0]
        taken = x[rows], x[rows, columns], np.take(x, rows, axis=0), x[rows[:, None], columns]
        return *taken, added, written, changed, np.concatenate([x, x[:2]]), x[columns][:, 1]

    check(indexing, x, rows, columns)


def test_an_index_out_of_range_ends_the_replay():
    replay = native(lambda x, i: x[i] * 2, np.ones(3), np.array([0, 2]))
    assert replay(np.ones(3), np.array([1, -3])) is not None
    assert replay(np.ones(3), np.array([1, 3])) is None


def test_a_changed_decision_ends_the_replay():
    def positive(x):
        total = (x * 2).sum()
        return x + 1 if total > 0 else -x

    replay = native(positive, np.ones(3))
    assert "leave unless" in inspect.getsource(replay)
    assert replay(np.ones(3)) is not None
    assert replay(-np.ones(3)) is None


def test_a_decision_tells_zeros_apart():
    replay = native(lambda x: x * 3 + float((x * 2)[0]), np.zeros(1))
    assert replay(np.zeros(1)) is not None
    assert replay(-np.zeros(1)) is None


def test_results_are_new_arrays():
    replay = native(lambda x: (x + 1, x, (x * 2).T), X)
    first, second = replay(X), replay(X)
    for a, b in zip(first, second, strict=True):
        assert not np.shares_memory(a, b)


def test_other_calls_run_as_numpy():
    """Each unsupported call falls back on its own, with what it needs and what needs it."""

    def function(x):
        y = np.exp(x) + 1
        z = np.sort(y, axis=1) * 2
        median = np.median(z, axis=0) - x[0]
        return z + median, np.linalg.norm(z) * x, (x.astype(np.complex64) * 1j).real + x

    check(function, X, only_numpy=["sort", "median", "norm", "astype", "multiply"])


def test_options_of_functions_are_respected():
    def options(x):
        return (
            *(np.add.reduce(x, 0, None, None, False, 5.0), np.take(x, [0, 9], 0, None, "clip")),
            *(np.multiply(x, 2, dtype=np.float64), np.sum(x, where=x > 0), x.max(initial=9)),
        )

    check(options, X.copy(), only_numpy=["reduce", "take", "multiply", "sum", "max"])


def test_large_products_are_left_to_blas():
    x = RNG.standard_normal((210, 210)).astype(np.float32)
    check(
        lambda x: np.exp((x @ x) / 100) + 1,
        x,
        only_numpy=["matmul (a large product, by BLAS)", "exp (faster for large arrays)"],
    )


def test_loops_are_fused():
    """A value that only the next call needs is not stored."""
    source = inspect.getsource(native(lambda x: (np.tanh(x * 2 + 1) * x).sum(), X))
    loops = [line for line in source.splitlines() if line.lstrip(" #").startswith("for i0")]
    assert len(loops) == 1
    assert "multiply(" in source


def test_floating_point_errors_that_raise_are_left_to_numpy():
    with np.errstate(divide="raise"):
        assert calls_of_numpy(lambda x: np.log(x), np.ones(2))
        with pytest.raises(FloatingPointError):
            native(lambda x: np.log(x), np.ones(2))(np.zeros(2))


ONE = [f for f in UNARY if f(X.astype(np.float64)).dtype == np.float64]
TWO = [*BINARY, operator.truediv, lambda x, y: x[:, :2] @ y[:2], lambda x, y: y[::-1] + x]


@settings(max_examples=30)
@given(st.data())
def test_random_programs_agree_with_numpy(data):
    index = st.integers(0, 100)
    unary, binary = st.sampled_from(ONE), st.sampled_from(TWO)
    plan = data.draw(
        st.lists(st.tuples(st.one_of(unary, binary), index, index), min_size=1, max_size=25)
    )
    outputs = data.draw(st.lists(index, min_size=1, max_size=3))

    def program(x):
        values = [x]
        for function, i, j in plan:
            x, y = values[i % len(values)], values[j % len(values)]
            y = function(x) if function in ONE else function(x, y)
            # Bounded, so that rounding errors stay small.
            values.append(np.tanh(y) if y.shape == X.shape else x)
        return tuple(values[i % len(values)] for i in outputs)

    start = X.astype(np.float64)
    with np.errstate(all="ignore"):
        replay = native(program, start)
        for scale in (1, -0.5):
            found, expected = replay(start * scale), program(start * scale)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
