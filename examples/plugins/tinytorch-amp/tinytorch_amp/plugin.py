"""The hooks of tinytorch-amp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch_core import Op, hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_amp import half, mixed_precision, quantization

tinytorch_api = (1, 1)


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("amp_cast", half.amp_cast, inputs=("x",))
    ops.add("half_matmul", half.half_matmul)
    ops.add("quantize", quantization.quantize, method=True)
    ops.add("quantized_matmul", quantization.quantized_matmul)


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("amp_cast", half.amp_cast_backward)
    rules.add("half_matmul", half.half_matmul_x, half.half_matmul_y)
    rules.add("quantize", quantization.quantize_backward)
    rules.add("quantized_matmul", quantization.quantized_matmul_x, quantization.quantized_matmul_y)


# Outside of recording, so that the casts are recorded.
@hookimpl(stage="outside")
def tinytorch_wrap_op(op: Op, call: Callable[..., Any]) -> Callable[..., Any] | None:
    return mixed_precision.casting(op, call)


@hookimpl
def tinytorch_describe_ops(samples: Any) -> None:
    from tinytorch_amp.samples import describe  # only the conformance kit needs it

    describe(samples)
