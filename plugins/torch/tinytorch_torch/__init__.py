"""PyTorch's modules and functions as ops of Tensors, and ours in torch.autograd."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_torch.ours import to_torch
    from tinytorch_torch.theirs import TorchModule, from_torch

__version__ = "0.1.0"

__all__ = ["TorchModule", "from_torch", "to_torch"]

__getattr__, __dir__ = lazy_names(
    __name__, {"ours": "to_torch", "theirs": "TorchModule from_torch"}
)
