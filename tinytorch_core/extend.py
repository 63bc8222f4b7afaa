"""The public API for plugin authors: what a plugin may import from the core.

`Tensor`, `hookimpl`, `hookspec`, `plugins` and the error classes come from `tinytorch_core`;
everything else that a plugin may use is here. Nothing else in `tinytorch_core` is public.
"""

from tinytorch_core.errors import did_you_mean
from tinytorch_core.missing import well_known_provider
from tinytorch_core.op_call import plain_call, plain_lines, plain_names
from tinytorch_core.ops import Op, OpTable, op
from tinytorch_core.source import define, signature_of, tuple_of
from tinytorch_core.startup import start as start_plugins
from tinytorch_core.surface import Keyword, Surface, TensorExtension
from tinytorch_core.tensor import (
    active_op,
    fit_arguments,
    from_array,
    numpy_signature,
    run_function,
    unwrap,
)

__all__ = [
    "Keyword",
    "Op",
    "OpTable",
    "Surface",
    "TensorExtension",
    "active_op",
    "define",
    "did_you_mean",
    "fit_arguments",
    "from_array",
    "numpy_signature",
    "op",
    "plain_call",
    "plain_lines",
    "plain_names",
    "run_function",
    "signature_of",
    "start_plugins",
    "tuple_of",
    "unwrap",
    "well_known_provider",
]
