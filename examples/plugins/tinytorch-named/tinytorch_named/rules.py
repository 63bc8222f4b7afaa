"""The rules: for each op that propagates names, a function that returns the names of the result.

A rule takes the `Arguments` of a call, before the op runs. It returns None if the names cannot be
known. A result whose number of axes differs from the number of names does not get them, so rules
need not treat options that flatten the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinytorch_core import Op, Tensor

from tinytorch_named.arguments import Arguments
from tinytorch_named.names import Names, NamesError, broadcast, names_of, without_repeated

Rule = Callable[[Arguments], Names | None]


def elementwise(a: Arguments) -> Names:
    """The inputs broadcast; axes that meet must have the same name, or one has none."""
    return broadcast(a.op.name, a.arrays)


def same_axes(a: Arguments) -> Names:
    """The result has the axes of the first input."""
    return a.names()


def where(a: Arguments) -> Names | None:
    """Elementwise; with a condition alone, the function returns indices."""
    return elementwise(a) if len(a.inputs) == 3 else None


def filled(a: Arguments) -> Names | None:
    """The axes of the first input, unless another shape is given."""
    return a.names() if a.get("shape") is None else None


def reduction(a: Arguments, default: Any = None) -> Names:
    """The axes in `axis` are left out, or kept with `keepdims`; all of them by default."""
    return _reduced(a, a.get("axis", default))


def _reduced(a: Arguments, axis: Any) -> Names:
    names = a.names()
    if a.get("keepdims", False):
        return names
    dropped = range(len(names)) if axis is None else _numbers(axis, len(names))
    return tuple(name for i, name in enumerate(names) if i not in dropped)


def _numbers(axis: Any, ndim: int) -> list[int]:
    """Return axes as non-negative numbers; IndexError if one does not exist."""
    return [range(ndim)[int(i)] for i in (axis if isinstance(axis, tuple | list) else (axis,))]


def quantile(a: Arguments) -> Names:
    """As a reduction, with the axes of `q` in front."""
    return (None,) * np.ndim(a.inputs[1]) + reduction(a)


def matmul(a: Arguments) -> Names:
    """The rows of the first and the columns of the second input.

    The names of the axes that are summed over may differ, as in PyTorch.
    """
    x, y = a.names(), a.names(1)
    batch = broadcast(a.op.name, a.inputs[:2], [x[:-2], y[:-2]])
    return without_repeated([*batch, *x[-2:-1], *(y[-1:] if len(y) > 1 else ())])


def dot(a: Arguments) -> Names:
    """All axes but the last of the first, and the second-to-last of the second input."""
    x, y = a.names(), a.names(1)
    if not x or not y:
        return x or y
    return without_repeated([*x[:-1], *y[:-2], *(y[-1:] if len(y) > 1 else ())])


def inner(a: Arguments) -> Names:
    """All axes but the last of both inputs."""
    return without_repeated([*a.names()[:-1], *a.names(1)[:-1]])


def outer(a: Arguments) -> Names:
    """The axes of both inputs."""
    return without_repeated([*a.names(), *a.names(1)])


def tensordot(a: Arguments) -> Names:
    """The axes of both inputs that are not summed over."""
    x, y, axes = a.names(), a.names(1), a.get("axes", 2)
    if isinstance(axes, int):
        return without_repeated([*x[: len(x) - axes], *y[axes:]])
    of_x, of_y = _numbers(axes[0], len(x)), _numbers(axes[1], len(y))
    rest = [name for i, name in enumerate(x) if i not in of_x]
    return without_repeated([*rest, *(name for i, name in enumerate(y) if i not in of_y)])


def einsum(a: Arguments) -> Names | None:
    """Each letter has the name of the axes that it stands for, which must agree."""
    subscripts, *operands = a.args
    if not isinstance(subscripts, str) or "." in subscripts:
        return None
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    letters = inputs.replace(",", "")
    found: dict[str, str] = {}
    for terms, x in zip(inputs.split(","), operands, strict=True):
        for letter, name in zip(terms, names_of(x), strict=True):
            if name is not None and found.setdefault(letter, name) != name:
                raise NamesError(
                    f"einsum {subscripts!r}: {letter!r} is the axis {found[letter]!r} of one "
                    f"operand and {name!r} of another. Use different letters, or rename()"
                )
    if not arrow:
        output = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return without_repeated([found.get(letter) for letter in output])


def linear(a: Arguments) -> Names:
    """All axes but the last of the input, and the columns of the weight."""
    return without_repeated([*a.names()[:-1], *a.names(1)[1:]])


def convolution(a: Arguments) -> Names:
    """The axes of the image; the channels are new."""
    x = a.names()
    return (*x[:-3], None, *x[-2:])


def solve(a: Arguments) -> Names | None:
    """The columns of the matrix, and those of the right-hand side."""
    x, y = a.names(), a.names(1)
    return without_repeated([x[1], *y[1:]]) if len(x) == 2 else None


def transposed(a: Arguments) -> Names:
    """The last two axes are swapped; the inverse of a matrix has the rows of its columns."""
    *batch, row, column = a.names()
    return (*batch, column, row)


def permute(a: Arguments) -> Names:
    """The axes in another order, by default reversed."""
    names, axes = a.names(), a.get("axes")
    return names[::-1] if axes is None else tuple(names[i] for i in axes)


def swapaxes(a: Arguments) -> Names:
    """Two axes are swapped."""
    names = list(a.names())
    i, j = a.get("axis1"), a.get("axis2")
    names[i], names[j] = names[j], names[i]
    return tuple(names)


def moveaxis(a: Arguments) -> Names:
    """Some axes are moved; the others keep their order."""
    names = a.names()
    source, target = (_numbers(a.get(x), len(names)) for x in ("source", "destination"))
    order = [i for i in range(len(names)) if i not in source]
    for to, of in sorted(zip(target, source, strict=True)):
        order.insert(to, of)
    return tuple(names[i] for i in order)


def reshape(a: Arguments) -> Names | None:
    """Known only if the shape stays the same."""
    shape = a.get("shape", a.get("newshape"))
    same = tuple(np.atleast_1d(shape)) == tuple(a.inputs[0].shape)
    return a.names() if same else None


def broadcast_to(a: Arguments) -> Names:
    """New axes come first."""
    added = np.size(a.get("shape")) - len(a.names())
    return (*(None,) * added, *a.names())


def squeeze(a: Arguments) -> Names:
    """The axes of length 1, or those in `axis`, are left out."""
    axis, shape = a.get("axis"), a.x.shape
    return _reduced(a, tuple(i for i, n in enumerate(shape) if n == 1) if axis is None else axis)


def expand_dims(a: Arguments) -> Names:
    """New axes at the positions in `axis`."""
    axis = a.get("axis")
    ndim = len(a.names()) + np.size(axis)
    new, rest = _numbers(axis, ndim), iter(a.names())
    return tuple(None if i in new else next(rest) for i in range(ndim))


def concatenate(a: Arguments) -> Names | None:
    """The inputs have the same axes."""
    slices = len(a.inputs) == 1 and isinstance(a.args[0], Tensor)  # those of one tensor
    return None if slices else broadcast(a.op.name, a.inputs)


def append(a: Arguments) -> Names:
    """The two inputs have the same axes."""
    return broadcast(a.op.name, a.inputs[:2])


def stack(a: Arguments) -> Names:
    """The axes of the inputs, and a new one."""
    names = list(broadcast(a.op.name, a.inputs))
    names.insert(range(len(names) + 1)[a.get("axis", 0)], None)
    return tuple(names)


def unstack(a: Arguments) -> Names:
    """Each result lacks one axis."""
    return _reduced(a, a.get("axis", 0))


def trace(a: Arguments) -> Names:
    """Two axes are summed over."""
    return _reduced(a, (a.get("axis1", 0), a.get("axis2", 1)))


def diagonal(a: Arguments) -> Names:
    """The diagonal of two axes is a new axis, the last one."""
    return (*trace(a), None)


def take(a: Arguments) -> Names | None:
    """As indexing one axis."""
    axis = a.get("axis")
    if axis is None:
        return None
    i = _numbers(axis, len(a.names()))[0]
    return indexed(a.names(), (*[slice(None)] * i, a.inputs[1]))


def getitem(a: Arguments) -> Names | None:
    """The axes that the index keeps."""
    return indexed(a.names(), a.args[1])


def setitem(a: Arguments) -> Names:
    """The value must fit the axes that the index selects."""
    target = getitem(a)
    if target is not None:
        broadcast("setitem", [a.x, a.args[2]], [target, names_of(a.args[2])])
    return a.names()


def indexed(names: Names, index: Any) -> Names | None:
    """Return the names of the axes of `x[index]`, or None if they are unknown.

    >>> indexed(("batch", "time", "feature"), (0, slice(2), None))
    ('time', None, 'feature')
    >>> indexed(("batch", "time"), [2, 0])
    ('batch', 'time')
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    skipped = len(names) - sum(_axes_taken(part) for part in parts)
    for i in [i for i, part in enumerate(parts) if part is Ellipsis]:
        parts[i : i + 1] = [slice(None)] * skipped
    numbers = [part for part in parts if isinstance(part, int | np.integer)]
    arrays = [part for part in parts if not isinstance(part, int | slice | None | np.integer)]
    if len(arrays) > 1 or (arrays and numbers) or any(_is_truth_value(part) for part in parts):
        return None  # NumPy may move the axes of several indices to the front
    result: list[str | None] = []
    rest = list(names)
    for part in parts:
        here = [rest.pop(0) for _ in range(_axes_taken(part))]
        if part is None:
            result.append(None)
        elif isinstance(part, slice):
            result += here
        elif not isinstance(part, int | np.integer):
            shape = getattr(part, "shape", None) or np.shape(part)
            ndim = 1 if _is_mask(part) else len(shape)
            result += here if len(here) == ndim == 1 else [None] * ndim
    return (*result, *rest)


def _axes_taken(part: Any) -> int:
    """Return how many axes of the tensor one part of an index stands for."""
    if part is None or part is Ellipsis or _is_truth_value(part):
        return 0
    return part.ndim if _is_mask(part) else 1


def _is_truth_value(part: Any) -> bool:
    return isinstance(part, bool | np.bool_)


def _is_mask(part: Any) -> bool:
    return getattr(getattr(part, "dtype", None), "kind", None) == "b" and part.ndim > 0


def _each(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


def _default_axis(axis: int) -> Rule:
    return lambda a: reduction(a, axis)


def _batch(rest: Names) -> Rule:
    return lambda a: (*a.names()[:-2], *rest)


# By the name of the op; that of a NumPy function is its name without `np.`.
RULES: dict[str, Rule] = {
    **_each(
        """
        clip real imag astype copy round around fix angle real_if_close nan_to_num isclose sinc i0
        iadd isub imul idiv ifloordiv imod ipow ibitwise_and ibitwise_or ibitwise_xor
        relu leaky_relu elu sigmoid silu softplus erf gelu dropout
        mse_loss l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
        """,
        elementwise,
    ),
    **_each(
        """
        softmax log_softmax layer_norm batch_norm max_pool2d avg_pool2d ravel
        cumsum cumprod cumulative_sum cumulative_prod nancumsum nancumprod ufunc.accumulate
        sort argsort partition argpartition flip flipud fliplr roll repeat pad delete insert diff
        gradient tril triu take_along_axis unwrap isin fft.fftshift fft.ifftshift
        split array_split hsplit vsplit dsplit
        """,
        same_axes,
    ),
    **_each(
        """
        sum mean prod max min var std argmax argmin all any ptp median average count_nonzero
        amax amin nansum nanmean nanprod nanmax nanmin nanvar nanstd nanmedian nanargmax nanargmin
        linalg.norm linalg.vector_norm
        """,
        reduction,
    ),
    **_each("full_like zeros_like ones_like empty_like", filled),
    **_each("ufunc.reduce", _default_axis(0)),
    **_each("trapezoid", _default_axis(-1)),
    **_each("percentile quantile nanpercentile nanquantile", quantile),
    **_each("matmul imatmul linalg.matmul", matmul),
    **_each("inner", inner),
    **_each("outer linalg.outer ufunc.outer", outer),
    **_each("tensordot linalg.tensordot", tensordot),
    **_each("linalg.inv linalg.pinv matrix_transpose linalg.matrix_transpose", transposed),
    **_each("linalg.det linalg.slogdet", _batch(())),
    **_each("linalg.eigvals linalg.eigvalsh linalg.svdvals", _batch((None,))),
    **_each("linalg.cholesky", lambda a: (*a.names()[:-1], None)),
    **_each("append", append),
    **_each("concatenate hstack vstack dstack", concatenate),
    "dot": dot,
    "einsum": einsum,
    "linear": linear,
    "conv2d": convolution,
    "linalg.solve": solve,
    "permute": permute,
    "swapaxes": swapaxes,
    "moveaxis": moveaxis,
    "reshape": reshape,
    "broadcast_to": broadcast_to,
    "squeeze": squeeze,
    "expand_dims": expand_dims,
    "stack": stack,
    "unstack": unstack,
    "trace": trace,
    "where": where,
    "diagonal": diagonal,
    "take": take,
    "getitem": getitem,
    "setitem": setitem,
}


class Rules(dict[str, Rule]):
    """The rules of one surface, by the name of the op. `tinytorch_register_names` receives it."""

    def __init__(self) -> None:
        super().__init__(RULES)

    def add(self, names: str | Iterable[str], rule: Rule) -> None:
        """Add or replace the rule of an op, or of several.

        Args:
            names: the name of an op, or several names.
            rule: takes the `Arguments` of a call, and returns the names of the result, or None
                if they are unknown; `elementwise`, `same_axes`, `reduction`, or a function.
        """
        self.update(dict.fromkeys([names] if isinstance(names, str) else names, rule))

    def of(self, op: Op) -> Rule | None:
        """Return the rule of an op, or None if nothing is known about it."""
        rule = self.get(op.name.removeprefix("np.") if op.numpy_call else op.name)
        for function in op.numpy:
            owner = getattr(function, "__self__", None)
            if rule is None and isinstance(owner, np.ufunc):
                rule = self.get(f"ufunc.{function.__name__}")
            if rule is None and isinstance(function, np.ufunc) and function.signature is None:
                rule = elementwise
        return rule
