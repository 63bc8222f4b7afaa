"""Calls of the losses that are formulas of other ops, and of CTC, that are valid in PyTorch too.

The arrays come from formulas instead of random numbers, so that they match the results in
`expected.npz`, written by `make_expected.py`, on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core import Tensor

import tinytorch_losses as losses

EXPECTED = Path(__file__).with_name("expected.npz")
REDUCTIONS = ("mean", "sum", "none")


def mixed(shape: tuple[int, ...], low: float = -2.0, high: float = 2.25) -> np.ndarray:
    """Return distinct numbers from `low` to `high` in a shuffled but fixed order."""
    size = math.prod(shape)
    return np.linspace(low, high, size)[np.arange(size) * 7919 % size].reshape(shape)


def signs(shape: tuple[int, ...]) -> np.ndarray:
    return np.where(np.arange(math.prod(shape)) % 3 == 1, 1.0, -1.0).reshape(shape)


@dataclass(frozen=True)
class Case:
    """A call of a loss.

    Attributes:
        loss: the name of the function.
        inputs: arrays with respect to which the loss is differentiable.
        constants: further positional arguments.
        options: keyword arguments.
    """

    loss: str
    inputs: tuple[np.ndarray, ...]
    constants: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> bool:
        """Whether PyTorch has second derivatives of the loss."""
        return self.loss != "ctc_loss"

    @property
    def id(self) -> str:
        shapes = [str(np.shape(x)) for x in (*self.inputs, *self.constants)]
        options = [f"{k}={np.shape(v) or v}" for k, v in self.options.items()]
        return " ".join([self.loss, *shapes, *options])

    def call(self, *inputs: Any) -> Any:
        return getattr(losses, self.loss)(*inputs, *self.constants, **self.options)

    def call_in_torch(self, torch: Any, *inputs: Any) -> Any:
        def convert(value: Any) -> Any:
            return torch.tensor(value) if isinstance(value, np.ndarray) else value

        function = getattr(torch.nn.functional, self.loss, None) or focal_loss
        options = {name: convert(value) for name, value in self.options.items()}
        return function(*inputs, *map(convert, self.constants), **options)


def focal_loss(x: Any, y: Any, alpha: float, gamma: float, reduction: str) -> Any:
    """Return torchvision's sigmoid_focal_loss."""
    import torch

    p = torch.sigmoid(x)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none")
    loss = loss * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
    if alpha >= 0:
        loss = (alpha * y + (1 - alpha) * (1 - y)) * loss
    return loss if reduction == "none" else getattr(loss, reduction)()


def cases() -> list[Case]:
    shape = (4, 3)
    x, y = mixed(shape), np.roll(mixed(shape, -1.7, 2.6), 5)
    z = np.roll(mixed(shape, -2.1, 1.9), 2)
    p = mixed(shape, 0.1, 0.9)
    positive = mixed(shape, 0.2, 3.0)
    table: list[Case] = []

    def add(loss: str, *arguments: Any, **options: Any) -> None:
        """Add cases of a loss; the arguments are the inputs, or the inputs and the constants."""
        inputs, constants = arguments if isinstance(arguments[0], tuple) else (arguments, ())
        for reduction in REDUCTIONS:
            table.append(Case(loss, inputs, constants, {**options, "reduction": reduction}))

    add("smooth_l1_loss", x, y)
    add("smooth_l1_loss", x, y, beta=0.3)
    add("smooth_l1_loss", x, y, beta=0.0)
    add("margin_ranking_loss", (x, y), (signs(shape),))
    add("margin_ranking_loss", (x, y), (signs(shape),), margin=0.7)
    add("margin_ranking_loss", (x, y), (signs(shape) * (x > 0),), margin=0.2)
    add("hinge_embedding_loss", (x,), (signs(shape),))
    add("hinge_embedding_loss", (x,), (signs(shape),), margin=0.4)
    add("cosine_embedding_loss", (x, y), (signs((4,)),))
    add("cosine_embedding_loss", (x, y), (signs((4,)),), margin=-0.3)
    add("cosine_embedding_loss", (x[0], y[0]), (np.array(-1.0),))
    add("triplet_margin_loss", x, y, z)
    add("triplet_margin_loss", x, y, z, margin=2.5, p=1.0)
    add("triplet_margin_loss", x, y, z, margin=2.5, p=3.0, swap=True)
    add("triplet_margin_loss", x, y, z, margin=2.5, eps=0.1, swap=True)
    add("triplet_margin_loss", x[0], y[0], z[0], margin=3.0)
    add("soft_margin_loss", (3 * x,), (signs(shape),))
    add("multilabel_soft_margin_loss", (x,), ((signs(shape) + 1) / 2,))
    add("multilabel_soft_margin_loss", (x[0],), ((signs((3,)) + 1) / 2,))
    add(
        "multilabel_soft_margin_loss",
        (x,),
        ((signs(shape) + 1) / 2,),
        weight=np.array([0.5, 2.0, 1.5]),
    )
    add("gaussian_nll_loss", x, y, positive)
    add("gaussian_nll_loss", x, y, positive[:, :1], full=True)
    add("gaussian_nll_loss", x, y, positive[:, 0], eps=0.5)
    add("gaussian_nll_loss", x, y, positive[:1])
    add("poisson_nll_loss", x, positive)
    add("poisson_nll_loss", x, positive, full=True)
    add("poisson_nll_loss", positive, z + 3, log_input=False, eps=0.1)
    add("sigmoid_focal_loss", x, p, alpha=0.25, gamma=2.0)
    add("sigmoid_focal_loss", x, p, alpha=-1.0, gamma=1.5)
    add("sigmoid_focal_loss", x, p, alpha=0.6, gamma=0.0)
    x = mixed((6, 3, 4), -3, 3)
    padded = np.array([[1, 1, 2], [3, 2, 9], [1, 9, 9]]) % 4
    in_one_row = np.array([1, 1, 2, 3, 2])
    lengths, sizes = np.array([6, 5, 3]), np.array([3, 2, 0])
    add("ctc_loss", (x,), (padded, lengths, sizes))
    add("ctc_loss", (x,), (in_one_row, lengths, sizes))
    short = (in_one_row % 3, np.array([6, 2, 3]), sizes)
    add("ctc_loss", (x,), short, blank=3, zero_infinity=True)
    add("ctc_loss", (x[:, 0],), (np.array([2, 1]), np.array(6), np.array(2)))
    return table


CASES = cases()


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers by which losses are multiplied before they are summed."""
    return mixed(shape, 0.5, 1.5) if math.prod(shape) > 1 else np.full(shape, 1.25)


def compute(case: Case, kind: Any = np.asarray, seconds: bool = True) -> dict[str, Any]:
    """Return the loss and its gradients, and those of a sum of the gradients if `seconds`."""
    from tinytorch_autograd import grad

    inputs = [Tensor(kind(x), requires_grad=True) for x in case.inputs]
    return _derivatives(
        inputs,
        case.call(*_log_probabilities(case, inputs, losses.log_softmax)),
        lambda number: grad(number, inputs, create_graph=True),
        lambda number: grad(number, inputs, allow_unused=True),
        lambda array: kind(array.astype(case.inputs[0].dtype)),
        seconds,
        lambda tensor: tensor.data,
    )


def compute_in_torch(case: Case, torch: Any) -> dict[str, np.ndarray]:
    """Return what `compute` returns, with PyTorch."""
    inputs = [torch.tensor(x, requires_grad=True) for x in case.inputs]
    return _derivatives(
        inputs,
        case.call_in_torch(torch, *_log_probabilities(case, inputs, torch.log_softmax)),
        lambda number: torch.autograd.grad(number, inputs, create_graph=case.seconds),
        lambda number: torch.autograd.grad(number, inputs, allow_unused=True),
        torch.tensor,
        case.seconds,
        lambda tensor: tensor.detach().numpy(force=True),
    )


def flat(results: dict[str, Any]) -> np.ndarray:
    """Return all results of a case as one array."""
    return np.concatenate([np.ravel(array) for array in results.values()])


def _log_probabilities(case: Case, inputs: list[Any], log_softmax: Any) -> list[Any]:
    return [log_softmax(x, -1) for x in inputs] if case.loss == "ctc_loss" else inputs


def _derivatives(
    inputs: list[Any],
    out: Any,
    first: Any,
    second: Any,
    convert: Any,
    seconds: bool,
    result: Any,
) -> dict[str, Any]:
    gradients = first((out * convert(weights(tuple(out.shape)))).sum())
    found = {"loss": result(out)}
    found |= {f"gradient {i}": result(g) for i, g in enumerate(gradients)}
    if seconds:
        parts = [(g * convert(mixed(tuple(g.shape)))).sum() for g in gradients if g.requires_grad]
        further = second(sum(parts[1:], parts[0])) if parts else [None] * len(inputs)
        for i, (g, like) in enumerate(zip(further, gradients, strict=True)):
            # A derivative that does not depend on an input is None.
            found[f"second {i}"] = result(like) * 0 if g is None else result(g)
    return found
