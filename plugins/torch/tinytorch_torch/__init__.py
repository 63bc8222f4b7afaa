"""Functions and modules of PyTorch as ops of Tensors, and of TinyTorch in torch.autograd."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_torch.torch_autograd import to_torch
    from tinytorch_torch.torch_functions import TorchModule, from_torch

__version__ = "0.1.0"

__all__ = ["TorchModule", "from_torch", "to_torch"]

__getattr__, __dir__ = lazy_names(
    __name__, {"torch_autograd": "to_torch", "torch_functions": "TorchModule from_torch"}
)
