"""Capture a step once and replay it as one NumPy function, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_compile.errors import CaptureError, RecaptureWarning

__version__ = "0.1.0"

__all__ = ["CaptureError", "RecaptureWarning"]

__getattr__, __dir__ = lazy_names(__name__, {"errors": "CaptureError RecaptureWarning"})
