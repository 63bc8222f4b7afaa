"""Checks and conversions of the arguments of losses, which run before the op.

Targets may be arrays or Tensors. Converting the dtype of a tracked Tensor keeps it tracked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import kernel, unwrap

Array = Any

# The unsigned dtypes by their size in bytes.
_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
# The maximum along an axis, without the overhead of the method.
_largest: Any = np.maximum.reduce


def check_constant(function: str, name: str, value: Any) -> None:
    """Raise TypeError if a parameter that gets no gradient requires grad."""
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{function} takes {name} as a constant, which gets no gradient, so it cannot require "
            f"grad; pass {name}.item()"
        )


def as_array(value: Any, dtype: Any = None) -> Array:
    """Return `value` unchanged if it is a Tensor or an array, otherwise as an array."""
    return value if hasattr(value, "astype") else np.asarray(value, dtype=dtype)


def check_floating(loss: str, input: Array) -> np.dtype[Any]:
    """Return the dtype of the input, which must be floating.

    Raises:
        TypeError: the input is not a Tensor or array, or its dtype is not floating.
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
    return dtype


def matching_target(loss: str, input: Array, target: Any, name: str = "target") -> Array:
    """Return the target in the dtype of the input, after checking that the shapes are equal.

    Args:
        loss: the name of the loss, for errors.
        input: the predictions.
        target: what they are compared with.
        name: the name of that argument, for errors.

    Raises:
        TypeError: the input is not floating, or the target does not hold real numbers.
        ValueError: the shapes differ. Broadcasting (N, 1) against (N,) would compare each
            prediction with every target.
    """
    target = real_target(loss, target, check_floating(loss, input), name)
    if target.shape != input.shape:
        raise ValueError(
            f"{loss}: the input has the shape {input.shape} and the {name} {target.shape}; "
            "they must be the same, so reshape one of them"
        )
    return target


def sign_target(
    loss: str,
    target: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    allowed: tuple[int, ...] = (1, -1),
) -> Array:
    """Return a target of numbers 1 and -1 as an array of `dtype`, after checking it.

    The values of another library's array are not checked, because they may not be known yet.

    Args:
        loss: the name of the loss, for errors.
        target: 1 or -1 for each element, as a Tensor, array, list or number.
        shape: the expected shape.
        dtype: the dtype of the input.
        allowed: the numbers that a target may be.

    Raises:
        TypeError: the target does not hold real numbers.
        ValueError: a number is not allowed, the shape differs, or the target requires grad.
    """
    if getattr(target, "requires_grad", False):
        raise ValueError(
            f"{loss} is not differentiable with respect to the target, but the target requires "
            "grad; pass target.detach()"
        )
    array = real_target(loss, unwrap(target), dtype)
    if array.shape != shape:
        raise ValueError(
            f"{loss} needs a target of shape {shape} for this input, but the target has the shape "
            f"{array.shape}"
        )
    invalid = array != allowed[0]
    for number in allowed[1:]:
        invalid = invalid & (array != number)
    if is_true(invalid):
        raise ValueError(
            f"{loss} takes targets {', '.join(map(str, allowed[:-1]))} and {allowed[-1]}, but "
            f"{first_element('target', array, invalid)}; for labels 0 and 1 pass 2 * labels - 1"
        )
    return array


def real_target(loss: str, target: Any, dtype: np.dtype[Any], name: str = "target") -> Array:
    """Return the target as a Tensor or an array of `dtype`.

    Raises:
        TypeError: the target does not hold real numbers.
    """
    try:
        target = as_array(target, dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{loss} takes numbers as {name}, not {type(target).__name__}: {target!r:.60}"
        ) from error
    if target.dtype == dtype:
        return target
    if target.dtype.kind not in "fiub":
        raise TypeError(f"{loss} takes a {name} of real numbers, not {target.dtype}")
    return target.astype(dtype)


def constant_weight(loss: str, name: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """Return a weight as an array of `dtype`.

    Raises:
        ValueError: the weight requires grad. Losses are not differentiable with respect to
            weights, and a missing gradient could be mistaken for 0.
    """
    if getattr(value, "requires_grad", False):
        raise ValueError(
            f"{loss} is not differentiable with respect to {name}, but {name} requires grad; "
            f"pass {name}.detach()"
        )
    return as_array(unwrap(value), dtype).astype(dtype)


def element_weight(
    loss: str, name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return a weight that broadcasts to `shape` as an array of `dtype`, or None for None.

    Raises:
        ValueError: the weight does not broadcast to `shape`, or requires grad.
    """
    if value is None:
        return None
    array = constant_weight(loss, name, value, dtype)
    if array.shape == shape:
        return array
    try:
        broadcasts = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        broadcasts = False
    if not broadcasts:
        raise ValueError(
            f"{name} of {loss} has the shape {array.shape}, which does not broadcast to the shape "
            f"of the input, {shape}; reshape the weight"
        )
    return array


def class_weight(loss: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a weight for each class as an array of `dtype` and shape (C,), or None for None.

    Args:
        loss: the name of the loss, for errors.
        value: the weights.
        shape: the shape of the input.
        dtype: the dtype of the input.

    Raises:
        ValueError: the number of weights differs from the number of classes, or they require grad.
    """
    if value is None:
        return None
    array = constant_weight(loss, "weight", value, dtype)
    classes = class_count(loss, shape)
    if array.shape != (classes,):
        raise ValueError(
            f"weight of {loss} has the shape {array.shape}, but the input has {classes} classes; "
            f"pass one weight for each class, of shape ({classes},)"
        )
    return array


def class_target(
    loss: str, target: Any, shape: tuple[int, ...], ignore_index: int, alternative: str = ""
) -> tuple[Array, int | None]:
    """Return the class numbers as an array, and `ignore_index` or None if no target equals it.

    The values of another library's array are not checked, because they may not be known yet.

    Args:
        loss: the name of the loss, for errors.
        target: whole numbers of shape (), (N,) or (N, d1, ...), of an integer or floating dtype.
        shape: the shape of the input: (C,), (N, C) or (N, C, d1, ...).
        ignore_index: the target value to ignore. It may be outside 0 to C - 1.
        alternative: what the loss accepts besides class numbers, for errors.

    Raises:
        TypeError: the target does not hold numbers.
        ValueError: a target is not whole, the targets require grad, their shape does not fit, or
            the input has no class axis.
        IndexError: a class number is outside 0 to C - 1.
    """
    given, target = target, as_array(unwrap(target))
    kind = target.dtype.kind
    if kind not in "iuf":
        raise TypeError(
            f"{loss} takes class numbers, not {target.dtype} of shape {target.shape}; pass a "
            "list, an integer array, or a Tensor"
        )
    classes = class_count(loss, shape)
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if target.shape != expected:
        raise ValueError(
            f"{loss}: an input of shape {shape} needs class numbers of shape {expected}"
            f"{alternative}, but the target has the shape {target.shape}"
        )
    if kind == "f":
        target = _whole_numbers(loss, given, target)
    return target, ignore_index if _may_be_ignored(loss, target, classes, ignore_index) else None


@kernel("target")
def _may_be_ignored(loss: str, target: Array, classes: int, ignore_index: int) -> bool:
    """Return whether a target may equal `ignore_index`, after checking that the others are valid.

    True for an array of another library, whose values may not be known yet.
    """
    if not isinstance(target, (np.ndarray, np.generic)):
        return True
    if not target.size:
        return False
    # As unsigned integers, negative numbers are large, so one comparison checks both bounds.
    highest = _largest(target.view(_UNSIGNED[target.dtype.itemsize]), None)
    if highest < classes and not 0 <= ignore_index < classes:
        return False
    ignored = target == ignore_index
    _check_range(loss, target, classes, ignored)
    return bool(ignored.any())


def _whole_numbers(loss: str, given: Any, target: Array) -> Array:
    """Return a floating target as integers after checking that this changes no value."""
    if getattr(given, "requires_grad", False):
        raise ValueError(
            f"{loss} is not differentiable with respect to class numbers, but the target requires "
            "grad; pass target.detach()"
        )
    return _integers(loss, target)


@kernel("target")
def _integers(loss: str, target: Array) -> Array:
    """Return whole numbers as integers after checking them, unless they may not be known yet."""
    with np.errstate(invalid="ignore"):  # NaN and infinity, which the comparison finds
        numbers = target.astype(np.int64)
    invalid = numbers != target
    if is_true(invalid):
        raise ValueError(
            f"{loss}: {first_element('target', target, invalid)}, but class numbers must be whole"
        )
    return numbers


def class_count(loss: str, shape: tuple[int, ...]) -> int:
    """Return the length of the class axis of an input of shape (C,), (N, C) or (N, C, d1, ...).

    Raises:
        ValueError: the shape is ().
    """
    if not shape:
        raise ValueError(
            f"{loss} takes an input with a class axis, (C,), (N, C) or (N, C, d1, ...), "
            "not a single number"
        )
    return shape[1] if len(shape) > 1 else shape[0]


def _check_range(loss: str, target: Array, classes: int, ignored: Array) -> None:
    invalid = ((target < 0) | (target >= classes)) & ~ignored
    if invalid.any():
        raise IndexError(
            f"{loss}: {first_element('target', target, invalid)}, but class numbers must be from "
            f"0 to {classes - 1}, because the input has {classes} classes; correct the target, or "
            "mark predictions to leave out with the value of ignore_index"
        )


def is_true(mask: Array) -> bool:
    """Return whether an element of a mask is true; False if the values may not be known yet."""
    return isinstance(mask, (np.ndarray, np.generic)) and bool(mask.any())


def first_element(name: str, array: Array, mask: Array) -> str:
    """Return "name[index] is value" for the first element where `mask` is true, for an error."""
    index = tuple(int(i) for i in np.argwhere(mask)[0])
    subscript = f"[{', '.join(map(str, index))}]" if index else ""
    return f"{name}{subscript} is {array[index]}"
