"""The kernels of TinyTorch for which XLA has a better function than the NumPy calls in them.

A kernel is named by its module and function, so that this module imports none of their plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import sum_into_rows

from tinytorch_xla import pooling_kernels, recurrence_kernels
from tinytorch_xla.array import Array, unwrapped, wrapped
from tinytorch_xla.checks import holds
from tinytorch_xla.convolution_kernels import adjoint, convolve, convolve_transposed, correlate
from tinytorch_xla.engine import in_64_bits, is_traced, jax, jnp

Kernel = Callable[..., Any]


def call_kernel(kernel: Any, args: tuple[Any, ...]) -> Any:
    """Return the result of a kernel, or NotImplemented if its NumPy calls are to run."""
    name = f"{kernel.__module__}.{kernel.__name__}"
    if name in _VALID:
        return _checked(kernel, _VALID[name], args)
    like = _LIKE.get(name)
    own = _KERNELS.get(name) if like is None else _computed(_on_processor(kernel, like))
    return NotImplemented if own is None else own(*args)


def _computed(function: Kernel) -> Kernel:
    """Return a kernel that gets arrays of JAX, and returns them as arrays of ours."""

    @in_64_bits
    def run(*args: Any) -> Any:
        found = function(*map(unwrapped, args))
        return found if found is NotImplemented else wrapped(found)

    return run


def _erf(x: Any) -> Any:
    return jax.scipy.special.erf(x if x.dtype.kind == "f" else x.astype(float))


def _reduced(x: Any, windows: Any, start: float, combine: Any) -> Any:
    top, bottom, left, right = windows.padding
    return jax.lax.reduce_window(
        x,
        x.dtype.type(start),
        combine,
        (1, 1, *windows.kernel),
        (1, 1, *windows.stride),
        ((0, 0), (0, 0), (top, bottom), (left, right)),
        window_dilation=(1, 1, *windows.dilation),
    )


def _maxima(x: Any, windows: Any) -> Any:
    windows.size("max_pool2d", x.shape[2:])
    if x.dtype.kind != "f" or not x.size:
        return NotImplemented
    if pooling_kernels.is_simple(windows, x.shape[2:]):
        return pooling_kernels.maxima(x, windows)
    return _reduced(x, windows, -math.inf, jax.lax.max)


def _if_simple(function: Kernel) -> Kernel:
    """Return a kernel of max pooling that runs for windows side by side only."""

    def run(values: Any, x: Any, largest: Any, windows: Any) -> Any:
        is_simple = x.size and pooling_kernels.is_simple(windows, x.shape[2:])
        return function(values, x, largest, windows) if is_simple else NotImplemented

    return run


def _sums(x: Any, windows: Any) -> Any:
    return _reduced(x, windows, 0.0, jax.lax.add)


def _average(x: Any, windows: Any) -> Any:
    windows.size("avg_pool2d", x.shape[2:])
    if x.dtype.kind != "f" or not x.size:
        return NotImplemented
    return _sums(x, windows) * (1 / math.prod(windows.kernel))


def _spread(values: Any, image: Any, windows: Any) -> Any:
    if values.dtype.kind != "f" or not values.size:
        return NotImplemented
    values = values * (1 / math.prod(windows.kernel))
    return adjoint(lambda x: _sums(x, windows), (*values.shape[:2], *image), values)


def _sum_into_rows(values: Any, numbers: Any, count: int) -> Any:
    values = jnp.asarray(values)
    return jnp.zeros((count, values.shape[1]), values.dtype).at[numbers].add(values)


def _summed_at(x: Any, index: Any, shape: Any) -> Any:
    x = jnp.asarray(x)
    index = tuple(index) if isinstance(index, list) else index
    return jnp.zeros(shape, x.dtype).at[index].add(x)


@in_64_bits
def _is_finite(array: Any) -> Any:
    if not (isinstance(array, Array) and is_traced(array.value)):
        return NotImplemented
    return holds(array.value, jnp.isfinite) or NotImplemented


@in_64_bits
def _checked(kernel: Any, valid: Kernel, args: tuple[Any, ...]) -> Any:
    """Check class numbers, indices and the like, and let the NumPy calls of the kernel run.

    They skip the check, as for every array whose values may not be known yet.
    """
    position = next(i for i, a in enumerate(args) if isinstance(a, Array))
    before, value, after = args[:position], args[position].value, args[position + 1 :]
    if is_traced(value):
        tells = kernel.__name__ in _TELL
        holds(
            value,
            lambda x: valid(*before, x, *after),
            lambda x: kernel(*before, x, *after) is not False or not tells,
        )
    else:
        kernel(*before, np.asarray(value), *after)  # it raises the usual error
    return NotImplemented


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    return jax.scipy.special.logsumexp(jnp.asarray(a), axis=axis, b=b, keepdims=keepdims)


def _convolve_signals(x: Any, y: Any, mode: str = "full", method: str = "auto") -> Any:
    return jax.scipy.signal.convolve(jnp.asarray(x), jnp.asarray(y), mode=mode)


def _on_processor(kernel: Any, like: int) -> Kernel:
    """Return a kernel that runs on the processor, also inside of a compiled step.

    Args:
        kernel: the kernel.
        like: the position of the argument of which the result has the shape and dtype.
    """

    def run(*args: Any) -> Any:
        places = [i for i, a in enumerate(args) if hasattr(a, "shape")]
        given = list(args)

        def compute(*arrays: Any) -> Any:
            for i, array in zip(places, arrays, strict=True):
                given[i] = np.asarray(array)
            return np.asarray(kernel(*given)).astype(args[like].dtype)

        shape = jax.ShapeDtypeStruct(args[like].shape, args[like].dtype)
        arrays = [args[i] for i in places]
        return jax.pure_callback(compute, shape, *arrays, vmap_method="sequential")

    return run


_FUNCTIONAL = "tinytorch_layers.functional"
_KERNELS: dict[str, Kernel] = {
    "tinytorch_activations.functional.error_function.erf": _computed(_erf),
    f"{_FUNCTIONAL}.convolution.convolve": _computed(convolve),
    f"{_FUNCTIONAL}.convolution.convolve_transposed": _computed(convolve_transposed),
    f"{_FUNCTIONAL}.convolution.correlate": _computed(correlate),
    f"{_FUNCTIONAL}.pooling.maxima": _computed(_maxima),
    f"{_FUNCTIONAL}.pooling.unpool": _computed(_if_simple(pooling_kernels.unpool)),
    f"{_FUNCTIONAL}.pooling.select": _computed(_if_simple(pooling_kernels.select)),
    f"{_FUNCTIONAL}.pooling.average": _computed(_average),
    f"{_FUNCTIONAL}.pooling.spread": _computed(_spread),
    f"{_FUNCTIONAL}.recurrence.run": _computed(recurrence_kernels.run),
    f"{_FUNCTIONAL}.recurrence.run_back": _computed(recurrence_kernels.run_back),
    "tinytorch_training.finite.is_finite": _is_finite,
    "tinytorch_special.logistic.logsumexp": _computed(_logsumexp),
    "tinytorch_special.signal.convolve": _computed(_convolve_signals),
    f"{sum_into_rows.__module__}.sum_into_rows": _computed(_sum_into_rows),
    "tinytorch_autograd.rules.shapes._summed_at": _computed(_summed_at),
}

# Kernels that check values, with functions of the same arguments that return which are valid.
_VALID: dict[str, Kernel] = {
    f"{_FUNCTIONAL}.lookup._check_range": lambda owner, x, count: (x >= 0) & (x < count),
    "tinytorch_losses.arguments._may_be_ignored": lambda loss, x, classes, ignored: (
        ((x >= 0) & (x < classes)) | (x == ignored)
    ),
    "tinytorch_losses.arguments._integers": lambda loss, x: x == x // 1,
    "tinytorch_losses.binary._from_zero_to_one": lambda x, tolerance: (
        (x >= -tolerance) & (x <= 1 + tolerance)
    ),
}
# Those that return whether the values are valid; the others raise an error if they are not.
_TELL = {"_from_zero_to_one"}

# Kernels of SciPy that JAX lacks, with the argument of which the result has the shape.
_LIKE = {
    "tinytorch_special.linalg.sqrtm": 0,
    "tinytorch_special.linalg.solve_sylvester": 2,
    "tinytorch_special.linalg.solve_banded": 2,
}

Array.call_kernel = staticmethod(call_kernel)
