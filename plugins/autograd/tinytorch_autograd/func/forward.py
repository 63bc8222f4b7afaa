"""jvp: the derivative along a direction, computed by differentiating the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np

from tinytorch_autograd import gradients, tree
from tinytorch_autograd.func.run import Run, zeros
from tinytorch_autograd.modes import enable_grad, is_grad_enabled
from tinytorch_autograd.tensor_methods import set_requires_grad
from tinytorch_autograd.tracking import is_tracked

Result = TypeVar("Result")


@overload
def jvp(
    f: Callable[..., Result],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[False] = False,
) -> tuple[Result, Result]: ...
@overload
def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool
) -> tuple[Any, ...]: ...
def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """Return the value of `f` and its derivative along a direction, the Jacobian times a vector.

    Backward rules are enough; no forward rules are needed. The backward pass g = Jᵀu is linear in
    the vector u it starts from, so Jv is the gradient of g with respect to u, started from v (the
    double-backward trick; J. Townsend, 2017, "A new trick for calculating Jacobian vector
    products"). A rule must be differentiable itself, as every rule here is. If it applies a NumPy
    function without a rule to the gradient, NoRuleError names that function.

    Args:
        f: a function of tensors, arrays and numbers that returns tensors.
        primals: its arguments, a tuple or list; all are differentiated.
        tangents: the direction, in the structure of `primals`.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        The value, the derivative in the structure of the value, and with `has_aux` the second
        part of the pair; as ndarrays if all of `primals` are, as with `grad`.

    Raises:
        TypeError: `f` returns something other than tensors, or an argument has an integer dtype.
        ValueError: `tangents` differ from `primals` in structure or shape.
        NoRuleError: see above.

    >>> import numpy as np
    >>> jvp(np.sin, (np.array([0.0, 1.0]),), (np.array([1.0, 2.0]),))
    (array([0.        , 0.84147098]), array([1.        , 1.08060461]))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{name} must be a tuple or list with an item for each argument, not {given!r:.40}"
            )
    run = Run(f, primals, {}, range(len(primals)), has_aux)
    directions = run.seeds(tuple(tangents), like="arguments")
    derivative = tree.fill(run.result, _push(run, directions))
    value, aux = run.detached((run.result, run.aux))
    value, derivative, aux = run.returned((value, derivative, aux))
    return (value, derivative, aux) if has_aux else (value, derivative)


def _push(run: Run, directions: Sequence[Any]) -> list[Any]:
    """Return the derivative of each output along `directions`, one for each input."""
    random = np.random.default_rng(0)
    seeds = [_tracked_seed(y, random) for y in run.outputs]
    with enable_grad():
        pulled = run.pull(seeds)
    pairs = [(g, v) for g, v in zip(pulled, directions, strict=True) if is_tracked(g)]
    if not pairs:
        return [zeros(y) for y in run.outputs]
    wanted = [seed for seed in seeds if is_tracked(seed)]
    differentiable = run.outer or any(is_tracked(v) for _, v in pairs)
    found = gradients.grad(
        [g for g, _ in pairs],
        wanted,
        [v for _, v in pairs],
        create_graph=differentiable and is_grad_enabled(),
        allow_unused=True,
    )
    by_seed = dict(zip(wanted, found, strict=True))
    derivatives = [by_seed.get(seed) for seed in seeds]
    return [zeros(y) if d is None else d for y, d in zip(run.outputs, derivatives, strict=True)]


def _tracked_seed(y: Any, random: np.random.Generator) -> Any:
    """Return a gradient of `y` for the backward pass to start from, tracked if `y` is of floats.

    The result does not depend on it, but rules may treat a gradient of 0 as a special case.
    Random numbers also avoid sums that are 0 by accident.
    """
    seed = zeros(y)
    if seed.dtype.kind in "fc":
        seed.data = seed.data + random.uniform(0.5, 1.5, y.shape).astype(y.dtype)
        set_requires_grad(seed, True)
    return seed
