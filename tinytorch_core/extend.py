"""The public API for plugin authors: what a plugin may import from the core.

`Tensor`, `hookimpl`, `hookspec`, `plugins` and the error classes come from `tinytorch_core`;
everything else that a plugin may use is here. Nothing else in `tinytorch_core` is public.
"""

from tinytorch_core.concurrency import (
    current_thread_or_task,
    fork_safe_lock,
    has_gil,
    least_references,
)
from tinytorch_core.core_ops import matmul, place, sum_into_rows, sum_rows
from tinytorch_core.discovery import lazy_names
from tinytorch_core.errors import did_you_mean
from tinytorch_core.hints import well_known_provider
from tinytorch_core.kernel import aligned_empty, are_ndarrays, kernel
from tinytorch_core.op_call import (
    CallText,
    array_text,
    call_names,
    call_signature,
    call_text,
    op,
    op_call,
)
from tinytorch_core.ops import Op, OpTable
from tinytorch_core.registry import start as start_plugins
from tinytorch_core.source import (
    argument_names,
    define,
    numpy_name,
    signature_of,
    signature_text,
    tuple_text,
)
from tinytorch_core.surface import HookResult, Keyword, SurfaceBuilder, TensorExtension
from tinytorch_core.tensor import (
    AnyArray,
    active_op,
    derive,
    from_array,
    run_function,
    to_array,
    unwrap,
)

__all__ = [
    "AnyArray",
    "CallText",
    "HookResult",
    "Keyword",
    "Op",
    "OpTable",
    "SurfaceBuilder",
    "TensorExtension",
    "active_op",
    "aligned_empty",
    "are_ndarrays",
    "argument_names",
    "array_text",
    "call_names",
    "call_signature",
    "call_text",
    "current_thread_or_task",
    "define",
    "derive",
    "did_you_mean",
    "fork_safe_lock",
    "from_array",
    "has_gil",
    "kernel",
    "lazy_names",
    "least_references",
    "matmul",
    "numpy_name",
    "op",
    "op_call",
    "place",
    "run_function",
    "signature_of",
    "signature_text",
    "start_plugins",
    "sum_into_rows",
    "sum_rows",
    "to_array",
    "tuple_text",
    "unwrap",
    "well_known_provider",
]
