"""The hooks of tinytorch-losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_losses import binary, classification, divergence, regression

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)

_BOTH = ("input", "target")


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("mse_loss", regression.mse_forward, inputs=_BOTH)
    ops.add("l1_loss", regression.l1_forward, inputs=_BOTH)
    ops.add("huber_loss", regression.huber_forward, inputs=_BOTH)
    ops.add("binary_cross_entropy", binary.bce_forward, inputs=_BOTH)
    ops.add("binary_cross_entropy_with_logits", binary.bce_logits_forward, inputs=_BOTH)
    ops.add("nll_loss", classification.nll_forward, inputs=("input",))
    ops.add("cross_entropy", classification.cross_entropy_forward, inputs=_BOTH)
    ops.add("kl_div", divergence.kl_forward, inputs=_BOTH)


# The table is of autograd, which need not be installed.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("mse_loss", regression.mse_input, regression.mse_target)
    rules.add("l1_loss", regression.l1_input, regression.l1_target)
    rules.add("huber_loss", regression.huber_input, regression.huber_target)
    rules.add("binary_cross_entropy", binary.bce_input, binary.bce_target)
    rules.add("binary_cross_entropy_with_logits", binary.bce_logits_input, binary.bce_logits_target)
    rules.add("nll_loss", classification.nll_input)
    rules.add(
        "cross_entropy", classification.cross_entropy_input, classification.cross_entropy_target
    )
    rules.add("kl_div", divergence.kl_input, divergence.kl_target)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    from tinytorch_losses.samples import describe  # here, because programs have no use for it

    describe(samples)
