"""The only module that imports PyTorch, with an error that names the extra if it is missing."""

try:
    import torch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "tinytorch-torch needs PyTorch, which is not installed: "
        'pip install "tinytorch-torch[torch]"',
        name=error.name,
    ) from error

__all__ = ["torch"]
