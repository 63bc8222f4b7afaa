"""Named dimensions for the TinyTorch Tensor."""

# Imported first: importing the core imports the active plugins, including this one.
import tinytorch_core  # noqa: F401

from tinytorch_named.arguments import Arguments
from tinytorch_named.names import NamesError, names_of
from tinytorch_named.patterns import rearrange
from tinytorch_named.rules import Rules, elementwise, reduction, same_axes

__all__ = [
    "Arguments",
    "NamesError",
    "Rules",
    "elementwise",
    "names_of",
    "rearrange",
    "reduction",
    "same_axes",
]
