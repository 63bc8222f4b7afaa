"""The hooks of tinytorch-layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_layers.functional import (
    affine,
    attention,
    convolution,
    lookup,
    masking,
    normalization,
    pooling,
    recurrence,
)

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)

_LAYER = ("x", "weight", "bias")


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("linear", affine.linear, inputs=_LAYER)
    ops.add("conv2d", convolution.convolve, inputs=_LAYER)
    ops.add("conv2d_input", convolution.convolve_transposed, inputs=("values", "weight"))
    ops.add("conv2d_weight", convolution.correlate, inputs=("values", "x"))
    ops.add("max_pool2d", pooling.maxima, inputs=("x",))
    ops.add("max_pool2d_input", pooling.unpool, inputs=("values", "x", "largest"))
    ops.add("max_pool2d_pick", pooling.select, inputs=("values", "x", "largest"))
    ops.add("avg_pool2d", pooling.average, inputs=("x",))
    ops.add("avg_pool2d_input", pooling.spread, inputs=("values",))
    ops.add("layer_norm", normalization.layer_norm_forward, inputs=_LAYER)
    ops.add("batch_norm", normalization.batch_norm_forward, inputs=_LAYER)
    ops.add("embedding", lookup.take_rows, inputs=("weight",))
    ops.add("embedding_weight", lookup.add_rows, inputs=("values",))
    ops.add("dropout", masking.apply_mask, inputs=("x",))
    ops.add("scaled_dot_product_attention", attention.attend)
    ops.add("split_heads", attention.split_heads, inputs=("x",))
    ops.add("merge_heads", attention.merge_heads)
    ops.add("rnn", recurrence.rnn)
    ops.add("lstm", recurrence.lstm)
    ops.add("gru", recurrence.gru)
    ops.add("random_draw", masking.draw, inputs=(), raw=True)


# optionalhook: autograd defines this hook, and may be missing or disabled.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("linear", affine.linear_x, affine.linear_weight, affine.linear_bias)
    rules.add("conv2d", convolution.conv2d_x, convolution.conv2d_weight, convolution.conv2d_bias)
    rules.add("conv2d_input", convolution.conv2d_input_values, convolution.conv2d_input_weight)
    rules.add("conv2d_weight", convolution.conv2d_weight_values, convolution.conv2d_weight_x)
    rules.add("max_pool2d", pooling.max_pool2d_x)
    # The positions of the maxima are piecewise constant, so x and largest have None.
    rules.add("max_pool2d_input", pooling.max_pool2d_input_values, None, None)
    rules.add("max_pool2d_pick", pooling.max_pool2d_pick_values, None, None)
    rules.add("avg_pool2d", pooling.avg_pool2d_x)
    rules.add("avg_pool2d_input", pooling.avg_pool2d_input_values)
    rules.add(
        "layer_norm",
        normalization.layer_norm_x,
        normalization.layer_norm_weight,
        normalization.layer_norm_bias,
    )
    rules.add(
        "batch_norm",
        normalization.batch_norm_x,
        normalization.batch_norm_weight,
        normalization.batch_norm_bias,
    )
    rules.add("embedding", lookup.embedding_weight)
    rules.add("embedding_weight", lookup.embedding_weight_values)
    rules.add("dropout", masking.dropout_x)
    rules.add("scaled_dot_product_attention", attention.attend_rule)
    rules.add("split_heads", attention.split_heads_rule)
    rules.add("merge_heads", attention.merge_heads_rule)
    rules.add("rnn", recurrence.rnn_rule)
    rules.add("lstm", recurrence.lstm_rule)
    rules.add("gru", recurrence.gru_rule)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    # Imported here: only tests need the samples, and only they need tinytorch-devkit.
    from tinytorch_layers.samples import describe

    describe(samples)
