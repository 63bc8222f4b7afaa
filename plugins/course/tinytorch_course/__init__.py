"""The import paths and names of the TinyTorch course, on top of the TinyTorch Tensor."""

from tinytorch_course.imports import Installation, install, is_installed, uninstall

__version__ = "0.1.0"

__all__ = ["Installation", "install", "is_installed", "uninstall"]
