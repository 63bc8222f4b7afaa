"""What the losses accept, checked and brought to one form before an op runs.

The functions here work on arrays and on Tensors alike. What they convert stays tracked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

Array = Any


def floating(loss: str, input: Array) -> np.dtype[Any]:
    """The dtype of the input, which must be floating.

    Raises:
        TypeError: it is no Tensor or array, or holds other numbers.
    """
    dtype = getattr(input, "dtype", None)
    if dtype is None:
        raise TypeError(
            f"{loss} takes a Tensor or an array as input, not {type(input).__name__}: {input!r:.60}"
        )
    if dtype.kind != "f":
        raise TypeError(
            f"{loss} takes a floating input, not {dtype} of shape {input.shape}; "
            "convert it, for example with input.astype(np.float32)"
        )
    return dtype  # type: ignore[no-any-return]


def matched(loss: str, input: Array, target: Any) -> Array:
    """The target in the dtype of the input; its shape must be that of the input.

    Raises:
        TypeError: the input is not floating, or the target holds no real numbers.
        ValueError: the shapes differ. Broadcasting (N, 1) against (N,) would compare each
            prediction with every target.
    """
    target = real(loss, target, floating(loss, input))
    if target.shape != input.shape:
        raise ValueError(
            f"{loss}: the input has the shape {input.shape} and the target {target.shape}; "
            "they must be the same, so reshape one of them"
        )
    return target


def real(loss: str, target: Any, dtype: np.dtype[Any]) -> Array:
    """The target, of any kind, as a Tensor or an array of that dtype.

    Raises:
        TypeError: it holds no real numbers.
    """
    if not hasattr(target, "dtype"):
        try:
            return np.asarray(target, dtype=dtype)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{loss} takes numbers as target, not {type(target).__name__}: {target!r:.60}"
            ) from error
    if target.dtype == dtype:
        return target
    if target.dtype.kind not in "fiub":
        raise TypeError(f"{loss} takes a target of real numbers, not {target.dtype}")
    return target.astype(dtype)


def constant(loss: str, name: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """A weight as an array of that dtype, or None.

    Raises:
        ValueError: it is tracked: no gradient will reach it, and it shall not seem to be zero.
    """
    if value is None:
        return None
    if getattr(value, "requires_grad", False):
        raise ValueError(
            f"{name} of {loss} has no derivative, and the one given requires grad; "
            f"pass {name}.detach()"
        )
    value = unwrap(value)
    return value.astype(dtype) if hasattr(value, "astype") else np.asarray(value, dtype=dtype)


def broadcast_constant(
    loss: str, name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """A weight for each element, or None; it may be smaller, as long as it broadcasts to `shape`.

    Raises:
        ValueError: it does not, or it is tracked.
    """
    array = constant(loss, name, value, dtype)
    if array is None or array.shape == shape:
        return array
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} of {loss} has the shape {array.shape}, which does not broadcast to that of "
            f"the input, {shape}"
        )
    return array


def class_weight(loss: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A weight for each class of an input of `shape`, or None.

    Raises:
        ValueError: there are more or fewer of them than classes, or they are tracked.
    """
    if value is None:
        return None
    array = constant(loss, "weight", value, dtype)
    classes = class_count(loss, shape)
    if array.shape != (classes,):
        raise ValueError(
            f"weight of {loss} has the shape {array.shape}, and there are {classes} classes; "
            f"give one weight for each, of shape ({classes},)"
        )
    return array


def class_target(
    loss: str, target: Any, shape: tuple[int, ...], ignore_index: int
) -> tuple[Array, int | None]:
    """Class numbers for an input of `shape`, as an array, and `ignore_index`.

    The latter is None where no target has that value, so that nothing needs to be left out.

    Raises:
        TypeError: the target does not hold integers.
        ValueError: its shape does not fit, or the input has no class axis.
        IndexError: a class number lies outside of 0 to C - 1.
    """
    target = unwrap(target)
    if not hasattr(target, "dtype"):
        target = np.asarray(target)
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"{loss} takes class numbers of an integer dtype, not {target.dtype} of shape "
            f"{target.shape}; give a list, an integer array, or Tensor(data, dtype=np.int64)"
        )
    classes = class_count(loss, shape)
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if target.shape != expected:
        raise ValueError(
            f"{loss}: an input of shape {shape} needs class numbers of shape {expected}, and the "
            f"target has the shape {target.shape}"
        )
    if not target.size:
        return target, None
    # Read as unsigned, a negative number is a large one: one comparison serves both bounds.
    highest = target.view(f"u{target.dtype.itemsize}").max()
    if highest < classes and not 0 <= ignore_index < classes:
        return target, None
    ignored = target == ignore_index
    _check_range(loss, target, classes, ignored)
    return target, ignore_index if ignored.any() else None


def class_count(loss: str, shape: tuple[int, ...]) -> int:
    """The length of the class axis of an input: (C,), (N, C) or (N, C, d1, ...)."""
    if not shape:
        raise ValueError(
            f"{loss} takes an input with an axis of classes, (C,), (N, C) or (N, C, d1, ...), "
            "not a single number"
        )
    return shape[1] if len(shape) > 1 else shape[0]


def _check_range(loss: str, target: Array, classes: int, ignored: Array) -> None:
    wrong = ((target < 0) | (target >= classes)) & ~ignored
    if not wrong.any():
        return
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"[{', '.join(map(str, position))}]" if position else ""
    raise IndexError(
        f"{loss}: target{where} is {target[position]}, and there are {classes} classes, "
        f"numbered from 0 to {classes - 1}; correct the target, or mark what is to be left out "
        "with ignore_index"
    )
