"""Modules for the TinyTorch Tensor: parameters, child modules and their state."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, some of which import this package.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_modules import arguments
    from tinytorch_modules.containers import Residual, Sequential
    from tinytorch_modules.model_summary import Summary, summary
    from tinytorch_modules.module import Module
    from tinytorch_modules.parameter import Parameter
    from tinytorch_modules.pytorch import load_torch_state, torch_state
    from tinytorch_modules.randomness import manual_seed, random_generator

__version__ = "0.1.0"

__all__ = [
    "Module",
    "Parameter",
    "Residual",
    "Sequential",
    "Summary",
    "arguments",
    "load_torch_state",
    "manual_seed",
    "random_generator",
    "summary",
    "torch_state",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "arguments": "arguments",
        "containers": "Residual Sequential",
        "module": "Module",
        "model_summary": "Summary summary",
        "parameter": "Parameter",
        "pytorch": "load_torch_state torch_state",
        "randomness": "manual_seed random_generator",
    },
)
