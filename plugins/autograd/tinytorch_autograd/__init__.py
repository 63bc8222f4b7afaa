"""Automatic differentiation for the Tensor of tinytorch-core, as a plugin."""

from typing import Any

from tinytorch_core import plugins

from tinytorch_autograd import func
from tinytorch_autograd.course import Variable, add_autograd, disable_autograd, enable_autograd
from tinytorch_autograd.errors import (
    AutogradError,
    GraphFreedError,
    InPlaceError,
    NonScalarError,
    NoRuleError,
    NotDifferentiableError,
    UntrackedError,
)
from tinytorch_autograd.gradients import backward, grad
from tinytorch_autograd.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, functions
from tinytorch_autograd.table import Rules
from tinytorch_autograd.tape import GradientTape

__version__ = "0.1.0"

__all__ = [
    "AccumulateGrad",
    "AutogradError",
    "Function",
    "GradientTape",
    "GraphFreedError",
    "InPlaceError",
    "NoRuleError",
    "NonScalarError",
    "NotDifferentiableError",
    "Rules",
    "UntrackedError",
    "Variable",
    "add_autograd",
    "backward",
    "disable_autograd",
    "enable_autograd",
    "enable_grad",
    "func",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    """`MulBackward` and its like: there is one for each op with a rule."""
    plugins.active()  # starts them, if that is still to be done
    if name in functions:
        return functions[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *functions})
