"""Matrices of derivatives, and products with them: jacobian, hessian, hvp."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd import tree
from tinytorch_autograd.func.reverse import grad
from tinytorch_autograd.func.run import Argnums, Run, zeros


def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that computes all partial derivatives of `f`, one walk back for each output.

    Args:
        f: a function of tensors, arrays and numbers that returns a tensor, or a container.
        argnums: with respect to which argument, or arguments.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        A function of the same arguments. For a result of shape R and an argument of shape A it
        returns a Tensor of shape R + A. Containers nest: that of the result outside, and in the
        place of each tensor in it that of the argument, or a tuple of such for several `argnums`.
        With `has_aux`, that and the second part of what `f` returned.

    Raises:
        TypeError: `f` returns something else than tensors, or complex ones; or a chosen argument
            is of integers.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    Tensor([[2., 0.],
            [0., 4.]], dtype=float64)
    """

    @functools.wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums, has_aux)
        blocks = [run.wrapped(_blocks(run, i, y)) for i, y in enumerate(run.outputs)]
        found = tree.fill(run.result, blocks)
        return (found, run.released(run.aux)) if has_aux else found

    return derivatives


def _blocks(run: Run, index: int, y: Any) -> list[Any]:
    """The derivatives of one output with respect to each input."""
    if y.dtype.kind == "c":
        raise TypeError(
            f"{run.name} returned a tensor of {y.dtype}, and a Jacobian of complex results is "
            "not defined here; return np.real(y) and np.imag(y), or use vjp"
        )

    def pull(seed: Any) -> list[Any]:
        seeds: list[Any] = [None] * len(run.outputs)
        seeds[index] = seed
        return run.pull(seeds, keep=True)

    return row_by_row(y, run.inputs, pull)


def row_by_row(y: Any, inputs: Sequence[Any], pull: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """The Jacobian of `y` with respect to each input, by one walk back for each element of `y`.

    Args:
        y: a tensor of shape Y.
        inputs: tensors.
        pull: from a gradient of `y` to those of the inputs, None where `y` does not depend on one.

    Returns:
        For an input of shape X a Tensor of shape Y + X, or None.
    """
    shapes = [y.shape + x.shape for x in inputs]
    if y.size == 0:
        return [zeros(x, shape) for x, shape in zip(inputs, shapes, strict=True)]
    columns = zip(*map(pull, _units(y.data)), strict=True)
    return [
        None if column[0] is None else np.stack(column).reshape(shape)
        for column, shape in zip(columns, shapes, strict=True)
    ]


def _units(like: Any) -> Iterator[Any]:
    """For each element an array with 1 there and 0 elsewhere."""
    for i in range(like.size):
        unit = np.zeros_like(like)
        unit.reshape(-1)[i] = 1
        yield unit


def hessian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that computes the second derivatives of `f`, a tensor of one element.

    It is the Jacobian of the gradient: `jacobian(grad(f))`.

    Args:
        f, argnums, has_aux: as in `grad`.

    Returns:
        A function of the same arguments. For an argument of shape A it returns a Tensor of shape
        A + A; for containers and several `argnums`, the structure of the gradient with, in the
        place of each tensor, the structure again.

    Raises:
        TypeError, NonScalarError: as `grad`.

    >>> hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 3.0]))
    Tensor([[6., 2.],
            [2., 0.]], dtype=float64)
    """
    return jacobian(grad(f, argnums, has_aux), argnums, has_aux)


def hvp(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that multiplies the Hessian of `f` with a vector, without making the Hessian.

    It costs a few gradients of `f`, whatever the size: the derivative of the gradient, walked back
    from the vector, for the Hessian is symmetric.

    Args:
        f, argnums: as in `grad`.

    Returns:
        A function of the arguments of `f` and, after them, the vector, in the structure of the
        chosen argument (a tuple for several). It returns Tensors in the same structure.

    Raises:
        TypeError, NonScalarError: as `grad`.
        ValueError: the vector differs from the argument in structure or shape.

    >>> hvp(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 3.0]), np.array([1.0, 10.0]))
    Tensor([26.,  2.], dtype=float64)
    """
    slope = grad(f, argnums)

    def product(*args: Any, **kwargs: Any) -> Any:
        *point, vector = args
        run = Run(slope, point, kwargs, argnums)
        return run.wrapped(run.pull(run.seeds(vector)))

    return product
