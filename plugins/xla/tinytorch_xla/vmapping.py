"""`vmap`: a function of one example as a function of a batch, without a loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_xla.arguments import Leaf, as_jax, collected, filled, rebuilt
from tinytorch_xla.array import Array
from tinytorch_xla.checks import not_checking
from tinytorch_xla.engine import in_64_bits, jax
from tinytorch_xla.errors import XlaError
from tinytorch_xla.places import is_recording

Axes = int | None | Sequence[int | None]


def vmap(f: Callable[..., Any], in_axes: Axes = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Return a function that applies `f` to each example of a batch, as one computation.

    It nests with the transforms of `tinytorch_autograd.func` and with itself:
    `vmap(func.grad(loss), in_axes=(None, 0))` computes the gradient for each example, and
    `func.grad` of a function that calls a `vmap` works too. It does not compile; use
    `jit(vmap(f))`.

    Args:
        f: a function of tensors, arrays and numbers that returns tensors or arrays, or tuples,
            lists and dicts of them. Random numbers are the same for every example.
        in_axes: the axis of the batch in the arrays of each argument, or None for an argument that
            is the same for all examples; a number or a sequence with one for each argument.
        out_axes: the axis of the batch in the results; a number, or a tuple with one for each item
            of the tuple that `f` returns.

    Returns:
        A function of batches. It returns Tensors where `f` does.

    Raises:
        TypeError: `f` cannot be called, or the number of axes and of arguments differ.
        ValueError: the batches have different lengths, or an array lacks the axis.
        XlaError: `f` refers to a tensor that requires grad, whose gradient would be lost.
    """
    if not callable(f):
        raise TypeError(f"vmap() takes a function, not {f!r:.60}")
    return functools.wraps(f, updated=())(_Vmapped(f, in_axes, out_axes))


class _Vmapped:
    """A function of batches; see `vmap`."""

    def __init__(self, f: Callable[..., Any], in_axes: Axes, out_axes: Any) -> None:
        self.f, self.in_axes, self.out_axes = f, in_axes, out_axes

    @in_64_bits
    def __call__(self, *args: Any) -> Any:
        given: Any = self.in_axes
        axes = given if isinstance(given, tuple | list) else (given,) * len(args)
        if len(axes) != len(args):
            raise TypeError(f"in_axes of vmap() has {len(axes)} items for {len(args)} arguments")
        tensors: list[Any] = []
        places: list[Any] = []
        tree = tuple(
            _flattened(a, axis, tensors, places) for a, axis in zip(args, axes, strict=True)
        )
        _check_lengths(tensors, places)
        if is_recording() and any(getattr(t, "requires_grad", False) for t in tensors):
            return self._recorded(tree, tensors, places)
        return self._batched(tree, tensors, places)

    def _batched(self, tree: Any, tensors: Sequence[Any], places: Sequence[Any]) -> Any:
        results: list[Any] = []

        def one(*values: Any) -> Any:
            with not_checking():
                result = self.f(*filled(tree, values))
            outputs: list[Any] = []
            _check_detached(result)
            results.append(collected(result, outputs))
            return outputs

        def shaped(*values: Any) -> Any:
            outputs = one(*values)
            return _split(results[-1], self.out_axes, outputs)

        values = [as_jax(unwrap(t)) for t in tensors]
        out_axes = self.out_axes
        if isinstance(out_axes, tuple | list):
            found = jax.vmap(shaped, tuple(places), tuple(out_axes))(*values)
            outputs = [value for group in found for value in group]
        else:
            outputs = jax.vmap(one, tuple(places), out_axes)(*values)
        return filled(results[-1], outputs)

    def _recorded(self, tree: Any, tensors: Sequence[Any], places: Sequence[Any]) -> Any:
        """Run the function as one recorded call, whose backward pass is a `vmap` too."""
        from tinytorch_autograd import custom_gradient, func

        if isinstance(self.out_axes, tuple | list):
            raise XlaError("vmap() with several out_axes cannot be differentiated; use one for all")
        chosen = [i for i, t in enumerate(tensors) if getattr(t, "requires_grad", False)]

        def of_chosen(*some: Any) -> Any:
            now = list(tensors)
            for i, tensor in zip(chosen, some, strict=True):
                now[i] = tensor
            return now

        def forward(*some: Any) -> Any:
            value = self._batched(tree, of_chosen(*some), places)

            def pull(grad: Any) -> Any:
                def one(grad: Any, *examples: Any) -> Any:
                    def part(*few: Any) -> Any:
                        values = list(examples)
                        for i, tensor in zip(chosen, few, strict=True):
                            values[i] = tensor
                        return self.f(*_filled_with(tree, values))

                    return func.vjp(part, *[examples[i] for i in chosen])[1](grad)

                each = vmap(one, in_axes=(self.out_axes, *places), out_axes=0)
                found = each(grad, *of_chosen(*some))
                moved = [
                    g.sum(axis=0) if places[i] is None else np.moveaxis(g, 0, places[i])
                    for i, g in zip(chosen, found, strict=True)
                ]
                return moved[0] if len(moved) == 1 else tuple(moved)

            return value, pull

        return custom_gradient(forward)(*[tensors[i] for i in chosen])


def _flattened(tree: Any, axis: int | None, tensors: list[Any], places: list[int | None]) -> Any:
    """Return an argument with leaves in place of its arrays, which are appended to `tensors`."""
    if isinstance(tree, Tensor | Array | np.ndarray | np.generic | jax.Array):
        tensors.append(tree)
        places.append(axis)
        return Leaf(len(tensors) - 1, type(tree) if isinstance(tree, Tensor) else None)
    return rebuilt(tree, lambda item: _flattened(item, axis, tensors, places))


def _filled_with(tree: Any, values: Sequence[Any]) -> Any:
    """Return the arguments with given tensors or arrays in place of the leaves."""
    if isinstance(tree, Leaf):
        return values[tree.index]
    return rebuilt(tree, lambda item: _filled_with(item, values))


def _check_lengths(tensors: Sequence[Any], places: Sequence[Any]) -> None:
    lengths = []
    for tensor, axis in zip(tensors, places, strict=True):
        if axis is None:
            continue
        if not -len(tensor.shape) <= axis < len(tensor.shape):
            raise ValueError(f"vmap() over axis {axis} of an array of shape {tensor.shape}")
        lengths.append(tensor.shape[axis])
    if len(set(lengths)) != 1:
        found = f"batches of lengths {lengths}" if lengths else "no batch"
        raise ValueError(f"vmap() got {found}; all need the same length, and one is required")


def _split(tree: Any, axes: Any, outputs: list[Any]) -> tuple[list[Any], ...]:
    """Return the outputs of each item of a tuple that the function returns."""
    if not isinstance(tree, tuple | list) or len(tree) != len(axes):
        raise TypeError(f"out_axes of vmap() is {axes}, which does not fit the function's result")
    return tuple([outputs[i] for i in _indices(item)] for item in tree)


def _indices(tree: Any) -> list[int]:
    found: list[int] = []

    def visit(item: Any) -> Any:
        if isinstance(item, Leaf):
            found.append(item.index)
            return item
        return rebuilt(item, visit)

    visit(tree)
    return found


def _check_detached(result: Any) -> None:
    """Raise XlaError if a result requires grad, because `f` refers to a tensor that does."""
    if isinstance(result, Tensor) and getattr(result, "requires_grad", False):
        raise XlaError(
            "the function of vmap() refers to a tensor that requires grad, whose gradient would be "
            "lost; pass it as an argument with in_axes=None, or use no_grad()"
        )
    rebuilt(result, _check_detached)
