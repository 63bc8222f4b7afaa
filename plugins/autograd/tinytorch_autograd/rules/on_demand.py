"""The families that are imported when one of their NumPy functions first gets a tracked tensor.

Importing all of them would take longer than importing the rest of autograd. `family_of` looks a
function up in an index and imports only the module of its family.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from tinytorch_core.extend import fork_safe_lock

from tinytorch_autograd.rules.family import Family

# The functions of each module by their dotted names below `numpy`. "ufunc.reduce" is the method of
# all ufuncs, and "ufunc.__call__" the call of a ufunc with options such as dtype=. `contract`,
# `sinc_derivative` and `i0_derivative` are functions of the module itself.
INDEX = {
    "numbers": """
        angle arctan2 cbrt copysign deg2rad degrees fabs float_power fmax fmin fmod heaviside hypot
        ldexp logaddexp2 rad2deg radians real_if_close sign
    """,
    "rounding": "around divmod fix frexp modf nan_to_num nextafter round spacing unwrap",
    "special": "i0 i0_derivative sinc sinc_derivative",
    "ufuncs": "ufunc.__call__ ufunc.accumulate ufunc.outer ufunc.reduce ufunc.reduceat",
    "whole_reductions": "amax amin max mean min prod ptp std sum var",
    "nan_functions": """
        nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum nanvar
    """,
    "statistics": """
        average corrcoef cov median nanmedian nanpercentile nanquantile percentile quantile
    """,
    "accumulations": "cumprod cumsum cumulative_prod cumulative_sum",
    "differences": "diff ediff1d gradient interp trapezoid",
    "polynomials": """
        poly polyadd polyder polyfit polyint polymul polysub polyval roots vander
    """,
    "rearranging": """
        atleast_1d atleast_2d atleast_3d block broadcast_arrays delete diag diagflat diagonal flip
        fliplr flipud insert meshgrid moveaxis ravel repeat reshape resize roll rollaxis rot90
        sliding_window_view take_along_axis tile trace tril triu
    """,
    "padding": "pad",
    "concatenation": "append column_stack concatenate dstack hstack stack vstack",
    "splitting": "array_split dsplit hsplit split unstack vsplit",
    "sorting": "partition sort sort_complex",
    "selecting": """
        apply_along_axis apply_over_axes choose compress extract piecewise select take trim_zeros
        union1d unique unique_all unique_counts unique_inverse unique_values
    """,
    "converting": "arange astype bincount copy full full_like geomspace linspace logspace",
    "histograms": "histogram histogram2d histogramdd",
    "products": """
        convolve correlate cross dot inner kron linalg.cross linalg.diagonal linalg.matmul
        linalg.matrix_transpose linalg.multi_dot linalg.outer linalg.tensordot linalg.trace
        linalg.vecdot matrix_transpose matvec outer tensordot vdot vecdot vecmat
    """,
    "einsum": "contract einsum",
    "inverses": """
        linalg.det linalg.inv linalg.lstsq linalg.matrix_power linalg.pinv linalg.slogdet
        linalg.solve linalg.tensorinv linalg.tensorsolve
    """,
    "triangular": "linalg.cholesky linalg.qr",
    "spectra": """
        linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.svd linalg.svdvals
    """,
    "norms": "linalg.cond linalg.matrix_norm linalg.matrix_rank linalg.norm linalg.vector_norm",
    "fourier": """
        fft.fft fft.fft2 fft.fftn fft.fftshift fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ifftshift
        fft.ihfft fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn
    """,
    "nondifferentiable": """
        all allclose any argpartition argsort argwhere array2string array_equal array_equiv
        array_repr array_str bitwise_count can_cast common_type count_nonzero
        diag_indices_from digitize einsum_path empty_like flatnonzero gcd isclose iscomplex
        iscomplexobj isin isneginf isposinf isreal isrealobj ix_ lcm left_shift lexsort
        may_share_memory min_scalar_type nanargmax nanargmin ndim nonzero ones_like packbits
        result_type right_shift searchsorted shape shares_memory size tril_indices_from
        triu_indices_from unpackbits zeros_like
    """,
}
_MODULE = {name: module for module, names in INDEX.items() for name in names.split()}


def family_of(function: Any) -> Family | None:
    """Return the family that knows a function, or None; import only that family's module.

    Args:
        function: a NumPy function, a function of ours that has a rule, a method of a ufunc
            (`np.add.reduce`), or `np.ufunc.__call__` for any ufunc that is called with options.
            Anything else has no family.
    """
    module = _MODULE.get(index_name(function))
    if module is None:
        return None
    family = _imported(module)
    return family if family.knows(function) else None  # another library may use the same name


def families() -> tuple[Family, ...]:
    """Import all the families and return them."""
    return tuple(map(_imported, INDEX))


def index_name(function: Any) -> str:
    """Return the name under which `INDEX` lists a function.

    >>> index_name(np.linalg.inv), index_name(np.amax), index_name(np.add.reduce)
    ('linalg.inv', 'amax', 'ufunc.reduce')
    """
    name = getattr(function, "__name__", None)
    owner = getattr(function, "__self__", getattr(function, "__objclass__", None))
    if owner is np.ufunc or isinstance(owner, np.ufunc):
        return f"ufunc.{name}"
    below = str(getattr(function, "__module__", "")).removeprefix("numpy.")
    return f"{below}.{name}" if below in ("linalg", "fft") else str(name)


# A child of a fork during an import would wait forever for Python's lock of the module.
_importing = fork_safe_lock()


@functools.cache
def _imported(module: str) -> Family:
    with _importing:
        family: Family = importlib.import_module(f"tinytorch_autograd.rules.{module}").family
    return family
