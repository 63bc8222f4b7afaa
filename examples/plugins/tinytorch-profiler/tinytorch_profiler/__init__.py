"""Where the time goes: every op of the TinyTorch Tensor, timed forward and backward."""

# First, because importing the core imports the active plugins, this one among them.
import tinytorch_core  # noqa: F401

from tinytorch_profiler.profile import profile
from tinytorch_profiler.table import Figures, Row

__all__ = ["Figures", "Row", "profile"]
