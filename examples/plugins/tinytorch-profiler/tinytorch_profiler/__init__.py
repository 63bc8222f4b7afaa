"""A profiler: times every op of the TinyTorch Tensor, forward and backward."""

# Imported first: importing the core imports the active plugins, including this one.
import tinytorch_core  # noqa: F401

from tinytorch_profiler.profile import profile
from tinytorch_profiler.table import Figures, Row

__all__ = ["Figures", "Row", "profile"]
