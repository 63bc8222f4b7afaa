"""from_jax: functions of JAX as ops of Tensors, with derivatives of any order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_xla.arguments import Array
from tinytorch_xla.engine import in_64_bits, is_traced, jax
from tinytorch_xla.places import is_recording

Function = Callable[..., Any]


def from_jax(f: Function) -> Function:
    """Return a function of JAX as a function of Tensors.

    The result is an op with the derivatives that JAX computes, of any order, also inside of `jit`
    and of the transforms of `func`. 64-bit numbers keep their precision.

    Args:
        f: a function of arrays of JAX that returns arrays of JAX, in nested tuples, lists and
            dicts. It may be compiled with `jax.jit`. It must be pure, as JAX requires.

    Returns:
        A function of Tensors, arrays and other values. Values that are not arrays are passed on as
        they are. The results are Tensors on ndarrays, or on arrays of JAX if an argument is one.

    Raises:
        TypeError: `f` is not a function.

    >>> import jax.numpy as jnp
    >>> logsumexp = from_jax(jax.nn.logsumexp)
    >>> x = Tensor([1.0, 1.0], requires_grad=True)
    >>> logsumexp(x).backward()
    >>> x.grad
    array([0.5, 0.5], dtype=float32)
    """
    if not callable(f):
        raise TypeError(f"from_jax() takes a function, not {f!r:.60}")
    name = getattr(f, "__name__", None) or repr(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs), is_leaf=lambda v: v is None)

        def function(*values: Any) -> Any:
            positional, named = jax.tree.unflatten(structure, values)
            return f(*positional, **named)

        return _applied(function, leaves, name)

    call.__name__, call.__doc__ = name, getattr(f, "__doc__", None)
    return call


def _applied(function: Function, values: Sequence[Any], name: str) -> Any:
    """Return the result of a function of JAX for Tensors, recorded if one is tracked."""
    tracked = [i for i, v in enumerate(values) if getattr(v, "requires_grad", False) is True]
    keeps = _contains_jax(values)
    given = [_as_jax(v) for v in values]
    if not (tracked and is_recording()):
        return _results(_run(function, given), keeps)
    structure: list[Any] = []

    def of_tracked(*arrays: Any) -> list[Any]:
        now = list(given)
        for i, array in zip(tracked, arrays, strict=True):
            now[i] = array
        leaves, structure[:] = _flattened(function(*now))
        return leaves

    found = _op(of_tracked, name, keeps)(*(values[i] for i in tracked))
    return jax.tree.unflatten(structure[0], found)


def _flattened(result: Any) -> tuple[list[Any], list[Any]]:
    leaves, structure = jax.tree.flatten(result)
    return leaves, [structure]


def _op(function: Function, name: str, keeps: bool) -> Function:
    """Return a function of arrays of JAX as an op of Tensors with respect to all its arguments.

    Args:
        function: returns a list of arrays.
        name: the name of the op.
        keeps: whether results stay arrays of JAX, instead of becoming ndarrays.
    """
    from tinytorch_autograd import custom_gradient  # a tensor requires grad, so it is installed

    def value_and_pull(*inputs: Any) -> tuple[Any, Function]:
        if any(getattr(x, "requires_grad", False) for x in inputs):
            # The backward pass is recorded: it is another function of JAX.
            def pull_recorded(grads: Any) -> Any:
                vjp = functools.partial(_vjp, function, len(inputs))
                return _for_arguments(_applied(vjp, [*inputs, *grads], f"vjp of {name}"))

            return None, pull_recorded
        outputs, vjp = _vjp_of(function, [_as_jax(x) for x in inputs])

        def pull(grads: Any) -> Any:
            return _for_arguments(_results(_called(vjp, outputs, grads), keeps))

        return _results(outputs, keeps), pull

    value_and_pull.__name__ = name
    return custom_gradient(value_and_pull)


def _for_arguments(grads: Sequence[Any]) -> Any:
    """Return gradients as `custom_gradient` needs them: a single one not in a tuple."""
    return grads[0] if len(grads) == 1 else tuple(grads)


@in_64_bits
def _run(function: Function, values: Sequence[Any]) -> Any:
    return function(*values)


@in_64_bits
def _vjp_of(function: Function, values: Sequence[Any]) -> Any:
    return jax.vjp(function, *values)


@in_64_bits
def _called(vjp: Function, outputs: Sequence[Any], grads: Sequence[Any]) -> tuple[Any, ...]:
    """Return the gradients of the inputs for those of the outputs.

    JAX's gradients of complex numbers are the conjugates of ours.
    """
    pairs = zip(outputs, grads, strict=True)
    return tuple(jax.numpy.conj(g) for g in vjp([_cotangent(y, _as_jax(g)) for y, g in pairs]))


def _vjp(function: Function, count: int, *values: Any) -> tuple[Any, ...]:
    """Return the gradients of `count` inputs, which those of the outputs follow."""
    outputs, vjp = jax.vjp(function, *values[:count])
    return _called(vjp, outputs, values[count:])


def _cotangent(output: Any, grad: Any) -> Any:
    """Return a gradient as JAX needs it: whole numbers have gradients of dtype float0."""
    if np.dtype(output.dtype).kind not in "fcV":
        return np.zeros(output.shape, jax.dtypes.float0)
    return jax.numpy.conj(grad).astype(output.dtype)


def _contains_jax(values: Sequence[Any]) -> bool:
    """Return whether one of the values is an array of JAX, or a Tensor on one."""
    return any(isinstance(unwrap(v), Array | jax.Array) for v in values)


@in_64_bits
def _as_jax(value: Any) -> Any:
    """Return a Tensor or an array as an array of JAX, and anything else unchanged."""
    array = unwrap(value)
    if isinstance(array, Array):
        return array.value
    return jax.numpy.asarray(array) if isinstance(array, np.ndarray | np.generic) else array


def _results(found: Any, keeps: bool) -> Any:
    """Return arrays of JAX in nested containers as Tensors, and anything else unchanged.

    Args:
        found: the containers.
        keeps: whether the Tensors are on arrays of JAX, instead of ndarrays.
    """

    def result(value: Any) -> Any:
        if not isinstance(value, jax.Array):
            return value
        # A traced array has no numbers that an ndarray could hold.
        stays = keeps or is_traced(value)
        return from_array(Tensor, Array(value) if stays else np.array(value))

    return jax.tree.map(result, found)
