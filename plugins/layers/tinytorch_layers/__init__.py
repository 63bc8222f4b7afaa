"""Layers, and networks made of them, for the Tensor of tinytorch-core, as a plugin."""

# First, because importing the core imports the active plugins, this one among them.
import tinytorch_core as _core  # noqa: F401

from tinytorch_layers import functional, init
from tinytorch_layers.module import Module
from tinytorch_layers.modules.containers import Sequential
from tinytorch_layers.modules.linear import Dense, Flatten, Linear
from tinytorch_layers.parameter import Parameter

__version__ = "0.1.0"

__all__ = [
    "Dense",
    "Flatten",
    "Linear",
    "Module",
    "Parameter",
    "Sequential",
    "functional",
    "init",
]
