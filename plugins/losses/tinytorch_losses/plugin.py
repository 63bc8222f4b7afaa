"""The hook implementations of tinytorch-losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_losses import alignments, binary, classification, divergence, regression

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)

_INPUT_AND_TARGET = ("input", "target")


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("mse_loss", regression.mse_forward, inputs=_INPUT_AND_TARGET)
    ops.add("l1_loss", regression.l1_forward, inputs=_INPUT_AND_TARGET)
    ops.add("huber_loss", regression.huber_forward, inputs=_INPUT_AND_TARGET)
    ops.add("binary_cross_entropy", binary.bce_forward, inputs=_INPUT_AND_TARGET)
    ops.add("binary_cross_entropy_with_logits", binary.bce_logits_forward, inputs=_INPUT_AND_TARGET)
    ops.add("nll_loss", classification.nll_forward, inputs=("input",))
    ops.add("cross_entropy", classification.cross_entropy_forward, inputs=_INPUT_AND_TARGET)
    ops.add("kl_div", divergence.kl_forward, inputs=_INPUT_AND_TARGET)
    ops.add("ctc_loss", alignments.ctc_forward, inputs=("log_probs",))


# This hook belongs to tinytorch-autograd, which may not be installed.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("mse_loss", regression.mse_input_rule, regression.mse_target_rule)
    rules.add("l1_loss", regression.l1_input_rule, regression.l1_target_rule)
    rules.add("huber_loss", regression.huber_input_rule, regression.huber_target_rule)
    rules.add("binary_cross_entropy", binary.bce_input_rule, binary.bce_target_rule)
    rules.add(
        "binary_cross_entropy_with_logits",
        binary.bce_logits_input_rule,
        binary.bce_logits_target_rule,
    )
    rules.add("nll_loss", classification.nll_input_rule)
    rules.add(
        "cross_entropy",
        classification.cross_entropy_input_rule,
        classification.cross_entropy_target_rule,
    )
    rules.add("kl_div", divergence.kl_input_rule, divergence.kl_target_rule)
    rules.add("ctc_loss", alignments.ctc_rule)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    from tinytorch_losses.samples import describe_ops  # only the conformance kit needs it

    describe_ops(samples)
