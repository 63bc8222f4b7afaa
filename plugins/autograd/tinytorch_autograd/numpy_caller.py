"""The NumPy function that a program called, for errors about what the function does inside.

NumPy looks for tensors in some arguments of a function only: `np.mean([t, u])` and
`np.full_like(a, t)` run NumPy's own code, which converts the tensors to arrays or copies them into
one. The errors should name the function in the program instead of the one that failed inside.
"""

from __future__ import annotations

import sys
from types import FrameType

# By the names of NumPy's functions; "__getitem__" is that of np.r_ and np.c_.
_REMEDIES = {
    "__getitem__": "use np.concatenate instead of np.r_, and np.column_stack instead of np.c_",
    "full": "call np.full(shape, value, like=x) with any tensor x",
    "as_strided": "use np.lib.stride_tricks.sliding_window_view or an index",
}
_REMEDY = (
    "pass np.stack(tensors) instead of a list, or Tensor(a) instead of an array a, to {}, which "
    "does not look for tensors in lists and options"
)


def remedy() -> str | None:
    """Return what to write instead of the NumPy function that called us, or None if none did."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and _package(frame).startswith("tinytorch_"):
        frame = frame.f_back
    if frame is not None and str(frame.f_globals.get("__name__")).startswith("scipy.sparse."):
        return "replace the sparse matrix s by tinytorch_autograd.SparseMatrix(s)"
    inside = None
    while frame is not None and _package(frame) == "numpy":
        frame, inside = frame.f_back, frame
    if inside is None or (frame is not None and _package(frame).startswith("tinytorch_")):
        return None  # the program called a function in C, or a rule called NumPy
    name = inside.f_code.co_name
    return _REMEDIES.get(name) or _REMEDY.format(_full_name(name, inside))


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _full_name(function: str, frame: FrameType) -> str:
    module = frame.f_globals["__name__"].split(".")[1]
    return f"np.{module}.{function}" if module in ("linalg", "fft") else f"np.{function}"
