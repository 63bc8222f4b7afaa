"""A plugin that adds automatic differentiation to the Tensor of tinytorch-core."""

from typing import TYPE_CHECKING, Any

from tinytorch_core.extend import lazy_names

from tinytorch_autograd.errors import (
    AnomalyError,
    AutogradError,
    GradcheckError,
    GraphFreedError,
    InPlaceError,
    LostGradientError,
    LostGradientWarning,
    ModifiedError,
    NonScalarError,
    NoRuleError,
    NotDifferentiableError,
    UntrackedError,
)
from tinytorch_autograd.gradients import backward, grad
from tinytorch_autograd.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, functions
from tinytorch_autograd.rule import Rules
from tinytorch_autograd.writes import RepeatedWrites

if TYPE_CHECKING:
    from tinytorch_autograd import func
    from tinytorch_autograd.checkpointing import checkpoint
    from tinytorch_autograd.course import (
        Variable,
        add_autograd,
        disable_autograd,
        enable_autograd,
    )
    from tinytorch_autograd.custom import custom_gradient, stop_gradient
    from tinytorch_autograd.debug.anomaly import detect_anomaly
    from tinytorch_autograd.debug.gradcheck import gradcheck, gradgradcheck
    from tinytorch_autograd.pictures.picture import show_graph
    from tinytorch_autograd.sparse import SparseMatrix
    from tinytorch_autograd.tape import GradientTape

__version__ = "0.1.0"

__all__ = [
    "AccumulateGrad",
    "AnomalyError",
    "AutogradError",
    "Function",
    "GradcheckError",
    "GradientTape",
    "GraphFreedError",
    "InPlaceError",
    "LostGradientError",
    "LostGradientWarning",
    "ModifiedError",
    "NoRuleError",
    "NonScalarError",
    "NotDifferentiableError",
    "RepeatedWrites",
    "Rules",
    "SparseMatrix",
    "UntrackedError",
    "Variable",
    "add_autograd",
    "backward",
    "checkpoint",
    "custom_gradient",
    "detect_anomaly",
    "disable_autograd",
    "enable_autograd",
    "enable_grad",
    "func",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
    "show_graph",
    "stop_gradient",
]

_imported, _names = lazy_names(
    __name__,
    {
        "checkpointing": "checkpoint",
        "course": "Variable add_autograd disable_autograd enable_autograd",
        "custom": "custom_gradient stop_gradient",
        "debug.anomaly": "detect_anomaly",
        "debug.gradcheck": "gradcheck gradgradcheck",
        "func": "func",
        "pictures.picture": "show_graph",
        "sparse": "SparseMatrix",
        "tape": "GradientTape",
    },
)


def __getattr__(name: str) -> Any:
    """Import a lazy name, or return the node class of an op, such as `MulBackward`."""
    try:
        return _imported(name)
    except AttributeError:
        if name.endswith("Backward"):
            from tinytorch_autograd.plugin import node_class  # slow to import without autograd

            if (found := node_class(name)) is not None:
                return found
        raise


def __dir__() -> list[str]:
    return sorted({*_names(), *functions})
