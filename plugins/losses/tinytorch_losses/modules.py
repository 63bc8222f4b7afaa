"""The losses as classes, which store their options and are called with input and target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, Field, dataclass, fields, is_dataclass
from typing import Any, ClassVar

from tinytorch_core import Tensor

from tinytorch_losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tinytorch_losses.classification import check_smoothing, cross_entropy, nll_loss
from tinytorch_losses.divergence import KL_REDUCTIONS, kl_div
from tinytorch_losses.reduction import REDUCTIONS, check_reduction
from tinytorch_losses.regression import (
    check_beta,
    check_delta,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from tinytorch_modules import Module

Array = Any


class Loss(Module):
    """Base class of the losses: `loss(input, target)` calls `loss.forward(input, target)`.

    The options are attributes and can be assigned.

    Raises:
        ValueError: the constructor got an invalid option.
    """

    reduction: str
    reductions: ClassVar[Sequence[str]] = REDUCTIONS

    def __post_init__(self) -> None:
        check_reduction(type(self).__name__, self.reduction, self.reductions)

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Return the loss of an input and a target; every subclass must define this method."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(input, target)")

    def extra_repr(self) -> str:
        options: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        return ", ".join(f"{o.name}={getattr(self, o.name)!r}" for o in options)


@dataclass(eq=False, repr=False)
class MSELoss(Loss):
    """The mean squared error: see `mse_loss`.

    >>> from tinytorch_core import Tensor
    >>> MSELoss()(Tensor([1.0, 2.0]), Tensor([0.0, 4.0]))
    Tensor(2.5)
    """

    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return mse_loss(input, target, self.reduction)


@dataclass(eq=False, repr=False)
class L1Loss(Loss):
    """The mean absolute error: see `l1_loss`.

    >>> from tinytorch_core import Tensor
    >>> L1Loss(reduction="sum")(Tensor([1.0, 2.0]), Tensor([0.0, 4.0]))
    Tensor(3.)
    """

    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return l1_loss(input, target, self.reduction)


@dataclass(eq=False, repr=False)
class HuberLoss(Loss):
    """The Huber loss, linear for errors above `delta`: see `huber_loss`.

    >>> from tinytorch_core import Tensor
    >>> HuberLoss(delta=2.0)
    HuberLoss(reduction='mean', delta=2.0)
    >>> HuberLoss(reduction="none")(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]))
    Tensor([0.125, 2.5  ])
    """

    reduction: str = "mean"
    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_delta(self.delta)

    def forward(self, input: Array, target: Any) -> Tensor:
        return huber_loss(input, target, self.reduction, self.delta)


@dataclass(eq=False, repr=False)
class SmoothL1Loss(Loss):
    """The Huber loss divided by its delta, here `beta`: see `smooth_l1_loss`.

    >>> from tinytorch_core import Tensor
    >>> SmoothL1Loss(beta=2.0, reduction="none")(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]))
    Tensor([0.0625, 2.    ])
    """

    reduction: str = "mean"
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_beta(self.beta)

    def forward(self, input: Array, target: Any) -> Tensor:
        return smooth_l1_loss(input, target, self.reduction, self.beta)


@dataclass(eq=False, repr=False)
class BinaryCrossEntropyLoss(Loss):
    """The binary cross entropy of probabilities, PyTorch's BCELoss: see `binary_cross_entropy`.

    >>> from tinytorch_core import Tensor
    >>> BinaryCrossEntropyLoss(reduction="none")(Tensor([0.5, 1.0]), [1, 0])
    Tensor([  0.6931472, 100.       ])
    """

    weight: Any = None
    _: KW_ONLY
    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return binary_cross_entropy(input, target, self.weight, self.reduction)


@dataclass(eq=False, repr=False)
class BCEWithLogitsLoss(Loss):
    """The binary cross entropy of logits: see `binary_cross_entropy_with_logits`.

    >>> from tinytorch_core import Tensor
    >>> BCEWithLogitsLoss(pos_weight=[3.0], reduction="none")(Tensor([0.0, 1000.0]), [1, 0])
    Tensor([   2.0794415, 1000.       ])
    """

    weight: Any = None
    _: KW_ONLY
    reduction: str = "mean"
    pos_weight: Any = None

    def forward(self, input: Array, target: Any) -> Tensor:
        return binary_cross_entropy_with_logits(
            input, target, self.weight, self.reduction, self.pos_weight
        )


@dataclass(eq=False, repr=False)
class NLLLoss(Loss):
    """The negative log likelihood of the target classes: see `nll_loss`.

    >>> from tinytorch_core import Tensor
    >>> NLLLoss(reduction="none")(Tensor([[-1.0, -2.0], [-3.0, -4.0]]), [0, 1])
    Tensor([1., 4.])
    """

    weight: Any = None
    _: KW_ONLY
    ignore_index: int = -100
    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


@dataclass(eq=False, repr=False)
class CrossEntropyLoss(Loss):
    """The cross entropy of logits with class numbers or probabilities: see `cross_entropy`.

    >>> from tinytorch_core import Tensor
    >>> CrossEntropyLoss()(Tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]]), [0, 2])
    Tensor(0.205578...)
    """

    weight: Any = None
    _: KW_ONLY
    ignore_index: int = -100
    reduction: str = "mean"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_smoothing(self.label_smoothing)

    def forward(self, input: Array, target: Any) -> Tensor:
        return cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


@dataclass(eq=False, repr=False)
class KLDivLoss(Loss):
    """The Kullback-Leibler divergence: see `kl_div`.

    >>> from tinytorch_core import Tensor
    >>> import numpy as np
    >>> KLDivLoss("batchmean")(np.log(Tensor([[0.5, 0.5]])), Tensor([[0.0, 1.0]]))
    Tensor(0.6931472)
    """

    reductions: ClassVar[Sequence[str]] = KL_REDUCTIONS
    reduction: str = "mean"
    _: KW_ONLY
    log_target: bool = False

    def forward(self, input: Array, target: Any) -> Tensor:
        return kl_div(input, target, self.reduction, self.log_target)
