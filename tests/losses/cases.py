"""The table of losses for the tests of values and gradients."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinytorch_losses as losses
from tests.together import together

REDUCTIONS = ("mean", "sum", "none")
WEIGHTS = np.array([0.5, 2.0, 1.5, 0.7])
SHAPES = ((4,), (5, 4), (2, 4, 3, 2))


@dataclass(frozen=True)
class Case:
    """One loss with its options.

    `target` is the kind of target: "numbers", "classes" (class numbers) or "distribution".
    """

    loss: str
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    target: str = "numbers"

    @property
    def id(self) -> str:
        options = [f"{k}={np.shape(v) or v}" for k, v in self.options.items()]
        return "-".join([self.loss, self.target, "x".join(map(str, self.shape)), *options])

    @property
    def function(self) -> Any:
        return getattr(losses, self.loss)

    @property
    def target_is_differentiable(self) -> bool:
        return self.target != "classes"

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return an input in float64 and a target in float64 or int64, the same at each call."""
        rng = np.random.default_rng(zlib.crc32(self.id.encode()))
        x = rng.normal(size=self.shape)
        if self.target == "classes":
            return self._log_probabilities(x), self._classes(rng)
        if self.target == "distribution":
            y = rng.uniform(0.1, 1, size=self.shape)
            return x, y / y.sum(axis=min(1, y.ndim - 1), keepdims=True)
        if self.loss == "binary_cross_entropy":
            return rng.uniform(0.2, 0.8, self.shape), rng.uniform(0.1, 0.9, self.shape)
        if self.loss == "binary_cross_entropy_with_logits":
            return x, rng.uniform(0.1, 0.9, self.shape)
        if self.loss == "kl_div":
            sign = -1 if self.options.get("log_target") else 1
            return -rng.uniform(0.1, 2, self.shape), sign * rng.uniform(0.1, 2, self.shape)
        # No error is close to 0, 0.8 or 1, where the L1 and Huber losses have kinks.
        size = np.where(rng.random(self.shape) < 0.5, 0.1, 1.1) + 0.5 * rng.random(self.shape)
        return x, x + rng.choice([-1, 1], self.shape) * size

    def _log_probabilities(self, x: np.ndarray) -> np.ndarray:
        return losses.log_softmax(x, min(1, x.ndim - 1)) if self.loss == "nll_loss" else x

    def _classes(self, rng: np.random.Generator) -> np.ndarray:
        count = self.shape[min(1, len(self.shape) - 1)]
        classes = rng.integers(0, count, self.shape[:1] + self.shape[2:])
        if len(self.shape) == 1:
            return rng.integers(0, count, ())
        if "ignore_index" in self.options:
            classes.flat[[0, -1]] = self.options["ignore_index"]
            classes.flat[1] = 1
        return classes


def cases() -> list[Case]:
    table = []
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        for shape in ((), (3, 4)):
            table += [
                Case("mse_loss", shape, r),
                Case("l1_loss", shape, r),
                Case("huber_loss", shape, r),
                Case("huber_loss", shape, {"delta": 0.8, **r}),
                Case("binary_cross_entropy", shape, r),
                Case("binary_cross_entropy_with_logits", shape, r),
                Case("kl_div", shape, r),
                Case("kl_div", shape, {"log_target": True, **r}),
            ]
        for weight in (WEIGHTS, np.outer([1, 2, 3], WEIGHTS)):
            w = {"weight": weight, **r}
            table += [
                Case("binary_cross_entropy", (3, 4), w),
                Case("binary_cross_entropy_with_logits", (3, 4), w),
                Case("binary_cross_entropy_with_logits", (3, 4), {"pos_weight": WEIGHTS, **w}),
            ]
        for shape in SHAPES:
            for weight in ({}, {"weight": WEIGHTS}):
                w = {**weight, **r}
                for loss in ("nll_loss", "cross_entropy"):
                    table += [Case(loss, shape, w, "classes")]
                    if len(shape) > 1:
                        table += [Case(loss, shape, {"ignore_index": -100, **w}, "classes")]
                        table += [Case(loss, shape, {"ignore_index": 2, **w}, "classes")]
                smooth = {"label_smoothing": 0.2, **w}
                table += [
                    Case("cross_entropy", shape, smooth, "classes"),
                    Case("cross_entropy", shape, w, "distribution"),
                    Case("cross_entropy", shape, smooth, "distribution"),
                ]
                if len(shape) > 1:
                    table += [
                        Case("cross_entropy", shape, {"ignore_index": 2, **smooth}, "classes")
                    ]
        for target in ("classes", "distribution"):
            table += [Case("cross_entropy", (3, 70), r, target)]
    for options in ({}, {"log_target": True}):
        table += [Case("kl_div", (3, 4), {"reduction": "batchmean", **options})]
    return table


CASES = cases()

every_case = together("case", CASES)
