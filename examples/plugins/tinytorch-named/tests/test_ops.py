"""Each op gives its result the right names, or none, and the same numbers as without names."""

import operator
import re
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

import tinytorch_activations as activations
import tinytorch_layers as layers
from tinytorch_layers import functional
from tinytorch_named import NamesError, elementwise, names_of, reduction

# Axes of different lengths, so that a wrong name can be seen.
AXES = {
    "X": {"batch": 2, "time": 3, "feature": 4},
    "ROW": {"feature": 4},
    "SQUARE": {"row": 3, "column": 3},
    "OTHER": {"feature": 4, "hidden": 5},
    "IMAGE": {"batch": 2, "channel": 1, "height": 6, "width": 7},
}
BTF = ("batch", "time", "feature")


def tensors(**keywords):
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        **{
            name: Tensor(rng.uniform(0.5, 2, tuple(axes.values())), names=tuple(axes), **keywords)
            for name, axes in AXES.items()
        }
    )


CALLS = {
    # Elementwise, with broadcasting from the right.
    "X + 1": (lambda t: t.X + 1, BTF),
    "X + ROW": (lambda t: t.X + t.ROW, BTF),
    "ROW - X": (lambda t: t.ROW - t.X, BTF),
    "1 / X": (lambda t: 1 / t.X, BTF),
    "X ** 2": (lambda t: t.X**2, BTF),
    "-X": (lambda t: -t.X, BTF),
    "X > ROW": (lambda t: t.X > t.ROW, BTF),
    "ROW * array": (lambda t: t.ROW * np.ones((5, 4)), (None, "feature")),
    "array + ROW": (lambda t: np.ones((5, 4)) + t.ROW, (None, "feature")),
    "partly named": (lambda t: t.ROW + t.X.rename(None), (None, None, "feature")),
    "np.sin": (lambda t: np.sin(t.X), BTF),
    "np.arctan2": (lambda t: np.arctan2(t.X, t.ROW), BTF),
    "np.add(dtype=)": (lambda t: np.add(t.X, t.ROW, dtype=np.float64), BTF),
    "np.sum(where=)": (lambda t: np.sum(t.X, 1, where=t.X > 1), ("batch", "feature")),
    "np.where": (lambda t: np.where(t.X > 1, t.X, t.ROW), BTF),
    "np.where(condition)": (lambda t: np.where(t.ROW > 1)[0], (None,)),
    "clip": (lambda t: t.X.clip(0.8, t.ROW), BTF),
    "np.maximum": (lambda t: np.maximum(t.ROW, t.X), BTF),
    "np.round": (lambda t: np.round(t.X, 1), BTF),
    "np.isclose": (lambda t: np.isclose(t.X, t.ROW), BTF),
    "astype": (lambda t: t.X.astype(np.float32), BTF),
    "copy": (lambda t: t.X.copy(), BTF),
    "np.divmod": (lambda t: np.divmod(t.X, t.ROW)[1], BTF),
    "np.zeros_like": (lambda t: np.zeros_like(t.X), BTF),
    "np.zeros_like(shape=)": (lambda t: np.zeros_like(t.X, shape=(4, 3, 2)), None),
    "relu": (lambda t: activations.relu(t.X), BTF),
    "gelu": (lambda t: t.X.gelu(), BTF),
    # Reductions.
    "sum()": (lambda t: t.X.sum(), ()),
    "sum(name)": (lambda t: t.X.sum("time"), ("batch", "feature")),
    "sum(names)": (lambda t: t.X.sum(("time", "batch")), ("feature",)),
    "sum(mixed)": (lambda t: t.X.sum(axis=("batch", -1)), ("time",)),
    "sum(keepdims)": (lambda t: t.X.sum("time", keepdims=True), BTF),
    "sum(dim=)": (lambda t: t.X.sum(dim="feature"), ("batch", "time")),
    "np.sum": (lambda t: np.sum(t.X, axis="batch"), ("time", "feature")),
    "np.sum(initial=)": (lambda t: np.sum(t.X, 1, initial=3.0), ("batch", "feature")),
    "mean": (lambda t: t.X.mean(-1), ("batch", "time")),
    "var": (lambda t: t.X.var("batch", ddof=1), ("time", "feature")),
    "max": (lambda t: t.X.max("time"), ("batch", "feature")),
    "argmax": (lambda t: t.X.argmax("time"), ("batch", "feature")),
    "any": (lambda t: (t.X > 1).any("time"), ("batch", "feature")),
    "np.median": (lambda t: np.median(t.X, axis="time"), ("batch", "feature")),
    "np.quantile": (lambda t: np.quantile(t.X, 0.5, axis="time"), ("batch", "feature")),
    "np.quantile of many": (
        lambda t: np.quantile(t.X, [0.2, 0.5], axis="time"),
        (None, "batch", "feature"),
    ),
    "np.linalg.norm": (lambda t: np.linalg.norm(t.X, axis="feature"), ("batch", "time")),
    "np.add.reduce": (lambda t: np.add.reduce(t.X), ("time", "feature")),
    "np.trapezoid": (lambda t: np.trapezoid(t.X), ("batch", "time")),
    # Along an axis.
    "np.sort": (lambda t: np.sort(t.X, axis="time"), BTF),
    "np.sort(None)": (lambda t: np.sort(t.X, axis=None), None),
    "argsort": (lambda t: t.X.argsort("batch"), BTF),
    "cumsum": (lambda t: t.X.cumsum("time"), BTF),
    "cumsum()": (lambda t: t.X.cumsum(), None),
    "cumsum of a row": (lambda t: t.ROW.cumsum(), ("feature",)),
    "np.add.accumulate": (lambda t: np.add.accumulate(t.X, axis=1), BTF),
    "softmax": (lambda t: t.X.softmax("feature"), BTF),
    "softmax(dim=)": (lambda t: activations.softmax(t.X, dim="time"), BTF),
    "np.flip": (lambda t: np.flip(t.X, axis="time"), BTF),
    "np.roll": (lambda t: np.roll(t.X, 1, axis="time"), BTF),
    "np.diff": (lambda t: np.diff(t.X, axis="time"), BTF),
    "repeat": (lambda t: t.X.repeat(2, axis="time"), BTF),
    "np.pad": (lambda t: np.pad(t.X, 1), BTF),
    "np.gradient": (lambda t: np.gradient(t.X, axis="time"), BTF),
    "np.fft.fft": (lambda t: np.fft.fft(t.X), None),
    # Products.
    "X @ OTHER": (lambda t: t.X @ t.OTHER, ("batch", "time", "hidden")),
    "X @ array": (lambda t: t.X @ np.ones((4, 5)), ("batch", "time", None)),
    "array @ OTHER": (lambda t: np.ones((5, 4)) @ t.OTHER, (None, "hidden")),
    "ROW @ OTHER": (lambda t: t.ROW @ t.OTHER, ("hidden",)),
    "X @ ROW": (lambda t: t.X @ t.ROW, ("batch", "time")),
    "ROW @ ROW": (lambda t: t.ROW @ t.ROW, ()),
    "X @ X.mT": (lambda t: t.X @ t.X.mT, ("batch", None, None)),
    "np.dot": (lambda t: np.dot(t.X, t.OTHER), ("batch", "time", "hidden")),
    "np.inner": (lambda t: np.inner(t.X, t.OTHER.T), ("batch", "time", "hidden")),
    "np.outer": (lambda t: np.outer(t.ROW, t.OTHER[0]), ("feature", "hidden")),
    "np.multiply.outer": (
        lambda t: np.multiply.outer(t.OTHER, t.X[0, :, 0]),
        ("feature", "hidden", "time"),
    ),
    "np.tensordot": (lambda t: np.tensordot(t.X, t.OTHER, 1), ("batch", "time", "hidden")),
    "np.tensordot(axes)": (
        lambda t: np.tensordot(t.X, t.OTHER, ([2], [0])),
        ("batch", "time", "hidden"),
    ),
    "np.einsum": (lambda t: np.einsum("btf,fh->hbt", t.X, t.OTHER), ("hidden", "batch", "time")),
    "np.einsum, implicit": (lambda t: np.einsum("zyx", t.X), ("feature", "time", "batch")),
    "np.einsum(...)": (lambda t: np.einsum("...f->f...", t.X), None),
    "linear": (lambda t: functional.linear(t.X, t.OTHER), ("batch", "time", "hidden")),
    "Linear": (
        lambda t: layers.Linear(4, 5, generator=0)(t.X.astype(np.float32)),
        ("batch", "time", None),
    ),
    "conv2d": (
        lambda t: layers.Conv2d(1, 5, 3, generator=0)(t.IMAGE.astype(np.float32)),
        ("batch", None, "height", "width"),
    ),
    "max_pool2d": (
        lambda t: layers.MaxPool2d(2)(t.IMAGE),
        ("batch", "channel", "height", "width"),
    ),
    "np.linalg.inv": (lambda t: np.linalg.inv(t.SQUARE), ("column", "row")),
    "np.linalg.solve": (lambda t: np.linalg.solve(t.SQUARE, t.X[0]), ("column", "feature")),
    "np.linalg.det": (lambda t: np.linalg.det(t.SQUARE), ()),
    "np.linalg.eigvals": (lambda t: np.linalg.eigvals(t.SQUARE), (None,)),
    "np.linalg.svd": (lambda t: np.linalg.svd(t.OTHER)[0], None),
    # Moving axes.
    "T": (lambda t: t.X.T, ("feature", "time", "batch")),
    "mT": (lambda t: t.X.mT, ("batch", "feature", "time")),
    "transpose": (lambda t: t.X.transpose(0, 1), ("time", "batch", "feature")),
    "permute": (lambda t: t.X.permute("time", "batch", "feature"), ("time", "batch", "feature")),
    "np.transpose": (lambda t: np.transpose(t.X, (2, 0, 1)), ("feature", "batch", "time")),
    "swapaxes": (lambda t: t.X.swapaxes("batch", "feature"), ("feature", "time", "batch")),
    "np.moveaxis": (lambda t: np.moveaxis(t.X, "batch", -1), ("time", "feature", "batch")),
    "np.moveaxis of two": (
        lambda t: np.moveaxis(t.X, [0, 1], [-1, 0]),
        ("time", "feature", "batch"),
    ),
    "np.rollaxis": (lambda t: np.rollaxis(t.X, 2), None),
    "reshape": (lambda t: t.X.reshape(4, 3, 2), None),
    "reshape to the same": (lambda t: t.X.reshape(2, 3, 4), BTF),
    "np.reshape": (lambda t: np.reshape(t.X, (3, 2, 4)), None),
    "ravel": (lambda t: t.X.ravel(), None),
    "squeeze": (lambda t: t.IMAGE[:1].squeeze(), ("height", "width")),
    "squeeze(name)": (lambda t: t.IMAGE.squeeze("channel"), ("batch", "height", "width")),
    "np.expand_dims": (lambda t: np.expand_dims(t.X, 1), ("batch", None, "time", "feature")),
    "np.expand_dims of two": (lambda t: np.expand_dims(t.ROW, (0, -1)), (None, "feature", None)),
    "np.broadcast_to": (lambda t: np.broadcast_to(t.ROW, (3, 4)), (None, "feature")),
    "diagonal": (lambda t: t.X.diagonal(), ("feature", None)),
    "trace": (lambda t: t.X.trace(0, 1, 2), ("batch",)),
    # Joining and splitting.
    "np.concatenate": (lambda t: np.concatenate([t.X, t.X], axis="time"), BTF),
    "np.concatenate, partly": (lambda t: np.concatenate([t.X.rename(None), t.X]), BTF),
    "np.stack": (lambda t: np.stack([t.X, t.X], axis=1), ("batch", None, "time", "feature")),
    "np.stack at the end": (lambda t: np.stack([t.ROW, t.ROW], -1), ("feature", None)),
    "np.vstack of rows": (lambda t: np.vstack([t.ROW, t.ROW]), None),
    "np.hstack": (lambda t: np.hstack([t.X, t.X]), BTF),
    "np.append": (lambda t: np.append(t.X, t.X, axis=0), BTF),
    "np.split": (lambda t: np.split(t.X, 3, axis="time")[1], BTF),
    "np.tile": (lambda t: np.tile(t.X, 2), None),
    # Indexing.
    "X[0]": (lambda t: t.X[0], ("time", "feature")),
    "X[..., 0]": (lambda t: t.X[..., 0], ("batch", "time")),
    "X[:, None]": (lambda t: t.X[:, None], ("batch", None, "time", "feature")),
    "X[..., None]": (lambda t: t.X[..., None], (*BTF, None)),
    "X[1:, -1]": (lambda t: t.X[1:, -1], ("batch", "feature")),
    "X[:, [2, 0]]": (lambda t: t.X[:, [2, 0]], BTF),
    "X[:, Tensor]": (lambda t: t.X[:, Tensor(np.array([2, 0]))], BTF),
    "X[:, 2-d]": (lambda t: t.X[:, np.array([[2, 0]])], ("batch", None, None, "feature")),
    "X[mask]": (lambda t: t.X[t.X > 1], (None,)),
    "X[:, mask]": (lambda t: t.X[:, np.array([True, False, True])], BTF),
    "X[0, :, [1, 2]]": (lambda t: t.X[0, :, [1, 2]], None),
    "X[True]": (lambda t: t.X[True], None),
    "isel": (lambda t: t.X.isel(time=0, feature=slice(2)), ("batch", "feature")),
    "take": (lambda t: t.X.take([0, 2], axis="time"), BTF),
    "take of one": (lambda t: t.X.take(1, axis=2), ("batch", "time")),
    "iteration": (lambda t: next(iter(t.X)), ("time", "feature")),
}


LENGTH_CHANGES = {"np.diff", "repeat", "np.pad", "take", "np.split", "np.hstack", "np.append"}
LENGTH_CHANGES |= {n for n in CALLS if "keepdims" in n or "concatenate" in n or "[2, 0]" in n}
LENGTH_CHANGES |= {"conv2d", "max_pool2d", "X[1:, -1]", "X[:, Tensor]", "X[:, mask]"}
LENGTH_CHANGES |= {"isel"}


@pytest.mark.parametrize("tracked", [False, True], ids=["", "tracked"])
@pytest.mark.parametrize("name", CALLS)
def test_the_result_has_the_right_names(name, tracked):
    call, names = CALLS[name]
    given = tensors(requires_grad=tracked)
    found = call(given)
    assert found.names == ((None,) * found.ndim if names is None else names)
    lengths = {axis: length for axes in AXES.values() for axis, length in axes.items()}
    for axis, length in zip(found.names, found.shape, strict=True):
        assert axis is None or name in LENGTH_CHANGES or length == lengths[axis]


# These change the lengths of axes, whose names they keep; the first write files.
OTHER_LENGTHS = {
    *("save", "savetxt", "savez", "savez_compressed"),
    *("concatenate", "concat", "hstack", "vstack", "dstack", "row_stack", "append"),
    *("array_split", "split", "hsplit", "vsplit", "dsplit"),
    *("diff", "pad", "delete", "insert", "repeat"),
}
ARGUMENTS = [
    *(({"x": x}, options) for x in ("X", "SQUARE", "ROW") for options in ({}, {"axis": 1})),
    *(({"x": "X"}, options) for options in ({"axis": None}, {"axis": -1})),
    *(({"x": "X", "y": y}, {}) for y in ("X", "ROW", "SQUARE", 1, 2, (4, 3, 2))),
    ({"x": "X", "y": 1, "z": 2}, {}),
    ({"x": "ROW", "y": "X"}, {}),
]


def numpy_functions():
    """Yield the functions of NumPy that tensors can override, and the methods of ufuncs."""
    for module in (np, np.linalg, np.fft):
        for name, function in vars(module).items():
            if isinstance(function, np.ufunc):
                yield function
                yield from (function.reduce, function.accumulate, function.outer)
            elif hasattr(function, "_implementation") and name not in OTHER_LENGTHS:
                yield function


def tensors_in(result):
    if isinstance(result, list | tuple):
        return [x for item in result for x in tensors_in(item)]
    return [result] if isinstance(result, Tensor) else []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tracked", [False, True], ids=["", "tracked"])
def test_no_numpy_function_puts_a_name_on_an_axis_of_another_length(tracked):
    lengths = {axis: length for axes in AXES.values() for axis, length in axes.items()}
    named = set()
    for function in numpy_functions():
        for names, options in ARGUMENTS:
            given = tensors(requires_grad=tracked)
            args = [getattr(given, x) if isinstance(x, str) else x for x in names.values()]
            try:
                results = tensors_in(function(*args, **options))
            except Exception:  # most functions do not take these arguments
                continue
            for x in results:
                if any(x is arg for arg in args):
                    continue  # the function wrote into an argument
                wrong = [n for n, k in zip(x.names, x.shape, strict=True) if n and lengths[n] != k]
                assert not wrong, (function, names, options, x.names, x.shape)
                if any(x.names):
                    named.add(function)
    assert len(named) > 150


def test_a_tensor_in_place_of_a_list_is_joined_along_its_slices():
    given = tensors()
    assert np.dstack(given.X).names == (None, None, None)
    assert np.dstack([given.X, given.X]).names == BTF


def test_the_results_are_those_without_names():
    unnamed = SimpleNamespace(**{name: x.rename(None) for name, x in vars(tensors()).items()})
    for call, _ in CALLS.values():
        if not {*BTF, "channel"}.intersection(re.findall(r"\w+", str(call.__code__.co_consts))):
            np.testing.assert_array_equal(call(tensors()).data, call(unnamed).data)


WRONG = {
    "another name": (lambda t: t.X + t.IMAGE[:, 0, :3, :4], ["'batch'", "'height'", "'time'"]),
    "another order": (lambda t: t.SQUARE * t.SQUARE.T, ["'row'", "'column'", "(3, 3)", "align_to"]),
    "one name on two axes": (
        lambda t: t.SQUARE.rename("row", None) + t.SQUARE[:, 0],
        ["'row'", "not the same axis"],
    ),
    "comparison": (lambda t: t.SQUARE < t.SQUARE.T, ["lt", "'row'"]),
    "np.arctan2": (lambda t: np.arctan2(t.SQUARE, t.SQUARE.T), ["arctan2", "'row'"]),
    "np.where": (lambda t: np.where(t.SQUARE > 1, t.SQUARE.T, 0), ["where", "'row'"]),
    "np.concatenate": (lambda t: np.concatenate([t.SQUARE, t.SQUARE.T]), ["concatenate", "'row'"]),
    "np.stack": (lambda t: np.stack([t.SQUARE, t.SQUARE.T]), ["stack", "'row'"]),
    "batches of matrices": (
        lambda t: t.X @ t.X.rename(batch="other").mT,
        ["matmul", "'batch'", "'other'"],
    ),
    "np.einsum": (lambda t: np.einsum("ij,ij", t.SQUARE, t.SQUARE.T), ["'i'", "'row'", "'column'"]),
    "unknown axis": (lambda t: t.X.sum("tim"), ["sum", "'tim'", "Did you mean 'time'?"]),
    "no names": (lambda t: Tensor([1.0]).sum("time"), ["sum", "'time'", "rename"]),
    "no names, by keyword": (lambda t: np.sort(Tensor([1.0]), axis="time"), ["sort", "'time'"]),
    "isel": (lambda t: t.X.isel(tim=0), ["isel", "'tim'", "'time'"]),
    "in place": (lambda t: operator.iadd(t.SQUARE, t.SQUARE.T), ["iadd", "'row'"]),
    "assignment": (
        lambda t: operator.setitem(t.X, 0, t.X[0].rename(time="t")),
        ["setitem", "'t'"],
    ),
}


@pytest.mark.parametrize(("call", "words"), WRONG.values(), ids=WRONG)
def test_a_mismatch_is_an_error_that_names_both_and_changes_nothing(call, words):
    given = tensors()
    with pytest.raises(NamesError) as raised:
        call(given)
    for word in words:
        assert word in str(raised.value)
    for name, x in vars(tensors()).items():
        changed = getattr(given, name)
        np.testing.assert_array_equal(changed.data, x.data)
        assert changed.names == x.names


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda t: t.X.sum(7), "axis 7"),
        (lambda t: t.X.sum("time", 1, 2, 3, 4, 5), "argument"),
        (lambda t: t.X.permute(0, 1), "axes"),
        (lambda t: t.X[0, 0, 0, 0], "indices"),
        (lambda t: t.X @ t.X, "matmul"),
        (lambda t: np.einsum("ij", t.X), "subscripts"),
        (lambda t: np.concatenate([t.X, t.ROW]), "dimension"),
        (lambda t: np.sort(t.X, axis=5), "axis 5"),
    ],
)
def test_other_errors_are_those_of_the_op(call, error):
    with pytest.raises((TypeError, ValueError, IndexError), match=error) as raised:
        call(tensors())
    assert not isinstance(raised.value, NamesError)


def test_an_op_in_place_gives_the_names_of_its_result_to_the_tensor():
    x = Tensor(np.zeros((2, 3)))
    x += Tensor(np.ones(3), names=("time",))
    assert x.names == (None, "time")
    x[0] = 5
    assert x.names == (None, "time")


def test_out_gets_the_names_of_the_result():
    t = tensors()
    out = Tensor(np.zeros((2, 3, 4)), names=("a", "b", "c"))
    assert np.add(t.X, t.ROW, out=out) is out
    assert out.names == BTF
    np.fft.fft(t.X.astype(np.complex128), out=(out := Tensor(t.X.astype(np.complex128))))
    assert out.names == (None, None, None)


def test_replacing_the_array_by_one_with_other_axes_removes_the_names():
    x = tensors().SQUARE
    x.data = np.zeros((2, 2))
    assert x.names == ("row", "column")
    x.data = np.zeros(3)
    assert x.names == (None,)
    assert (x + x).names == (None,)


def test_numpy_functions_that_combine_the_axes_in_their_own_way_run_without_names():
    x = Tensor(tensors().SQUARE, requires_grad=True)
    for found in (np.cov(x), np.corrcoef(x), np.kron(x, x), np.linalg.matrix_power(x, 3)):
        assert set(found.names) == {None}


def test_a_plugin_registers_rules_for_its_ops():
    def register_ops(ops):
        ops.add("cube", lambda x: x**3, method=True)
        ops.add("spread", lambda x, axis=None: np.ptp(x, axis), method=True)
        ops.add("unknown", lambda x: x + 1, method=True)

    def register_names(rules):
        rules.add("cube", elementwise)
        rules.add(["spread"], reduction)

    plugin = SimpleNamespace(
        tinytorch_register_ops=hookimpl(register_ops),
        tinytorch_register_names=hookimpl(register_names, optionalhook=True),
    )
    x = tensors().X
    plugins.register(plugin, name="cubes")
    try:
        assert x.cube().names == BTF
        assert x.spread("time").names == ("batch", "feature")
        assert x.unknown().names == (None, None, None)
    finally:
        plugins.unregister("cubes")


def test_names_of_arrays_and_numbers_are_none():
    assert names_of(np.zeros((2, 3))) == (None, None)
    assert names_of(1.0) == ()
