"""The derivative in a direction, jvp, by differentiating the backward pass once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd import gradients, tree
from tinytorch_autograd.func.run import Run, zeros
from tinytorch_autograd.modes import enable_grad, is_grad_enabled
from tinytorch_autograd.tensor_methods import set_requires_grad
from tinytorch_autograd.tracking import is_tracked


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of `f`, and its derivative in a direction: the Jacobian times a vector.

    It works for every function that has a backward rule, and needs no rule of its own: the
    backward pass is linear in the vector u it starts from, g = Jᵀu, so the derivative of g with
    respect to u, walked back from v, is Jv (the double-backward trick; J. Townsend, 2017, "A new
    trick for calculating Jacobian vector products"). What it asks of a rule is that its formula
    be recorded when it is given tensors, as every rule here is. Where one uses, on the gradient, a
    NumPy function without a rule, NoRuleError names that function.

    Args:
        f: a function of tensors, arrays and numbers that returns tensors.
        primals: its arguments, a tuple or list; all are differentiated.
        tangents: the direction, in the structure of `primals`.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        The value, the derivative in the structure of the value, and with `has_aux` the second
        part of what `f` returned.

    Raises:
        TypeError: `f` returns something else than tensors, or an argument is of integers.
        ValueError: `tangents` differ from `primals` in structure or shape.
        NoRuleError: see above.

    >>> import numpy as np
    >>> jvp(np.sin, (np.array([0.0, 1.0]),), (np.array([1.0, 2.0]),))
    (Tensor([0.        , 0.84147098], dtype=float64),
     Tensor([1.        , 1.08060461], dtype=float64))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(f"{name} are a tuple or list, one for each argument, not {given!r:.40}")
    run = Run(f, primals, {}, range(len(primals)), has_aux)
    directions = run.seeds(tuple(tangents), like="arguments")
    value = run.released(run.result)
    slope = tree.fill(run.result, _pushed(run, directions))
    return (value, slope, run.released(run.aux)) if has_aux else (value, slope)


def _pushed(run: Run, directions: Sequence[Any]) -> list[Any]:
    """For each output the derivative along `directions`, one for each input."""
    random = np.random.default_rng(0)
    starts = [_start(y, random) for y in run.outputs]
    with enable_grad():
        pulled = run.pull(starts)
    pairs = [(g, v) for g, v in zip(pulled, directions, strict=True) if g._node is not None]
    if not pairs:
        return [zeros(y) for y in run.outputs]
    floats = [start for start in starts if start._node is not None]
    lasting = run.outer or any(is_tracked(v) for _, v in pairs)
    found = gradients.grad(
        [g for g, _ in pairs],
        floats,
        [v for _, v in pairs],
        create_graph=lasting and is_grad_enabled(),
        allow_unused=True,
    )
    by_start = dict(zip(floats, found, strict=True))
    slopes = [by_start.get(start) for start in starts]
    return [zeros(y) if s is None else s for y, s in zip(run.outputs, slopes, strict=True)]


def _start(y: Any, random: np.random.Generator) -> Any:
    """A vector for the backward pass to start from, tracked if `y` is of floats.

    Any would do, but rules may treat gradients of 0 apart: so none is 0, nor do sums of them
    come to 0 but where they must.
    """
    start = zeros(y)
    if start.dtype.kind in "fc":
        start.data = start.data + random.uniform(0.5, 1.5, y.shape).astype(y.dtype)
        set_requires_grad(start, True)
    return start
