"""Descriptions for the conformance kit."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_devkit import Samples, call

Array = Any

_A = np.array([[0.31, -1.27, 2.05], [1.52, 0.23, -0.77]])
_B = np.array([[0.5, -0.3], [1.25, 0.41], [-0.72, 2.2]])
_SHAPES = [((2, 3), (3, 4)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((5, 2, 3), (3, 4))]
_STRAIGHT_THROUGH = "the gradient is straight-through, which is not the derivative of the rounding"


def describe(samples: Samples) -> None:
    """Describe every op of this plugin."""
    samples.add("amp_cast", lambda x, dtype: x.astype(dtype), calls=[call(_A, np.float64)])
    samples.refuse("amp_cast", TypeError, "floating dtype", _A, np.int64)
    for check in ("keeps_dtypes", "takes_half_precision", "varies_every_parameter"):
        samples.leave_out(check, "its parameter is the dtype of the result", "amp_cast")
    samples.leave_out("keeps_dtypes_of_gradients", "the description casts to float64", "amp_cast")
    samples.add("half_matmul", np.matmul, shapes=_SHAPES)
    samples.add(
        "quantize",
        _nearest,
        calls=[
            call(_A),
            call(_A, bits=4, scale=0.25),
            call(_A, 4, 0.25, 3),
            call(_A, scale=np.array([0.5, 0.1]), zero_point=np.array([2, -1]), axis=0),
            call(_A, axis=-1),
            call(_A, scale=0.1, signed=False),
        ],
    )
    samples.refuse("quantize", ValueError, "bits", _A, bits=1)
    samples.refuse("quantize", TypeError, "bits", _A, bits=2.5)
    samples.refuse("quantize", ValueError, "scale must be positive", _A, scale=0.0)
    samples.refuse("quantize", ValueError, "scale must be one number", _A, scale=np.ones(3))
    samples.refuse("quantize", ValueError, "axis", _A, axis=2)
    samples.refuse("quantize", TypeError, "zero_point", _A, zero_point=0.5)
    samples.refuse("quantize", ValueError, "zero_point", _A, zero_point=200)
    samples.refuse("quantize", TypeError, "floating-point", np.array([1, 2]))
    samples.add("quantized_matmul", _product, calls=[call(_A, _B), call(_A, _B, bits=4)])
    samples.refuse("quantized_matmul", ValueError, "bits", _A, _B, bits=17)
    for check in ("has_the_right_derivative", "has_the_right_second_derivative"):
        samples.leave_out(check, _STRAIGHT_THROUGH, "quantize", "quantized_matmul")


def _nearest(
    x: Array,
    bits: int = 8,
    scale: Any = None,
    zero_point: Any = 0,
    axis: int | None = None,
    signed: bool = True,
) -> Array:
    """Return for each number the nearest that is represented."""
    if axis is not None:
        given = [np.broadcast_to(np.array(v, object), x.shape[axis]) for v in (scale, zero_point)]
        rows = zip(np.moveaxis(x, axis, 0), *given, strict=True)
        found = [_nearest(row, bits, s, z, signed=signed) for row, s, z in rows]
        return np.moveaxis(np.array(found), 0, axis)
    integers = np.arange(2**bits) - (2 ** (bits - 1) if signed else 0)
    scale = np.abs(x).max() / integers[-1] if scale is None else scale
    represented = (integers - zero_point) * scale
    return represented[np.abs(x[..., None] - represented).argmin(-1)]


def _product(x: Array, y: Array, bits: int = 8) -> Array:
    return _nearest(x, bits) @ _nearest(y, bits, axis=-1)
