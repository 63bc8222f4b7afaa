"""custom_gradient and stop_gradient: functions with a user-defined derivative."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, to_array

from tinytorch_autograd import tree
from tinytorch_autograd.calls import check_function, record_call
from tinytorch_autograd.complex_numbers import cast, conj
from tinytorch_autograd.errors import LostGradientError
from tinytorch_autograd.modes import enable_grad, is_grad_enabled, no_grad
from tinytorch_autograd.tracking import detached, is_tracked


def stop_gradient(value: Any) -> Any:
    """Return the same values as constants, through which no gradient passes.

    Args:
        value: a tensor or a container of tensors; other values in it are returned unchanged.

    Returns:
        Untracked tensors on the same arrays, in the structure of `value`.

    >>> from tinytorch_autograd import func
    >>> func.grad(lambda x: x * stop_gradient(x))(3.0)
    Tensor(3.)
    """
    return tree.fill(value, map(detached, tree.leaves(value)))


def custom_gradient(f: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Decorate a function that defines its own backward pass.

    Args:
        f: returns a pair: its value, a tensor or a container of tensors, and a function that maps
            the gradient of the value, in the same structure, to the gradients of the positional
            arguments: one gradient, or a tuple if there are several arguments, with None for zero.
            Both work on tensors, which are untracked in the forward pass and in an
            ordinary backward pass. For higher derivatives `f` is called again and recorded, and
            its backward pass is differentiated. Keyword arguments must not require grad. Tensors
            that `f` captures are constants.

    Returns:
        A function of the same arguments that returns the value only.

    Raises:
        TypeError: `f` returns anything but such a pair, or a value that is not a tensor.
        LostGradientError: a keyword argument requires grad.
        ValueError: the backward pass returns a wrong number of gradients, structure or shape.

    The logarithm of 1 + e**x, with a derivative that does not overflow:

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
        _refuse_tracked_keywords(name, kwargs)
        with no_grad():
            constants = tree.fill(args, map(detached, leaves))
            value, pull = _checked_pair(name, f(*constants, **kwargs))
        inputs = [x for x in leaves if is_tracked(x)]
        if not (inputs and is_grad_enabled()):
            return value
        is_input = [is_tracked(x) for x in leaves]
        like = [_zeros_like(name, y) for y in tree.leaves(value)]
        structure = tree.fill(value, like)

        def derivative(inputs: Sequence[Any], grads: Sequence[Any]) -> list[Any]:
            lifted = any(isinstance(g, Tensor) for g in grads)
            with enable_grad() if lifted else no_grad():
                backward = pull
                if lifted:
                    rest = iter(inputs)
                    now = [next(rest) if i else x for x, i in zip(leaves, is_input, strict=True)]
                    backward = _checked_pair(name, f(*tree.fill(args, now), **kwargs))[1]
                pairs = zip(grads, like, strict=True)
                found = backward(tree.fill(structure, [_as_tensor(g, y) for g, y in pairs]))
                chosen = _gradients_of_inputs(name, args, found, is_input)
                pairs = zip(chosen, inputs, strict=True)
                return [_for_engine(name, g, x, lifted) for g, x in pairs]

        edges = [x._node for x in inputs]
        return record_call(name, value, inputs, edges, derivative, _captured(pull))

    return value_of


def _refuse_tracked_keywords(name: str, kwargs: Mapping[str, Any]) -> None:
    for keyword, value in kwargs.items():
        if is_grad_enabled() and any(map(is_tracked, tree.leaves(value))):
            raise LostGradientError(
                f"{name} got the keyword argument {keyword}, which requires grad, but under "
                "custom_gradient only positional arguments have gradients; pass it by position, "
                f"or as {keyword}.detach()"
            )


def _captured(function: Any) -> list[Any]:
    """Return the tensors and arrays that a function refers to in its closure."""
    cells = getattr(function, "__closure__", None) or ()
    found = tree.leaves([getattr(cell, "cell_contents", None) for cell in cells])
    return [x for x in found if isinstance(x, Tensor | np.ndarray)]


def _checked_pair(name: str, returned: Any) -> Any:
    if not (isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1])):
        raise TypeError(
            f"{name} returned {returned!r:.60}; under custom_gradient, it must return a pair: "
            "its value and a function that maps the gradient of the value to gradients"
        )
    return returned


def _zeros_like(name: str, value: Any) -> Any:
    """Return zeros of the shape and dtype of an output, which share one element in memory."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} returned {type(value).__name__}; under custom_gradient, it must return "
            "tensors if its arguments are tensors"
        )
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)


def _as_tensor(grad: Any, like: Any) -> Any:
    """Return a gradient from the engine as a Tensor for the user; `like`, zeros, if it is None."""
    if isinstance(grad, Tensor):
        return conj(grad)
    return from_array(Tensor, like if grad is None else conj(to_array(grad)))


def _gradients_of_inputs(
    name: str, args: Sequence[Any], found: Any, is_input: Sequence[bool]
) -> list[Any]:
    """Return the gradients of the tracked tensors among the positional arguments."""
    given = (found,) if len(args) == 1 else found
    if not isinstance(given, tuple | list) or len(given) != len(args):
        count = len(given) if isinstance(given, tuple | list) else 1
        raise ValueError(
            f"the backward pass of {name} returned {count} gradients for {len(args)} positional "
            "arguments; return one for each, and None for no gradient"
        )
    grads: list[Any] = []
    for arg, grad in zip(args, given, strict=True):
        count = len(tree.leaves(arg))
        if grad is not None and tree.outline(grad) != tree.outline(arg):
            raise ValueError(
                f"the backward pass of {name} returned the structure {tree.outline(grad)} for an "
                f"argument with the structure {tree.outline(arg)}; they must be the same"
            )
        grads += [None] * count if grad is None else tree.leaves(grad)
    return [g for g, i in zip(grads, is_input, strict=True) if i]


def _for_engine(name: str, grad: Any, x: Any, lifted: bool) -> Any:
    """Return a gradient from the user's function, checked, in the form that the engine needs."""
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
