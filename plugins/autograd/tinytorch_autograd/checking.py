"""gradcheck and gradgradcheck: derivatives against differences of values, with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd import func
from tinytorch_autograd.check_problem import problem_of
from tinytorch_autograd.check_report import reason, report
from tinytorch_autograd.errors import GradcheckError


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the derivatives of `f` agree with differences of its values.

    Each element of each input is moved by `eps` up and down, and half the difference of the
    outputs over `eps` compared with the backward pass from each element of the output.

    Args:
        f: a function that returns a tensor or a container of them.
        inputs: its arguments, a tuple or list, or one that is neither; they may be containers.
            Arrays, numbers and Tensors of floats are checked, in float64 for trustworthy
            differences. If some Tensors require grad, those that do not are taken as constants.
        eps: how far an element is moved.
        atol, rtol: the derivatives agree within `atol + rtol * |expected|`.
        raise_exception: otherwise return False where they differ.

    Returns:
        True if all agree.

    Raises:
        GradcheckError: some do not; the message says which elements, what was expected and found,
            and what the reason may be.
        ValueError: there is nothing to check among the inputs.

    >>> gradcheck(lambda x, y: np.tanh(x) * y, (np.ones((2, 3)), np.arange(3.0)))
    True
    """
    problem = problem_of(f, inputs)
    numerical, backward = problem.differences(eps), problem.walked_back()
    wrong = ~(np.abs(backward - numerical) <= atol + rtol * np.abs(numerical))
    if not wrong.any():
        return True
    if raise_exception:
        raise GradcheckError(
            report(problem, numerical, backward, wrong, f"eps={eps:g}, {atol=:g}, {rtol=:g}")
            + reason(problem, numerical, backward, wrong, eps)
        )
    return False


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the second derivatives of `f` agree with differences of its first ones.

    It is `gradcheck` of the backward pass: of the function that gives the gradients of the inputs
    from the inputs and a random gradient of the output.

    Args:
        f, inputs, eps, atol, rtol, raise_exception: as in `gradcheck`.

    Returns:
        True if all agree.

    Raises:
        GradcheckError, ValueError: as `gradcheck`.

    >>> gradgradcheck(lambda x: np.tanh(x), np.ones(3))
    True
    """
    problem = problem_of(f, inputs)
    random = np.random.default_rng(0)
    starts = [np.asarray(random.uniform(0.5, 1.5, y.shape), y.dtype) for y in problem.outputs]

    def backward_pass(points: Sequence[Any], starts: Sequence[Any]) -> Any:
        return func.vjp(problem.function, *points)[1](list(starts))

    backward_pass.__name__ = f"the backward pass of {problem.name}"
    return gradcheck(
        backward_pass,
        (problem.points, starts),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
    )
