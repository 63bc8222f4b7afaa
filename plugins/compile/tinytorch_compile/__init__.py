"""Capture a step once and replay it as one NumPy function, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_compile.compiled import Compiled, compile
    from tinytorch_compile.errors import CaptureError, ExportError, RecaptureWarning

__version__ = "0.1.0"

__all__ = ["CaptureError", "Compiled", "ExportError", "RecaptureWarning", "compile"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"compiled": "Compiled compile", "errors": "CaptureError ExportError RecaptureWarning"},
)
