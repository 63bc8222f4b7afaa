"""Mixed precision for the TinyTorch Tensor: float16, loss scaling and quantization."""

# Imported first: importing the core imports the active plugins, including this one.
import tinytorch_core  # noqa: F401

from tinytorch_amp.grad_scaler import GradScaler
from tinytorch_amp.half import half_matmul
from tinytorch_amp.mixed_precision import autocast, is_autocast_enabled
from tinytorch_amp.quantization import integers, quantize, quantized_matmul

__all__ = [
    "GradScaler",
    "autocast",
    "half_matmul",
    "integers",
    "is_autocast_enabled",
    "quantize",
    "quantized_matmul",
]
