"""From calls to loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_compile.native.calls import elementwise, indexing, layers, losses, reductions
from tinytorch_compile.native.calls.arguments import Arguments, Lowering
from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.function import Kernel
from tinytorch_compile.program import Call, Layout
from tinytorch_compile.tracing import Writing

_FUNCTIONS: dict[Any, Lowering] = {
    **elementwise.TABLE,
    **reductions.TABLE,
    **indexing.TABLE,
    **losses.TABLE,
    **layers.TABLE,
}
_WRITERS: dict[Any, Lowering] = {**indexing.WRITERS, **losses.WRITERS}


def kernels_of(arguments: Arguments, call: Call) -> list[Kernel]:
    """Return the loops of a call.

    Raises:
        UnsupportedError: the call cannot be compiled, or NumPy is faster.
    """
    function: Any = call.function
    if call.several or call.effect or _may_raise(call.errors):
        raise UnsupportedError
    layout = call.results[0].layout
    if layout is None or Layout.of(layout.empty()) != layout:
        raise UnsupportedError  # a number, or an array with gaps
    if isinstance(function, Writing):
        lowering = _WRITERS.get(key_of(function.function))
    else:
        lowering = _FUNCTIONS.get(key_of(function))
    if lowering is None and isinstance(function, np.ufunc):
        lowering = elementwise.ufunc_loops
    if lowering is None:
        raise UnsupportedError
    kernels = lowering(arguments, call)
    for kernel in kernels:
        for part in (*kernel.reads(), *kernel.targets()):
            if not part.is_inside:
                raise RuntimeError(f"{key_of(function)} would use memory outside of an array")
    return kernels


def key_of(function: Any) -> Any:
    """Return the key of a function in the tables: itself, or the name of a kernel of a plugin."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return owner, function.__name__
    module = getattr(function, "__module__", "") or ""
    if module.startswith("tinytorch_"):
        return f"{module}.{function.__name__}"
    try:
        hash(function)
    except TypeError:
        return None
    return function


def _may_raise(errors: dict[str, str] | None) -> bool:
    return any(mode not in ("ignore", "warn") for mode in (errors or {}).values())
