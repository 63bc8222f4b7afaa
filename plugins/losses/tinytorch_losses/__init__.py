"""Loss functions for the TinyTorch Tensor: functions and classes."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

from tinytorch_losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tinytorch_losses.classification import cross_entropy, nll_loss
from tinytorch_losses.divergence import kl_div
from tinytorch_losses.regression import huber_loss, l1_loss, mse_loss
from tinytorch_losses.softmax import log_softmax

if TYPE_CHECKING:
    from tinytorch_losses.modules import (
        BCEWithLogitsLoss,
        BinaryCrossEntropyLoss,
        CrossEntropyLoss,
        HuberLoss,
        KLDivLoss,
        L1Loss,
        Loss,
        MSELoss,
        NLLLoss,
    )

__version__ = "0.1.0"

__all__ = [
    "BCEWithLogitsLoss",
    "BinaryCrossEntropyLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "NLLLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "log_softmax",
    "mse_loss",
    "nll_loss",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "modules": "BCEWithLogitsLoss BinaryCrossEntropyLoss CrossEntropyLoss HuberLoss KLDivLoss "
        "L1Loss Loss MSELoss NLLLoss",
    },
)
