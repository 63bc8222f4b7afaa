"""Quantization: numbers rounded to multiples of a scale, with a straight-through gradient.

B. Jacob et al., 2018, "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", arXiv:1712.05877; the straight-through estimator is from
Y. Bengio et al., 2013, arXiv:1308.3432.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import op, unwrap

from tinytorch_amp.half import gradient_of_left, gradient_of_right

Array = Any


@op("quantize")
def quantize(
    x: Array,
    bits: int = 8,
    scale: Any = None,
    zero_point: Any = 0,
    axis: int | None = None,
    signed: bool = True,
) -> Array:
    """Return each number rounded to one that an integer of `bits` bits represents.

    The result is (q - zero_point) * scale with the integer q = round(x / scale) + zero_point,
    clipped to the range of the integers. Derivatives are straight-through: 1 where q was not
    clipped, 0 elsewhere. They take the scale as a constant.

    Args:
        x: a floating-point Tensor or array.
        bits: the number of bits of the integers, 2 to 16.
        scale: the distance of two numbers: one for all, or one for each index of `axis`. By
            default the smallest with which `x` is not clipped, for a zero point of 0.
        zero_point: the integer that represents 0, or one for each index of `axis`.
        axis: the axis whose indices, such as channels, have separate scales.
        signed: the integers are -2ⁿ⁻¹ to 2ⁿ⁻¹ - 1 for n bits; otherwise 0 to 2ⁿ - 1.

    Raises:
        TypeError: `x` is not floating-point, or `bits` or a zero point is not whole.
        ValueError: `bits`, `axis`, a scale or a zero point is out of range.

    >>> quantize(np.array([0.1, 0.26, 9.0]), bits=4, scale=0.25)
    array([0.  , 0.25, 1.75])
    """
    scale, zero_point = _parameters(x, bits, scale, zero_point, axis, signed)
    low, high = integer_range(bits, signed)
    q = np.clip(_unclipped(x, scale, zero_point), low, high)
    return (q - zero_point) * scale


def quantize_backward(
    grad: Array, x: Array, bits: int, scale: Any, zero_point: Any, axis: int | None, signed: bool
) -> Array:
    """dL/dx = g where x was not clipped, else 0."""
    scale, zero_point = _parameters(unwrap(x), bits, scale, zero_point, axis, signed)
    low, high = integer_range(bits, signed)
    q = _unclipped(unwrap(x), scale, zero_point)
    return grad * ((q >= low) & (q <= high))


def _unclipped(x: Array, scale: Array, zero_point: Array) -> Array:
    # Multiplied by 1 / scale, so that the results equal those of PyTorch.
    return np.rint(x * (1 / scale)) + zero_point


def integer_range(bits: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest integer.

    >>> integer_range(8, signed=True), integer_range(4, signed=False)
    ((-128, 127), (0, 15))

    Raises:
        TypeError: `bits` is not an integer.
        ValueError: it is not in 2 to 16.
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
        raise TypeError(f"bits must be an integer, not {type(bits).__name__}: {bits!r:.60}")
    if not 2 <= bits <= 16:
        raise ValueError(f"bits must be in 2 to 16, not {bits}")
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def _parameters(
    x: Array, bits: int, scale: Any, zero_point: Any, axis: int | None, signed: bool
) -> tuple[Array, Array]:
    """Return the scale and the zero point in the dtype of `x`, broadcastable to `x`."""
    low, high = integer_range(bits, signed)
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating-point, not {x.dtype}; convert it first")
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be an axis of x, whose shape is {x.shape}, not {axis}")
    zeros = np.asarray(zero_point)
    if (zeros != np.rint(zeros)).any():
        raise TypeError(f"zero_point must be whole, not {zero_point}")
    if ((zeros < low) | (zeros > high)).any():
        raise ValueError(f"zero_point must be in {low} to {high}, not {zero_point}")
    if scale is None:
        scale = _smallest_scale(x, high, axis)
    elif not ((scales := np.asarray(scale)) > 0).all() or not np.isfinite(scales).all():
        raise ValueError(f"scale must be positive, not {scale}")
    return _along(axis, x, scale, "scale"), _along(axis, x, zero_point, "zero_point")


def _smallest_scale(x: Array, high: int, axis: int | None) -> Array:
    others = None if axis is None else tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    largest = np.max(np.abs(x), axis=others, initial=0)
    return np.maximum(largest / high, np.finfo(x.dtype).tiny)  # all numbers may be 0


def _along(axis: int | None, x: Array, value: Any, name: str) -> Array:
    """Return one number, or one for each index of `axis`, in a shape that broadcasts to `x`."""
    is_array = hasattr(value, "__array_function__")
    numbers = (value if is_array else np.asarray(value)).astype(x.dtype)
    if numbers.ndim == 0:
        return numbers
    if axis is None or numbers.shape != (x.shape[axis],):
        wanted = "one number" if axis is None else f"one number, or {x.shape[axis]} for axis {axis}"
        raise ValueError(f"{name} must be {wanted}, not an array of shape {numbers.shape}")
    shape = [1] * x.ndim
    shape[axis] = len(numbers)
    return numbers.reshape(shape)


@op("quantized_matmul")
def quantized_matmul(x: Array, y: Array, bits: int = 8) -> Array:
    """Return the matrix product of the quantized inputs, multiplied as integers.

    `x` has one scale, and each column of `y` its own. The product of the integers is exact. The
    derivatives are those of `quantize(x, bits) @ quantize(y, bits, axis=-1)`: straight-through.

    Args:
        x, y: Tensors or arrays, with the shapes that `@` takes.
        bits: the number of bits of the integers, 2 to 16.

    Raises:
        TypeError: an input is not floating-point, or `bits` is not an integer.
        ValueError: `bits` is out of range, or the shapes do not fit.
    """
    p, p_scale = integers(x, bits)
    q, q_scale = integers(y, bits, _columns(y))
    # BLAS multiplies floats only. They hold these integers exactly up to 2**24 or 2**53.
    exact = np.float32 if x.shape[-1] * 4 ** (bits - 1) <= 2**24 else np.float64
    scale = p_scale * q_scale.reshape(-1) if y.ndim > 1 else p_scale * q_scale
    return ((p.astype(exact) @ q.astype(exact)) * scale).astype(np.result_type(x, y))


def integers(x: Array, bits: int = 8, axis: int | None = None) -> tuple[Array, Array]:
    """Return an array as integers and their scale: `x` is about `integers * scale`.

    Args:
        x: a floating-point array.
        bits: the number of bits.
        axis: the axis whose indices have separate scales.

    Returns:
        The integers, as int8 for up to 8 bits, else int16, and the scale, which broadcasts to `x`.

    >>> integers(np.array([0.5, -1.0, 0.25]), bits=4)
    (array([ 4, -7,  2], dtype=int8), array(0.14285714))
    """
    scale, _ = _parameters(x, bits, None, 0, axis, True)
    return np.rint(x * (1 / scale)).astype(np.int8 if bits <= 8 else np.int16), scale


def quantized_matmul_x(grad: Array, x: Array, y: Array, bits: int) -> Array:
    """dL/dx = g @ q(y)ᵀ."""
    return gradient_of_left(grad, x, quantize(y, bits, axis=_columns(y)), np.matmul)


def quantized_matmul_y(grad: Array, x: Array, y: Array, bits: int) -> Array:
    """dL/dy = q(x)ᵀ @ g."""
    return gradient_of_right(grad, quantize(x, bits), y, np.matmul)


def _columns(y: Array) -> int | None:
    return None if y.ndim == 1 else -1
