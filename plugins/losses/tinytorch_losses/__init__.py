"""Loss functions for the TinyTorch Tensor: functions and classes."""

# Imported first: importing the core imports the active plugins, including this one.
import tinytorch_core as _core  # noqa: F401

from tinytorch_losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tinytorch_losses.classification import cross_entropy, nll_loss
from tinytorch_losses.divergence import kl_div
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
from tinytorch_losses.regression import huber_loss, l1_loss, mse_loss
from tinytorch_losses.softmax import log_softmax

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
