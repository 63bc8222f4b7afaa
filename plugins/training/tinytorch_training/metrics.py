"""Metrics, and running averages of them over an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_training.arguments import not_negative

Array = Any


def accuracy(output: Array, target: Array) -> float:
    """Return the fraction of examples whose highest score is that of the target class.

    Args:
        output: scores of C classes for N examples, of shape (N, C).
        target: the target classes, of shape (N,).

    Raises:
        ValueError: the shapes do not match.

    >>> from tinytorch_core import Tensor
    >>> accuracy(Tensor([[0.1, 0.9], [0.8, 0.2]]), Tensor([1, 1], dtype=int))
    0.5
    """
    scores, classes = unwrap(output), unwrap(target)
    if scores.ndim != 2 or classes.shape != scores.shape[:1]:
        raise ValueError(
            "accuracy expects scores of shape (N, C) and classes of shape (N,), not "
            f"{scores.shape} and {classes.shape}"
        )
    # Unlike float(), item() can be captured by tinytorch-compile.
    return (scores.argmax(axis=1) == classes).mean().item()


class Averages:
    """Running averages over examples, computed from the averages of batches.

    Examples can have weights, which count in the loss only.

    >>> averages = Averages()
    >>> averages.add({"loss": 1.0, "accuracy": 0.5}, examples=3)
    >>> averages.add({"loss": 2.0, "accuracy": 1.0}, examples=1, weight=3.0)
    >>> averages.means()
    {'loss': 1.5, 'accuracy': 0.625}
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._examples: float = 0
        self._weight: float = 0
        self._outputs: list[Array] = []
        self._targets: list[Array] = []

    def collect(self, output: Any, target: Any) -> None:
        """Keep the output and the target of a batch for metrics over the epoch.

        Raises:
            TypeError: one is neither a Tensor nor an array.
        """
        for name, value in (("output", output), ("target", target)):
            if not hasattr(value, "shape"):
                raise TypeError(
                    f"a metric over an epoch needs an array as {name}, not {type(value).__name__}"
                )
        # Copies, because a compiled step reuses its arrays.
        self._outputs.append(np.array(unwrap(output)))
        self._targets.append(np.array(unwrap(target)))

    def collected(self) -> tuple[Array, Array]:
        """Return the outputs and targets of all batches so far."""
        return np.concatenate(self._outputs), np.concatenate(self._targets)

    def add(self, means: Mapping[str, float], examples: float, weight: float | None = None) -> None:
        """Add the averages of one batch.

        Args:
            means: the averages by name.
            examples: the number of examples.
            weight: the sum of their weights, or None if each has the weight 1.
        """
        weight = examples if weight is None else weight
        for name, mean in means.items():
            counts = weight if name == "loss" else examples
            # A user's loss may be nan if all weights are 0.
            self._sums[name] = self._sums.get(name, 0.0) + (mean * counts if counts else 0.0)
        self._examples += examples
        self._weight += weight

    def means(self) -> dict[str, float]:
        """Return the averages over all examples so far; none if these have no weight."""
        if not self._weight:
            return {}
        return {
            name: total / (self._weight if name == "loss" else self._examples)
            for name, total in self._sums.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far, and what was collected."""
        state = {"sums": dict(self._sums), "examples": self._examples, "weight": self._weight}
        if self._outputs:
            state |= {"outputs": list(self._outputs), "targets": list(self._targets)}
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError, KeyError: a value is missing, or has the wrong type or range.
                Nothing is changed.
        """
        sums = dict(state_dict["sums"])
        if not all(isinstance(value, Real) for value in sums.values()):
            raise TypeError(f"sums of Averages must be numbers, not {sums!r:.60}")
        examples = not_negative("Averages", "examples", state_dict["examples"])
        # Older files have no weights.
        self._weight = not_negative("Averages", "weight", state_dict.get("weight", examples))
        self._examples = examples
        self._sums = sums
        self._outputs = list(state_dict.get("outputs", []))
        self._targets = list(state_dict.get("targets", []))
