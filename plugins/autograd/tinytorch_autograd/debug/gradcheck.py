"""gradcheck and gradgradcheck: compare derivatives with differences of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd import func
from tinytorch_autograd.debug.checked_function import checked_function
from tinytorch_autograd.debug.report import likely_reason, report
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
    """Return whether the derivatives of `f` agree with differences of its values.

    Each element of each input is moved up and down by `eps`. The difference of the outputs,
    divided by 2 `eps`, is compared with the gradients of each element of the output.

    Args:
        f: a function that returns a tensor or a container of tensors.
        inputs: a tuple or list of its arguments, or a single argument; arguments may be containers.
            Arrays, numbers and Tensors of floats are checked; use float64, because differences in
            float32 are too coarse. If some Tensors require grad, the Tensors that do not are
            constants.
        eps: the step.
        atol, rtol: derivatives agree within `atol + rtol * |expected|`.
        raise_exception: if False, return False where derivatives disagree.

    Returns:
        True if all agree.

    Raises:
        GradcheckError: some disagree; the message shows which elements, the expected and found
            values, and the likely reason. Or `f` returns different values for the same inputs.
        ValueError: the inputs contain nothing to check.

    >>> gradcheck(lambda x, y: np.tanh(x) * y, (np.ones((2, 3)), np.arange(3.0)))
    True
    """
    checked = checked_function(f, inputs)
    numerical, backward = checked.jacobian_by_differences(eps), checked.jacobian_by_backward()
    wrong = ~(np.abs(backward - numerical) <= atol + rtol * np.abs(numerical))
    if not wrong.any():
        return True
    if raise_exception:
        raise GradcheckError(
            report(checked, numerical, backward, wrong, f"eps={eps:g}, {atol=:g}, {rtol=:g}")
            + likely_reason(checked, numerical, backward, wrong, eps)
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
    """Return whether the second derivatives of `f` agree with differences of its first ones.

    This is `gradcheck` of the backward pass, a function that maps the inputs and a random gradient
    of the output to the gradients of the inputs.

    Args:
        f, inputs, eps, atol, rtol, raise_exception: as in `gradcheck`.

    Returns:
        True if all agree.

    Raises:
        GradcheckError, ValueError: as `gradcheck`.

    >>> gradgradcheck(lambda x: np.tanh(x), np.ones(3))
    True
    """
    checked = checked_function(f, inputs)
    random = np.random.default_rng(0)
    seeds = [np.asarray(random.uniform(0.5, 1.5, y.shape), y.dtype) for y in checked.outputs]

    def backward_pass(inputs: Sequence[Any], seeds: Sequence[Any]) -> Any:
        return func.vjp(checked.function, *inputs)[1](list(seeds))

    backward_pass.__name__ = f"the backward pass of {checked.name}"
    return gradcheck(
        backward_pass,
        (checked.inputs, seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
    )
