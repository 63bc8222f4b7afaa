"""The steps that the Trainer repeats: training on some batches, and evaluating one.

They refer only to what they need, without numbers and lists that change in every step, so that
tinytorch-compile can capture them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_training.arguments import warn_caller
from tinytorch_training.batches import TARGET, WEIGHT, inputs_of, rows_in, share
from tinytorch_training.clipping import clip_grad_norm
from tinytorch_training.data import map_arrays
from tinytorch_training.finite import all_finite, is_finite
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.step_compilers import compiler

# The loss and the output of the model for one batch; None if no metric needs the output.
Result = tuple[Any, Any]
# A function of the shares of the batches of a step.
Weights = Callable[[Sequence[float]], list[float]]


class NotFinite(Exception):
    """A number of a training step is NaN or infinite.

    Attributes:
        index: the index of the batch.
        loss: the loss of the batch, if that is the number; otherwise None.
    """

    def __init__(self, index: int, loss: Any = None) -> None:
        super().__init__()
        self.index, self.loss = index, loss


class Evaluation:
    """Computes the loss of a batch.

    Args:
        model: the model.
        loss: the function of its output and the target.
        with_output: whether to return the output of the model, too.
    """

    def __init__(self, model: Any, loss: Callable[[Any, Any], Any], with_output: bool) -> None:
        self.model, self.loss, self.with_output = model, loss, with_output

    def __call__(self, batch: Any) -> Result:
        """Return the loss and the output.

        Raises:
            TypeError: the loss is not a Tensor of one element.
        """
        if isinstance(batch, dict):
            positional, named = inputs_of(batch)
            output = self.model(*positional, **named)
            target = batch[TARGET]
            full = bool(rows_in(target))
            loss = self._weighted(output, target, batch.get(WEIGHT)) if full else _zero(output)
        else:
            *inputs, target = batch
            output = self.model(*inputs)
            loss = self.loss(output, target) if rows_in(target) else _zero(output)
        if not isinstance(loss, Tensor):
            raise TypeError(f"the loss must be a Tensor of one element, not {loss!r:.60}")
        if loss.size != 1:
            raise TypeError(f"the loss must have one element, but has the shape {loss.shape}")
        return loss, map_arrays(detached, output) if self.with_output else None

    def _weighted(self, output: Any, target: Any, weight: Any) -> Any:
        """Return the loss, in which each example counts as much as its weight."""
        if weight is None:
            return self.loss(output, target)
        loss: Any = self.loss
        reduction = getattr(loss, "reduction", None)
        if reduction is None:
            return loss(output, target, weight)
        if reduction != "mean":
            raise ValueError(f"sample weights need a loss with reduction='mean', not {reduction!r}")
        each = copy.copy(loss)
        each.reduction = "none"
        losses = each(output, target)
        losses = losses.reshape(len(losses), -1).mean(axis=1)
        if weight.shape != losses.shape:
            raise ValueError(
                f"the weights of a batch must have the shape {losses.shape}, one number for each "
                f"example, not {weight.shape}"
            )
        total = weight.sum()
        # The loss of a batch in which all weights are 0 is 0.
        return (losses * weight).sum() / (total + (total == 0))


class TrainingStep:
    """Trains a model with one step of the optimizer.

    Args:
        evaluation: computes the loss of a batch.
        optimizer: the optimizer.
        max_grad_norm: the norm to which the gradients are clipped, or None.
        weights: a function of the numbers of examples in the batches that returns the weight of
            each batch in the gradient; None for weights in proportion to these numbers.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        optimizer: Optimizer,
        max_grad_norm: float | None,
        weights: Weights | None = None,
    ) -> None:
        self.evaluation, self.optimizer = evaluation, optimizer
        self.max_grad_norm = max_grad_norm
        self.weights = weights

    def __call__(self, *batches: Any) -> list[Result]:
        """Return the loss and the output of each batch.

        The gradients are those of the mean over the examples of all batches.

        Raises:
            NotFinite: the loss or a gradient is NaN or infinite. The parameters are unchanged.
        """
        results, failure = self._backward(batches)
        self._check_and_clip(len(batches), failure)
        self.optimizer.step()
        return results

    def _backward(self, batches: Sequence[Any]) -> tuple[list[Result], NotFinite | None]:
        """Compute the gradients.

        Returns:
            The loss and the output of each batch, and the error for a loss that is not finite. With
            `weights`, other processes wait for the passes of all batches; otherwise such a loss
            ends the step.
        """
        self.optimizer.zero_grad()
        results: list[Result] = []
        failure = None
        given = self.weights
        weights = _weights(batches) if given is None else given([share(b) for b in batches])
        for index, (batch, weight) in enumerate(zip(batches, weights, strict=True)):
            loss, output = self.evaluation(batch)
            if not is_finite(unwrap(loss)):
                # Compute the gradients for the error message, which replaces NumPy's warnings.
                with np.errstate(all="ignore"):
                    loss.backward(np.full(loss.shape, weight))
                failure = failure or NotFinite(index, loss)
                if given is None:
                    break
                continue
            loss.backward(None if weight == 1 else np.full(loss.shape, weight))
            results.append((loss, output))
        return results, failure

    def _check_and_clip(self, batches: int, failure: NotFinite | None) -> None:
        if failure is not None:
            raise failure
        if not all_finite(self.optimizer.parameters()):
            raise NotFinite(batches - 1)
        if self.max_grad_norm is not None:
            clip_grad_norm(self.optimizer.parameters(), self.max_grad_norm)


class ObservedTrainingStep(TrainingStep):
    """A step that calls functions after the backward pass and around the optimizer's step.

    Args:
        step: the arguments of a `TrainingStep`.
        observers: the argument of the functions, and the functions for these three points.
    """

    def __init__(self, *step: Any, observers: tuple[Any, ...]) -> None:
        super().__init__(*step)
        self.observers = observers

    def __call__(self, *batches: Any) -> list[Result]:
        """Return the loss and the output of each batch.

        Raises:
            NotFinite: the loss or a gradient is NaN or infinite. The parameters are unchanged.
        """
        trainer, after_backward, before_step, after_step = self.observers
        results, failure = self._backward(batches)
        for function in after_backward:
            function(trainer)
        self._check_and_clip(len(batches), failure)
        for function in before_step:
            function(trainer)
        self.optimizer.step()
        for function in after_step:
            function(trainer)
        return results


def _zero(output: Any) -> Any:
    """Return the loss of an empty batch: 0, with a graph that leads to all parameters."""
    if isinstance(output, dict):
        return _zero(tuple(output.values()))
    if isinstance(output, tuple | list):
        return sum((_zero(each) for each in output[1:]), _zero(output[0]))
    return output.sum()


def _weights(batches: Sequence[Any]) -> list[float]:
    """Return the share of each batch in the examples."""
    if len(batches) == 1:
        return [1]
    sizes = [share(batch) for batch in batches]
    total = sum(sizes) or 1  # all weights may be 0
    return [size / total for size in sizes]


class Steps:
    """The steps of a Trainer, as they are or compiled.

    Args:
        parts: the model, the loss, the optimizer, the maximum norm of the gradients, whether the
            outputs of the model are needed, whether to compile, or the name of the backend,
            the functions to call inside a step with their argument, or None, and the weights of
            the batches, or None.

    Attributes:
        parts: those parts.
        evaluate: an `Evaluation`.
        train: a `TrainingStep`.
    """

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        model, loss, optimizer, max_grad_norm, with_output, compile, observers, weights = parts
        evaluation = Evaluation(model, loss, with_output)
        step = evaluation, optimizer, max_grad_norm, weights
        change = compiler(compile) if compile else _unchanged
        self.evaluate: Callable[[Any], Result] = change(evaluation)
        self.train: Callable[..., list[Result]]
        if observers is None:
            self.train = change(TrainingStep(*step))
            return
        self.train = ObservedTrainingStep(*step, observers=observers)
        if compile:
            warn_caller(
                "Trainer(compile=True) runs the steps of training as they are, because "
                f"{_names(observers)} must be called inside them; predictions are still compiled"
            )


def _unchanged(step: Any) -> Any:
    return step


def _names(observers: tuple[Any, ...]) -> str:
    return ", ".join(f"{f.__qualname__}()" for functions in observers[1:] for f in functions)


def detached(value: Any) -> Any:
    """Return a Tensor without its graph, and anything else as it is."""
    return value.detach() if getattr(value, "requires_grad", False) else value
