"""Transforms of functions, as `torch.func` has them beside `torch.autograd`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.tensor import TensorBase

from tinytorch_autograd import engine, gradients
from tinytorch_autograd.modes import enable_grad, is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that computes the derivative of `f`, which returns a tensor of one element.

    Args:
        f: a function of tensors. Numbers and arrays among the chosen arguments become tensors.
        argnums: with respect to which argument, or arguments.

    Returns:
        A function of the same arguments. It returns a Tensor of the argument's shape, or a tuple
        of them for several `argnums`; zeros where `f` does not depend on the argument. It can be
        transformed in turn.

    Raises:
        TypeError: `f` returns no tensor, or an argument is of integers.
        NonScalarError: `f` returns a tensor of several elements.

    >>> grad(lambda x: x**3)(2.0)
    Tensor(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    Tensor(12.)
    """
    wanted = [argnums] if isinstance(argnums, int) else list(argnums)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        given = list(args)
        for i in wanted:
            if not -len(given) <= i < len(given):
                raise TypeError(f"argnums names argument {i}, and {len(given)} were given")
            given[i] = _entry(given[i])
        chosen = [given[i] for i in wanted]
        recording = is_grad_enabled()
        with enable_grad():
            out = f(*given, **kwargs)
        found = _derivatives(f, out, chosen, recording)
        return found[0] if isinstance(argnums, int) else tuple(found)

    return gradient


def _entry(value: Any) -> Any:
    """A tensor of its own for one call, still tied to `value` if that is tracked."""
    if isinstance(value, TensorBase) and value._node is not None:
        with enable_grad():
            return value.copy()
    entry = Tensor(value)
    entry.requires_grad = True
    return entry


def _derivatives(
    f: Callable[..., Any], out: Any, chosen: Sequence[Any], recording: bool
) -> list[Any]:
    name = getattr(f, "__name__", repr(f))
    if not isinstance(out, TensorBase):
        raise TypeError(
            f"grad({name}) needs a function that returns a tensor, not {type(out).__name__}"
        )
    gradients.first_gradient(out, None)
    if out._node is None:
        return [_zeros(x) for x in chosen]
    nodes = engine.nodes_of([out._node])[1]
    # What else the result depends on may be differentiated later, by whoever made it.
    own = {x._node for x in chosen}
    outer = recording and any(type(n) is AccumulateGrad and n not in own for n in nodes)
    found = gradients.grad(out, chosen, create_graph=outer, retain_graph=outer, allow_unused=True)
    return [_zeros(x) if g is None else g for x, g in zip(chosen, found, strict=True)]


def _zeros(x: Any) -> Any:
    return type(x)._from_array(np.zeros_like(x._data))
