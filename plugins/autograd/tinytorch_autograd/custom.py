"""custom_gradient and stop_gradient: derivatives as a user wants them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import tree
from tinytorch_autograd.calls import check_function, record_call
from tinytorch_autograd.complex_numbers import cast, conj
from tinytorch_autograd.modes import enable_grad, is_grad_enabled, no_grad
from tinytorch_autograd.tracking import is_tracked, without_history


def stop_gradient(value: Any) -> Any:
    """The same values as constants: no gradient goes through them.

    Args:
        value: a tensor, or a container of them; what is no tensor is returned as it is.

    Returns:
        Tensors on the same arrays, without history, in the structure of `value`.

    >>> from tinytorch_autograd import func
    >>> func.grad(lambda x: x * stop_gradient(x))(3.0)
    Tensor(3.)
    """
    return tree.fill(value, map(without_history, tree.leaves(value)))


def custom_gradient(f: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """A decorator for a function that brings its own backward pass.

    Args:
        f: returns a pair: its value, a tensor or a container of them, and a function from the
            gradient of the value, in the same structure, to those of the positional arguments: one
            gradient, or a tuple if there are several arguments; None for no gradient. It works on
            tensors, untracked ones in the forward pass and an ordinary backward pass. For higher
            derivatives `f` is called again, recorded, so they follow from its own backward pass.
            Keyword arguments, and tensors that `f` uses without being given them, are constants.

    Returns:
        A function of the same arguments that returns the value alone.

    Raises:
        TypeError: `f` returns no such pair, or its function something else than gradients.
        ValueError: its function returns another number of gradients, or another shape.

    A logarithm of 1 + e**x whose derivative does not overflow:

    >>> @custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda grad: grad * (1 - 1 / (1 + e))
    >>> x = Tensor([0.0, 50.0], requires_grad=True)
    >>> log1pexp(x).sum().backward()
    >>> x.grad
    array([0.5, 1. ], dtype=float32)
    """
    check_function("custom_gradient", f)
    name = getattr(f, "__name__", repr(f))

    @functools.wraps(f)
    def value_of(*args: Any, **kwargs: Any) -> Any:
        leaves = tree.leaves(args)
        with no_grad():
            plain = tree.fill(args, map(without_history, leaves))
            value, pull = _pair(name, f(*plain, **kwargs))
        inputs = [x for x in leaves if is_tracked(x)]
        if not (inputs and is_grad_enabled()):
            return value
        is_input = [is_tracked(x) for x in leaves]
        like = [_blank(name, y) for y in tree.leaves(value)]
        structure = tree.fill(value, like)

        def derivative(inputs: Sequence[Any], grads: Sequence[Any]) -> list[Any]:
            lifted = any(isinstance(g, Tensor) for g in grads)
            with enable_grad() if lifted else no_grad():
                backward = pull
                if lifted:
                    rest = iter(inputs)
                    now = [next(rest) if i else x for x, i in zip(leaves, is_input, strict=True)]
                    backward = _pair(name, f(*tree.fill(args, now), **kwargs))[1]
                pairs = zip(grads, like, strict=True)
                found = backward(tree.fill(structure, [_cotangent(g, y) for g, y in pairs]))
                chosen = _of_inputs(name, args, found, is_input)
                pairs = zip(chosen, inputs, strict=True)
                return [_fitted(name, g, x, lifted) for g, x in pairs]

        return record_call(name, value, inputs, [x._node for x in inputs], derivative)

    return value_of


def _pair(name: str, made: Any) -> Any:
    if not (isinstance(made, tuple) and len(made) == 2 and callable(made[1])):
        raise TypeError(
            f"{name}, under custom_gradient, must return its value and a function from gradient "
            f"to gradients, not {made!r:.60}"
        )
    return made


def _blank(name: str, value: Any) -> Any:
    """Zeros like an output, of which only shape and dtype take memory."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}, under custom_gradient, must return tensors when it is given tensors, "
            f"not {type(value).__name__}"
        )
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)


def _cotangent(grad: Any, like: Any) -> Any:
    if isinstance(grad, Tensor):
        return conj(grad)
    return from_array(Tensor, like if grad is None else conj(np.asanyarray(grad)))


def _of_inputs(name: str, args: Sequence[Any], found: Any, is_input: Sequence[bool]) -> list[Any]:
    """The gradients of the tracked tensors, out of those of all positional arguments."""
    given = (found,) if len(args) == 1 else found
    if not isinstance(given, tuple | list) or len(given) != len(args):
        count = len(given) if isinstance(given, tuple | list) else 1
        raise ValueError(
            f"the backward pass of {name} returned {count} gradients for {len(args)} positional "
            "arguments: return one for each, None where there is none"
        )
    grads: list[Any] = []
    for arg, grad in zip(args, given, strict=True):
        count = len(tree.leaves(arg))
        if grad is not None and tree.outline(grad) != tree.outline(arg):
            raise ValueError(
                f"the backward pass of {name} returned {tree.outline(grad)} for an argument "
                f"{tree.outline(arg)}; they must have the same structure"
            )
        grads += [None] * count if grad is None else tree.leaves(grad)
    return [g for g, i in zip(grads, is_input, strict=True) if i]


def _fitted(name: str, grad: Any, x: Any, lifted: bool) -> Any:
    """A gradient that a user's function returned, as the engine carries it."""
    if grad is None:
        return None
    if not hasattr(grad, "shape"):
        grad = np.asarray(grad, x.dtype)
    if grad.shape != x.shape:
        raise ValueError(
            f"the backward pass of {name} returned a gradient of shape {grad.shape} for an "
            f"argument of shape {x.shape}; they must be the same"
        )
    if lifted:
        grad = grad if isinstance(grad, Tensor) else from_array(Tensor, grad)
    else:
        grad = grad.data if isinstance(grad, Tensor) else grad
    return conj(grad if grad.dtype == x.dtype else cast(grad, x.dtype))
