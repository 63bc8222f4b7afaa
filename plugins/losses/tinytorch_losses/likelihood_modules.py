"""The likelihoods of distributions and of alignments, and the focal loss, as classes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from tinytorch_core import Tensor

from tinytorch_losses.ctc import ctc_loss
from tinytorch_losses.likelihoods import (
    check_focal_options,
    check_likelihood_options,
    gaussian_nll_loss,
    poisson_nll_loss,
    sigmoid_focal_loss,
)
from tinytorch_losses.modules import Loss
from tinytorch_modules import arguments

Array = Any


@dataclass(eq=False, repr=False)
class GaussianNLLLoss(Loss):
    """The negative log likelihood of a normal distribution: see `gaussian_nll_loss`.

    >>> from tinytorch_core import Tensor
    >>> GaussianNLLLoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]), Tensor([1.0, 4.0]))
    Tensor(0.5965...)
    """

    _: KW_ONLY
    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_likelihood_options(type(self).__name__, self.full, self.eps)

    def forward(self, input: Array, target: Any, var: Any) -> Tensor:
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


@dataclass(eq=False, repr=False)
class PoissonNLLLoss(Loss):
    """The negative log likelihood of counts: see `poisson_nll_loss`.

    >>> from tinytorch_core import Tensor
    >>> PoissonNLLLoss()(Tensor([0.0, 0.0]), [0, 3])
    Tensor(1.)
    """

    log_input: bool = True
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-8
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.flag(type(self).__name__, "log_input", self.log_input)
        check_likelihood_options(type(self).__name__, self.full, self.eps)

    def forward(self, input: Array, target: Any) -> Tensor:
        return poisson_nll_loss(input, target, self.log_input, self.full, self.eps, self.reduction)


@dataclass(eq=False, repr=False)
class FocalLoss(Loss):
    """The focal loss of logits: see `sigmoid_focal_loss`. Here the default is the mean.

    >>> from tinytorch_core import Tensor
    >>> FocalLoss()(Tensor([0.0, 1000.0]), [1, 1])
    Tensor(0.02166...)
    """

    alpha: float = 0.25
    gamma: float = 2.0
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_focal_options(type(self).__name__, self.alpha, self.gamma)

    def forward(self, inputs: Array, targets: Any) -> Tensor:
        return sigmoid_focal_loss(inputs, targets, self.alpha, self.gamma, self.reduction)


@dataclass(eq=False, repr=False)
class CTCLoss(Loss):
    """The loss of sequences with targets that are not aligned with them: see `ctc_loss`.

    >>> import numpy as np
    >>> from tinytorch_core import Tensor
    >>> half = np.log(Tensor([[[0.5, 0.5]], [[0.5, 0.5]]]))
    >>> np.exp(-CTCLoss()(half, [[1]], [2], [1]))
    Tensor(0.75)
    """

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(type(self).__name__, "blank", self.blank, minimum=0)
        arguments.flag(type(self).__name__, "zero_infinity", self.zero_infinity)

    def forward(
        self, log_probs: Array, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
