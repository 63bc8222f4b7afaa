"""NumPy functions, exported as ONNX and run with onnxruntime, have NumPy's results and dtypes."""

import contextlib

import numpy as np
import pytest

from .onnx_models import exported

pytestmark = pytest.mark.peers("onnx", "onnxruntime")

DTYPES = (np.float32, np.float64, np.int64, bool)
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-9, -1e-9, 3e7, np.inf, -np.inf, np.nan]


def draw(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(bool) if dtype is bool else rng.integers(-4, 5, shape)


def check(function, tmp_path, *args, names=(), atol=0):
    """Assert that an exported function computes what the function does."""
    with np.errstate(all="ignore"):
        expected = function(*args)
    expected = expected if isinstance(expected, tuple | list) else (expected,)
    found = exported(function, tmp_path / "model.onnx", *args).values()
    assert len(found) == len(expected)
    names = names or range(len(found))
    for name, a, b in zip(names, found, map(np.asarray, expected), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        tolerance = TOLERANCES.get(str(b.dtype), 0)
        np.testing.assert_allclose(a, b, tolerance, tolerance * atol, err_msg=f"result {name}")


def domain(ufunc, x):
    """Return numbers for which the function is not too ill-conditioned."""
    limited = (np.sin, np.cos, np.tan, np.exp, np.exp2, np.expm1, np.sinh, np.cosh)
    return np.where(np.abs(x) > 1e3, 2, x) if ufunc in limited and x.dtype.kind == "f" else x


UNARY = """
    absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil conjugate cos cosh deg2rad exp
    exp2 expm1 fabs floor invert isfinite isinf isnan log log10 log1p log2 logical_not negative
    positive rad2deg reciprocal rint sign signbit sin sinh sqrt square tan tanh trunc
""".split()  # noqa: SIM905
BINARY = """
    add arctan2 bitwise_and bitwise_or bitwise_xor copysign divide equal float_power floor_divide
    fmax fmin fmod greater greater_equal heaviside hypot less less_equal logaddexp logaddexp2
    logical_and logical_or logical_xor maximum minimum multiply not_equal power remainder subtract
""".split()  # noqa: SIM905


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
def test_ufuncs_of_one_array(dtype, tmp_path):
    """One model computes all of them."""
    x = np.array(SPECIAL, dtype) if np.dtype(dtype).kind == "f" else draw(12, dtype)
    x = np.concatenate([x, draw(30, dtype)])
    names = []
    for name in UNARY:
        ufunc = getattr(np, name)
        try:
            with np.errstate(all="ignore"):
                kind = ufunc(x).dtype
        except TypeError:
            continue
        if kind in (np.float32, np.float64, np.int64, bool):
            names.append(name)
    if dtype is np.int64:
        names.remove("reciprocal")  # an integer division by 0 has no result
        x[x == 0] = 3
    check(
        lambda x: [getattr(np, name)(domain(getattr(np, name), x)) for name in names],
        tmp_path,
        x,
        names=names,
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("other", DTYPES, ids=lambda d: np.dtype(d).name)
def test_ufuncs_of_two_arrays(dtype, other, tmp_path):
    x, y = draw((3, 40), dtype), draw(40, other, seed=1)
    if np.dtype(dtype).kind == np.dtype(other).kind == "f":
        pairs = np.array([(a, b) for a in SPECIAL for b in SPECIAL])
        x, y = pairs[:, 0].astype(dtype), pairs[:, 1].astype(other)
    if np.dtype(other).kind == "i":
        y[y <= 0] = 2  # so that neither division nor power fails
    names = []
    for name in BINARY:
        try:
            with np.errstate(all="ignore"):
                kind = getattr(np, name)(x, y).dtype
        except TypeError:
            continue
        if kind in (np.float32, np.float64, np.int64, bool):
            names.append(name)
    if np.result_type(dtype, other).kind != "f":
        names = [n for n in names if n != "power"]  # needs a constant exponent
    if other is bool:
        names = [n for n in names if n not in ("floor_divide", "remainder", "fmod", "power")]
    check(lambda x, y: [getattr(np, name)(x, y) for name in names], tmp_path, x, y, names=names)


INDEX = np.array([[2, 0, -1], [1, 1, 0]])
MASK = np.array([True, False, True, True])
TABLE = np.arange(20).reshape(4, 5) % 3 == 0

# Functions of an array of shape (4, 5, 3), a vector of length 5 and indices of shape (2, 3).
FUNCTIONS = {
    # arithmetic with numbers and operators
    "numbers": lambda x, v, i: (
        x + 1,
        2.5 * x,
        x / 2,
        x**2,
        x**0.5 * 0,
        2**v,
        -x,
        abs(x),
        x % 3,
        x // 2,
    ),
    "integer powers": lambda x, v, i: (i**3, i ** np.array([40, 2, 0]), np.power(i, 5)),
    "promotion": lambda x, v, i: (i + 1.5, i * True, i / i, x.astype(np.float64) + v[0], i + v[:3]),
    "in place": lambda x, v, i: _in_place(x),
    "where": lambda x, v, i: (
        np.where(x > 0, x, 0),
        np.where(i > 0, i > 1, i < 0),
        np.where(v > 0, 1, 2),
    ),
    "clip": lambda x, v, i: (np.clip(x, -0.5, 0.5), x.clip(0), np.clip(x, None, v[:3])),
    "round": lambda x, v, i: (np.round(x, 2), x.round(), np.round(i)),
    "nan_to_num": lambda x, v, i: np.nan_to_num(np.log(x)),
    "isclose": lambda x, v, i: np.isclose(x, x + 1e-9),
    # dtypes
    "astype": lambda x, v, i: (
        x.astype(np.int64),
        x.astype(bool),
        i.astype(np.float32),
        np.astype(x, np.float64),
    ),
    "copies": lambda x, v, i: (x.copy(), np.copy(x), np.real(x), x.conj()),
    "filled": lambda x, v, i: (
        np.zeros_like(x) + v[0],
        np.ones_like(x, dtype=bool) & (x > 0),
        np.full_like(x, v[0]),
    ),
    # reductions
    "sum": lambda x, v, i: (
        x.sum(),
        x.sum(1),
        x.sum((0, 2), keepdims=True),
        np.sum(x > 0, -1),
        i.sum(),
    ),
    "prod": lambda x, v, i: (x.prod(), np.prod(x, axis=(0, -1)), np.prod(i)),
    "max and min": lambda x, v, i: (
        x.max(),
        x.min(1),
        np.max(x, axis=2, keepdims=True),
        (x > 0).max(0),
    ),
    "all and any": lambda x, v, i: ((x > 0).all(), np.any(x > 1, axis=0), (x > 0).any((1, 2))),
    "mean": lambda x, v, i: (
        x.mean(),
        x.mean((0, 1)),
        i.mean(),
        np.mean(x > 0, 0),
        np.average(x, 1),
    ),
    "variance": lambda x, v, i: (x.var(), x.std(1), np.var(x, axis=(0, 2), ddof=1, keepdims=True)),
    "reduce": lambda x, v, i: (
        np.add.reduce(x),
        np.maximum.reduce(x, axis=(1, 2)),
        np.add.reduce(x, axis=()),
        np.max(x, initial=2.0),
        np.sum(x, where=x > 0),
    ),
    "accumulate": lambda x, v, i: (
        np.cumsum(x, 1),
        x.cumsum(),
        np.cumprod(x, axis=1),
        np.maximum.accumulate(x, 1),
    ),
    "norm": lambda x, v, i: (
        np.linalg.norm(v),
        np.linalg.norm(x),
        np.linalg.norm(x, axis=1),
        np.linalg.norm(v, 1),
        np.linalg.norm(v, np.inf),
    ),
    "positions": lambda x, v, i: (x.argmax(), x.argmin(1), np.argmax(x, axis=-1, keepdims=True)),
    "sort": lambda x, v, i: (
        np.sort(x, axis=1),
        np.argsort(x),
        np.sort(x, axis=None),
        np.argsort(np.round(v), kind="stable"),
    ),
    "searchsorted": lambda x, v, i: (
        np.searchsorted(np.sort(v), x),
        np.searchsorted(np.sort(v), v, "right"),
    ),
    "differences": lambda x, v, i: (
        np.diff(x),
        np.diff(x, n=2, axis=1),
        np.diff(v, prepend=0),
        np.ptp(x, axis=1),
    ),
    "count": lambda x, v, i: (np.count_nonzero(x > 0), np.count_nonzero(i, axis=1)),
    # products
    "matmul": lambda x, v, i: (x @ x.swapaxes(1, 2), v @ x, x.mT @ v, v @ v, v[:3] @ i.T),
    "dot": lambda x, v, i: (
        v.dot(v),
        np.dot(x.swapaxes(1, 2), v),
        np.dot(x[0].T, x),
        np.vdot(v, v),
        np.inner(v, x.mT),
    ),
    "outer": lambda x, v, i: (np.outer(v, v), np.multiply.outer(v, v), np.vecdot(x.mT, v)),
    "tensordot": lambda x, v, i: (
        np.tensordot(x, x, ([1, 2], [1, 2])),
        np.tensordot(v, x, (0, 1)),
        np.trace(x[0]),
    ),
    "einsum": lambda x, v, i: (
        np.einsum("ijk,ijl->ikl", x, x),
        np.einsum("ijk,j->ik", x, v),
        np.einsum("ijk->kj", x),
        np.einsum("...i,...i->...", x, x),
        np.einsum("ijk,j,ijk->i", x, v, x),
    ),
    # shapes
    "reshape": lambda x, v, i: (
        x.reshape(20, 3),
        x.reshape((-1, 5)),
        np.ravel(x),
        x.flatten(),
        np.reshape(x, -1),
    ),
    "transpose": lambda x, v, i: (
        x.T,
        x.transpose(1, 0, 2),
        x.transpose((2, 0, 1)),
        np.moveaxis(x, 0, -1),
        x.mT,
        np.swapaxes(x, 0, 1),
    ),
    "axes": lambda x, v, i: (
        np.expand_dims(x, (0, 2)),
        np.squeeze(x[:1]),
        x[None].squeeze(0),
        np.atleast_1d(v),
    ),
    "broadcast": lambda x, v, i: (np.broadcast_to(v, (4, 5)), *np.broadcast_arrays(v, x[:, :, 0])),
    "concatenate": lambda x, v, i: (
        np.concatenate([x, x], axis=1),
        np.concatenate([i, v[:3][None]]),
        np.concatenate([x, i], axis=None),
    ),
    "stack": lambda x, v, i: (
        np.stack([v, v]),
        np.stack([v, v * 2], axis=-1),
        np.hstack([v, v]),
        np.vstack([v, v]),
        np.column_stack([v, v]),
    ),
    "split": lambda x, v, i: (*np.split(x, 2), *np.array_split(v, 3), *np.split(v, [1, 3])),
    "flip and roll": lambda x, v, i: (
        np.flip(x),
        np.flip(x, 1),
        np.roll(x, 2, axis=1),
        np.roll(v, -1),
        np.rot90(x),
    ),
    "repeat": lambda x, v, i: (np.repeat(v, 2), np.tile(i, (2, 1)), np.repeat(x, 2, axis=1)),
    "pad": lambda x, v, i: (
        np.pad(v, 2),
        np.pad(i, ((1, 0), (0, 2)), constant_values=7),
        np.pad(x, 1, mode="edge"),
        np.pad(v, 2, mode="reflect"),
    ),
    "triangles": lambda x, v, i: (
        np.tril(x),
        np.triu(x, 1),
        np.diag(v),
        np.diag(x[0]),
        np.diagonal(x),
    ),
    # indices
    "slices": lambda x, v, i: (
        x[1],
        x[-1, 2],
        x[1:3, ::2],
        x[..., 1],
        x[:, None, 1:],
        x[::-1],
        x[3:0:-2],
        x[()],
        v[-2:],
    ),
    "arrays as indices": lambda x, v, i: (
        x[i],
        x[:, i],
        x[..., i],
        v[INDEX],
        x[INDEX, :, 1],
        x[[0, 2]],
    ),
    "several arrays": lambda x, v, i: (
        x[i, 1],
        x[i, i + 1],
        x[i, :, i],
        x[:, i, i],
        x[INDEX, 0, i],
        x[1, i, 1:],
        x[None, i, i],
    ),
    "masks": lambda x, v, i: (
        x[MASK],
        x[TABLE],
        x[TABLE, 1],
        x[:, [True, False, True, False, True]],
    ),
    "take": lambda x, v, i: (np.take(v, i), np.take(x, i, axis=1), x.take(i)),
    "take_along_axis": lambda x, v, i: (
        np.take_along_axis(x, np.argsort(x, axis=1), axis=1),
        np.take_along_axis(i, i % 2, axis=0),
    ),
    "setitem": lambda x, v, i: _set(x, v, i),
    "at": lambda x, v, i: _at(x, v, i),
    "other writes": lambda x, v, i: _written(x, v, i),
    # the state of floating-point errors does not matter
    "errstate": lambda x, v, i: _quiet(x),
}


def _in_place(x):
    y = x * 1
    y += 1
    y *= x
    y **= 2
    return y, np.add(x, 1, dtype=np.float64)


def _new(x):
    return x + np.zeros(1, x.dtype)


def _set(x, v, i):
    found = []
    for index, value in [
        (1, 7.0),
        ((slice(None), 2), v[:3]),
        ((i, 0), 5),
        ((i[0], i[0]), 1),
        (Ellipsis, v[0]),
        (MASK, -1),
        ((0, slice(None, None, 2)), x[1, ::2]),
        (x > 0, 0),
    ]:
        y = _new(x)
        y[index] = value
        found.append(y)
    return found


def _at(x, v, i):
    found = []
    for ufunc in (np.add, np.subtract, np.multiply, np.maximum, np.minimum):
        y = _new(v)
        ufunc.at(y, i, 2)
        found.append(y)
    y = _new(x)
    np.add.at(y, (i, 1), v[:3])
    return *found, y


def _written(x, v, i):
    found = [_new(x) for _ in range(6)]
    np.copyto(found[0], v[0])
    np.copyto(found[1], 0, where=x > 0)
    np.put_along_axis(found[2], np.argsort(x, axis=1)[:, :1], 9, axis=1)
    np.putmask(found[3], x > 0, 0)
    np.put(found[4], i, 3)
    found[5].sort(axis=1)
    return found


def _quiet(x):
    with np.errstate(all="ignore"):
        return np.log(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, dtype, tmp_path):
    x, v = draw((4, 5, 3), dtype), draw(5, dtype, seed=1)
    with np.errstate(invalid="ignore"):
        check(FUNCTIONS[name], tmp_path, x, v, np.array([[2, 0, 1], [1, 1, 0]]), atol=0.1)


def test_nan_is_sorted_to_the_end(tmp_path):
    x = np.array([[1, np.nan, 3, np.inf], [2, 2, np.nan, np.nan], [np.inf, np.nan, -np.inf, 0.0]])
    check(lambda x: (np.argsort(x, axis=1), np.sort(x, axis=0), np.sort(x)), tmp_path, x)


def test_numbers_of_arrays(tmp_path):
    """`item()` is a Python number, whose arithmetic is exported too."""

    def function(x):
        number = x.max().item()
        return x * (2 * number + 1), x[0] + x.item(1) ** 2, x / (3 - number)

    check(function, tmp_path, np.array([0.5, 2.5, 1.0], np.float32))


def test_arrays_without_elements(tmp_path):
    def function(x):
        shapes = x.T, x.reshape(3, 0), x[:, 1], np.concatenate([x, np.ones((1, 3))])
        return *shapes, x.sum(0), x.prod(0), (x > 0).all(0), x @ np.ones((3, 2)), np.exp(x)

    check(function, tmp_path, np.zeros((0, 3)))


def random_index(rng, shape):
    """Return an index of integers, slices, None, an Ellipsis, arrays and masks."""
    items = []
    for length in shape[: rng.integers(1, len(shape) + 1)]:
        if rng.random() < 0.15:
            items.append(None)
        kind = rng.choice(["integer", "slice", "array", "mask"], p=[0.2, 0.4, 0.3, 0.1])
        if kind == "integer":
            items.append(int(rng.integers(-length, length)))
        elif kind == "slice":
            start, stop = (None if rng.random() < 0.4 else int(n) for n in rng.integers(-6, 7, 2))
            items.append(slice(start, stop, rng.choice([None, 1, 2, -1, -2])))
        elif kind == "array":
            places = (3,) if rng.random() < 0.5 else (2, 3)
            items.append(rng.integers(-length, length, places))
        else:
            mask = np.arange(length) % 2 == 0
            mask[:3] = [True] * min(3, length)
            items.append(np.flatnonzero(mask)[:3])
    if rng.random() < 0.2:
        items.insert(rng.integers(0, len(items) + 1), Ellipsis)
    return tuple(items)


@pytest.mark.parametrize("seed", range(6))
def test_random_indices(seed, tmp_path):
    """Reading, writing and adding at 40 random indices; arrays are inputs or constants."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, 5, 3, 2))
    indices = []
    while len(indices) < 40:
        index = random_index(rng, x.shape)
        with contextlib.suppress(IndexError):
            x[index]
            indices.append(list(index))
    passed = [i for index in indices for i in index if isinstance(i, np.ndarray)]
    chosen = [rng.random() < 0.5 for _ in passed]

    def function(x, *arrays):
        found, given, known = [], iter(arrays), iter(zip(passed, chosen, strict=True))
        for index in indices:
            pairs = [next(known) if isinstance(i, np.ndarray) else (i, False) for i in index]
            items = tuple(next(given) if is_input else item for item, is_input in pairs)
            found.append(x[items])
            written, added = x + 0, x + 0
            written[items] = 7
            np.add.at(added, items, found[-1])
            found += written, added
        return found

    inputs = [array for array, is_input in zip(passed, chosen, strict=True) if is_input]
    check(function, tmp_path, x, *inputs, names=[str(i) for i in indices for _ in range(3)])
