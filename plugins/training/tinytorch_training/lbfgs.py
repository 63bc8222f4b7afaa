"""L-BFGS."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import count, not_negative
from tinytorch_training.line_search import Point, strong_wolfe
from tinytorch_training.optimizer import Check, Closure, Optimizer
from tinytorch_training.updates import sgd_update

Array = Any

# The smallest product of a step and the change of the gradient that is remembered.
_LEAST_CURVATURE = 1e-10


def _line_search(owner: str, name: str, value: Any) -> str | None:
    if value not in (None, "strong_wolfe"):
        raise ValueError(f"{name} of {owner} must be 'strong_wolfe' or None, not {value!r:.60}")
    return value


class LBFGS(Optimizer):
    """The quasi-Newton method of Liu and Nocedal (1989), with limited memory.

    A step consists of up to `max_iter` iterations, for which it evaluates the loss several times
    with a function: `optimizer.step(closure)`. The direction of an iteration is computed from the
    last changes of the parameters and of the gradient. It decides by values, so the arrays of the
    parameters must have values that `float` can convert. A `Trainer` calls `step` without a
    function, so write your own loop for LBFGS.

    Args:
        params: the parameters, in one group.
        lr: the learning rate: the length of the first step of a line search, or of every step.
        max_iter: the largest number of iterations per step.
        max_eval: the largest number of evaluations per step; None for 1.25 `max_iter`.
        tolerance_grad: the step ends if no element of the gradient is larger.
        tolerance_change: the step ends if neither the loss nor a parameter changes more.
        history_size: how many changes are remembered.
        line_search_fn: "strong_wolfe", or None for steps of length `lr`.

    Raises:
        TypeError, ValueError: see `Optimizer`, or there are several groups.

    >>> w = Tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - Tensor([1.0, 0.5])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    10.25
    >>> w.data.round(3)
    array([1. , 0.5], dtype=float32)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "max_iter": count,
        "max_eval": count,
        "tolerance_grad": not_negative,
        "tolerance_change": not_negative,
        "history_size": count,
        "line_search_fn": _line_search,
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = max(1, count("LBFGS", "max_iter", max_iter) * 5 // 4)
        super().__init__(
            params,
            lr=lr,
            max_iter=max_iter,
            max_eval=max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add the only group of parameters.

        Raises:
            TypeError, ValueError: as in the constructor. The optimizer is unchanged.
        """
        if self.param_groups:
            raise ValueError("LBFGS supports only one group of parameters; pass all in one list")
        super().add_param_group(param_group)

    def step(self, closure: Closure | None = None) -> Any:
        """Minimize the loss by up to `max_iter` iterations.

        Args:
            closure: a function without arguments that sets the gradients to None, computes the
                loss and its gradients, and returns the loss.

        Returns:
            The loss at the start of the step.

        Raises:
            TypeError: `closure` is missing, or is not a function.
        """
        from tinytorch_autograd import no_grad

        if closure is None:
            raise TypeError(
                "LBFGS evaluates the loss several times per step, so step() needs a function that "
                "computes the loss and its gradients: step(closure)"
            )
        evaluated = functools.partial(self._evaluated, closure)
        with no_grad():
            loss = evaluated()
            state = self.state.setdefault(self.parameters()[0], {})
            _Step(self, evaluated, state, self.param_groups[0]).run(loss)
        return loss

    def _loaded_value(self, i: int, parameter: Tensor, key: str, value: Any) -> Any:
        """Return a value of the state: a number, a flat array, or a list of them."""
        if isinstance(value, list | tuple):
            return [self._loaded_value(i, parameter, key, item) for item in value]
        if not hasattr(value, "shape"):
            return value
        size = sum(p.size for p in self.parameters())
        if value.shape != (size,):
            raise ValueError(
                f"{key!r} has shape {value.shape} in this state, but the parameters of LBFGS have "
                f"{size} elements"
            )
        return value.astype(parameter.dtype)


class _Step:
    """One call of `LBFGS.step`.

    The state has the names that PyTorch gives it: "d" and "t", the direction and the length of the
    last iteration; "old_dirs" and "old_stps", the last changes of the gradient and of the
    parameters; "ro", the inverses of their products; "H_diag", the initial inverse Hessian;
    "prev_flat_grad" and "prev_loss"; "func_evals" and "n_iter", the numbers of evaluations and of
    iterations so far.
    """

    def __init__(
        self,
        optimizer: LBFGS,
        closure: Closure,
        state: dict[str, Any],
        group: Mapping[str, Any],
    ) -> None:
        self._optimizer, self._closure, self._state = optimizer, closure, state
        self._options = group
        self._parameters: list[Tensor] = group["params"]

    def run(self, first: Any) -> None:
        """Run the iterations, given the loss at the start."""
        state, options = self._state, self._options
        loss, gradient = _number(first), self._gradient()
        evaluations = 1
        state.setdefault("n_iter", 0)
        state["func_evals"] = state.get("func_evals", 0) + 1
        if _largest(gradient) <= options["tolerance_grad"]:
            return
        for iteration in range(1, options["max_iter"] + 1):
            self._set_direction(gradient)
            before = state["prev_loss"] = loss
            slope = float(gradient @ state["d"])
            if slope > -options["tolerance_change"]:
                return
            loss, gradient, used = self._move(
                Point(0.0, loss, gradient, slope),
                is_last=iteration == options["max_iter"],
                most=options["max_eval"] - evaluations,
            )
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= options["max_eval"]
                or _largest(gradient) <= options["tolerance_grad"]
                or _largest(state["d"] * state["t"]) <= options["tolerance_change"]
                or abs(loss - before) < options["tolerance_change"]
            ):
                return

    def _set_direction(self, gradient: Array) -> None:
        """Set the direction of the next iteration, and the first step to try."""
        state, lr = self._state, self._options["lr"]
        state["n_iter"] += 1
        if state["n_iter"] == 1:
            state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            total = float(abs(gradient).sum())
            state["t"] = min(1.0, 1.0 / total) * lr
        else:
            self._remember(gradient - state["prev_flat_grad"], state["d"] * state["t"])
            state["d"] = self._times_inverse_hessian(-gradient)
            state["t"] = lr
        state["prev_flat_grad"] = gradient

    def _remember(self, y: Array, s: Array) -> None:
        """Add a change of the gradient and of the parameters to the memory."""
        state = self._state
        product = float(y @ s)
        if product <= _LEAST_CURVATURE:
            return
        for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1.0 / product)):
            if len(state[name]) >= self._options["history_size"]:
                del state[name][0]
            state[name].append(value)
        state["H_diag"] = product / float(y @ y)

    def _times_inverse_hessian(self, q: Array) -> Array:
        """Return the product of the inverse Hessian with a vector, by the two-loop recursion."""
        state = self._state
        memory = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
        factors = []
        for y, s, ro in reversed(memory):
            factors.append(float(s @ q) * ro)
            q = q - y * factors[-1]
        q = q * state["H_diag"]
        for (y, s, ro), a in zip(memory, reversed(factors), strict=True):
            q = q + s * (a - float(y @ q) * ro)
        return q

    def _move(self, start: Point, is_last: bool, most: int) -> tuple[float, Array, int]:
        """Move the parameters; return the loss, the gradient and the number of evaluations."""
        state = self._state
        if self._options["line_search_fn"] is None:
            self._add(state["t"])
            if is_last:  # the next step evaluates the loss again
                return start.loss, start.gradient, 0
            return _number(self._closure()), self._gradient(), 1
        saved = [p.data.copy() for p in self._parameters]

        def evaluate(t: float) -> Point:
            self._add(t)
            try:
                loss, gradient = _number(self._closure()), self._gradient()
            finally:
                self._restore(saved)
            return Point(t, loss, gradient, float(gradient @ state["d"]))

        tolerance = self._options["tolerance_change"]
        length = _largest(state["d"])
        found, used = strong_wolfe(evaluate, start, state["t"], length, tolerance, most)
        state["t"] = found.t
        self._add(found.t)
        return found.loss, found.gradient, used

    def _add(self, t: float) -> None:
        """Add `t` times the direction to the parameters."""
        end = 0
        for parameter in self._parameters:
            start, end = end, end + parameter.size
            change = self._state["d"][start:end].reshape(parameter.shape)
            scratch = self._optimizer.scratch(parameter)
            sgd_update(parameter, change, {}, scratch, -t, 0.0, 0.0, 0.0, False)

    def _restore(self, saved: list[Array]) -> None:
        for parameter, array in zip(self._parameters, saved, strict=True):
            if array.__class__ is np.ndarray:
                parameter[...] = array
            else:
                parameter.data = array

    def _gradient(self) -> Array:
        """Return the gradients of all parameters as one flat array; zeros for None."""
        return np.concatenate(
            [
                (np.zeros_like(p.data) if p.grad is None else p.grad).reshape(-1)
                for p in self._parameters
            ]
        )


def _largest(x: Array) -> float:
    return float(abs(x).max(initial=0.0))


def _number(loss: Any) -> float:
    return float(loss.item() if hasattr(loss, "item") else loss)
