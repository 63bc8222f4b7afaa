"""jacobian, hessian, and hvp, the product of a Hessian and a vector."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, overload

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import tree
from tinytorch_autograd.func.reverse import grad
from tinytorch_autograd.func.run import Argnums, Run, zeros

if TYPE_CHECKING:
    from tinytorch_autograd.func.run import Array, P, Transformed


@overload
def jacobian(
    f: Callable[Concatenate[Tensor, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Transformed[P, Tensor, Array]: ...
@overload
def jacobian(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, Any]: ...
def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes all partial derivatives of `f`.

    It takes one backward pass for each element of the result.

    Args:
        f: a function of tensors, arrays and numbers that returns a tensor or a container of them.
        argnums: the positions of the arguments to differentiate with respect to.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        A function of the same arguments. For a result of shape R and an argument of shape A it
        returns a Tensor of shape R + A. Containers nest: each tensor in the result is replaced by
        the structure of the argument, or by a tuple of them for several `argnums`. It returns
        ndarrays as `grad` does. With `has_aux`, it returns a pair of this and the second part of
        what `f` returned.

    Raises:
        TypeError: `f` returns something other than tensors, or complex ones; or a differentiated
            argument has an integer dtype.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums, has_aux)
        blocks = [run.as_arguments(_blocks(run, i, y)) for i, y in enumerate(run.outputs)]
        found = tree.fill(run.result, blocks)
        return run.returned((found, run.detached(run.aux)) if has_aux else found)

    return derivatives


def _blocks(run: Run, index: int, y: Any) -> list[Any]:
    """Return the derivatives of one output with respect to each input."""
    if y.dtype.kind == "c":
        raise TypeError(
            f"{run.name} returned a tensor of {y.dtype}, and jacobian supports real results only; "
            "return np.real(y) and np.imag(y), or use vjp"
        )

    def pull(seed: Any) -> list[Any]:
        seeds: list[Any] = [None] * len(run.outputs)
        seeds[index] = seed
        return run.pull(seeds, keep=True)

    return row_by_row(y, run.inputs, pull)


def row_by_row(y: Any, inputs: Sequence[Any], pull: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """Return the Jacobian of `y` for each input, by one backward pass for each element of `y`.

    Args:
        y: a tensor of shape Y.
        inputs: tensors.
        pull: maps a gradient of `y` to the gradients of the inputs, None for an input that `y`
            does not depend on.

    Returns:
        For an input of shape X a Tensor of shape Y + X, or None.
    """
    shapes = [y.shape + x.shape for x in inputs]
    if y.size == 0:
        return [zeros(x, shape) for x, shape in zip(inputs, shapes, strict=True)]
    rows_of_inputs = zip(*map(pull, _unit_arrays(y.data)), strict=True)
    return [
        None if rows[0] is None else np.stack(rows).reshape(shape)
        for rows, shape in zip(rows_of_inputs, shapes, strict=True)
    ]


def _unit_arrays(like: Any) -> Iterator[Any]:
    """Yield, for each element of `like`, an array that is 1 there and 0 elsewhere."""
    for i in range(like.size):
        unit = np.zeros_like(like)
        if isinstance(unit, np.ndarray):
            unit.reshape(-1)[i] = 1
        else:  # arrays of other libraries may not be writable
            unit = unit + np.eye(1, like.size, i, like.dtype).reshape(like.shape)
        yield unit


@overload
def hessian(
    f: Callable[Concatenate[Tensor, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Transformed[P, Tensor, Array]: ...
@overload
def hessian(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, Any]: ...
def hessian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes the second derivatives of `f`, a tensor of one element.

    This is the Jacobian of the gradient, `jacobian(grad(f))`.

    Args:
        f, argnums, has_aux: as in `grad`.

    Returns:
        A function of the same arguments. For an argument of shape A it returns a Tensor of shape
        A + A, or an ndarray as `grad` does. For containers and several `argnums`, each tensor in
        the structure of the gradient is replaced by that structure.

    Raises:
        TypeError, NonScalarError: as `grad`.

    >>> hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums, has_aux), argnums, has_aux)


@overload
def hvp(
    f: Callable[[Tensor], Tensor], argnums: Literal[0] = 0
) -> Transformed[[Tensor | Array], Tensor, Array]: ...
@overload
def hvp(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]: ...
def hvp(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that multiplies the Hessian of `f` by a vector.

    It does not compute the Hessian, and costs a few gradients of `f` for any size. Because the
    Hessian is symmetric, the product is the gradient of the gradient, started from the vector.

    Args:
        f, argnums: as in `grad`.

    Returns:
        A function of the arguments of `f` followed by the vector, which has the structure of the
        differentiated argument (a tuple for several). It returns Tensors in the same structure,
        or ndarrays as `grad` does.

    Raises:
        TypeError, NonScalarError: as `grad`.
        ValueError: the vector differs from the argument in structure or shape.

    >>> hvp(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 3.0]), np.array([1.0, 10.0]))
    array([26.,  2.])
    """
    gradient = grad(f, argnums)

    def product(*args: Any, **kwargs: Any) -> Any:
        *point, vector = args
        run = Run(gradient, point, kwargs, argnums)
        return run.returned(run.as_arguments(run.pull(run.seeds(vector))))

    return product
