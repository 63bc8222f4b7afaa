"""The losses with margins as classes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from tinytorch_core import Tensor

from tinytorch_losses.margins import (
    check_margin,
    check_triplet_options,
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from tinytorch_losses.modules import Loss

Array = Any


@dataclass(eq=False, repr=False)
class MarginRankingLoss(Loss):
    """A loss of two scores that are in the wrong order, or too close: see `margin_ranking_loss`.

    >>> from tinytorch_core import Tensor
    >>> MarginRankingLoss(margin=0.5)(Tensor([1.0, 2.0]), Tensor([0.0, 3.0]), [1, 1])
    Tensor(0.75)
    """

    margin: float = 0.0
    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_margin(type(self).__name__, self.margin)

    def forward(self, input1: Array, input2: Array, target: Any) -> Tensor:
        return margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


@dataclass(eq=False, repr=False)
class HingeEmbeddingLoss(Loss):
    """A loss of distances, small for similar pairs: see `hinge_embedding_loss`.

    >>> from tinytorch_core import Tensor
    >>> HingeEmbeddingLoss(reduction="none")(Tensor([0.25, 0.25]), [1, -1])
    Tensor([0.25, 0.75])
    """

    margin: float = 1.0
    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_margin(type(self).__name__, self.margin)

    def forward(self, input: Array, target: Any) -> Tensor:
        return hinge_embedding_loss(input, target, self.margin, self.reduction)


@dataclass(eq=False, repr=False)
class CosineEmbeddingLoss(Loss):
    """A loss of the cosine of two vectors: see `cosine_embedding_loss`.

    >>> from tinytorch_core import Tensor
    >>> CosineEmbeddingLoss()(Tensor([[3.0, 4.0]]), Tensor([[0.0, 1.0]]), [-1])
    Tensor(0.8)
    """

    margin: float = 0.0
    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_margin(type(self).__name__, self.margin, -1, 1)

    def forward(self, input1: Array, input2: Array, target: Any) -> Tensor:
        return cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


@dataclass(eq=False, repr=False)
class TripletMarginLoss(Loss):
    """A loss of vectors that are farther from a positive than from a negative example.

    See `triplet_margin_loss`.

    >>> from tinytorch_core import Tensor
    >>> anchor, positive, negative = Tensor([0.0, 0.0]), Tensor([3.0, 4.0]), Tensor([0.0, 2.0])
    >>> TripletMarginLoss(eps=0.0)(anchor, positive, negative)
    Tensor(4.)
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_triplet_options(type(self).__name__, self.margin, self.p, self.eps, self.swap)

    def forward(self, anchor: Array, positive: Array, negative: Array) -> Tensor:
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            self.reduction,
        )


@dataclass(eq=False, repr=False)
class SoftMarginLoss(Loss):
    """The logistic loss of scores with targets 1 and -1: see `soft_margin_loss`.

    >>> from tinytorch_core import Tensor
    >>> SoftMarginLoss()(Tensor([0.0, 0.0]), [1, -1])
    Tensor(0.693147...)
    """

    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return soft_margin_loss(input, target, self.reduction)


@dataclass(eq=False, repr=False)
class MultiLabelSoftMarginLoss(Loss):
    """The binary cross entropy of several labels: see `multilabel_soft_margin_loss`.

    >>> from tinytorch_core import Tensor
    >>> MultiLabelSoftMarginLoss()(Tensor([[0.0, 0.0]]), [[1, 0]])
    Tensor(0.693147...)
    """

    weight: Any = None
    _: KW_ONLY
    reduction: str = "mean"

    def forward(self, input: Array, target: Any) -> Tensor:
        return multilabel_soft_margin_loss(input, target, self.weight, self.reduction)
