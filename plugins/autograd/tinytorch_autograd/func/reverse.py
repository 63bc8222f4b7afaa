"""Derivatives by one backward pass: grad, value_and_grad, elementwise_grad, vjp."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Literal, TypeVar, overload

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import tree
from tinytorch_autograd.func.run import Argnums, Run

if TYPE_CHECKING:
    from tinytorch_autograd.func.run import Array, Aux, P, T, Transformed

Result = TypeVar("Result")


@overload
def grad(
    f: Callable[Concatenate[Tensor, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Transformed[P, Tensor, Array]: ...
@overload
def grad(
    f: Callable[Concatenate[T, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Callable[Concatenate[T, P], T]: ...
@overload
def grad(
    f: Callable[Concatenate[Tensor, P], tuple[Tensor, Aux]],
    argnums: Literal[0] = 0,
    *,
    has_aux: Literal[True],
) -> Transformed[P, tuple[Tensor, Aux], tuple[Array, Aux]]: ...
@overload
def grad(
    f: Callable[Concatenate[T, P], tuple[Tensor, Aux]],
    argnums: Literal[0] = 0,
    *,
    has_aux: Literal[True],
) -> Callable[Concatenate[T, P], tuple[T, Aux]]: ...
@overload
def grad(f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]: ...
def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes the gradient of `f`, which returns a scalar tensor.

    Args:
        f: a function of tensors, arrays and numbers that returns a tensor of one element.
        argnums: the positions of the arguments to differentiate with respect to.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        A function of the same arguments. It returns Tensors in the structure of the differentiated
        argument, or a tuple of these for several `argnums`; zeros if `f` does not depend on it.
        If all differentiated arguments are ndarrays, it returns ndarrays, unless the result
        depends on other tensors that require grad. With `has_aux`, it returns a pair of this and
        the second part of what `f` returned.

    Raises:
        TypeError: `f` returns something other than a tensor, or a differentiated argument has an
            integer dtype.
        NonScalarError: `f` returns a tensor of several elements.

    >>> grad(lambda x: x**3)(2.0)
    Tensor(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    Tensor(12.)
    >>> grad(lambda p: p["w"] * 3 + p["b"])({"w": 2.0, "b": 1.0})
    {'w': Tensor(3.), 'b': Tensor(1.)}
    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    pair = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = pair(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


@overload
def value_and_grad(
    f: Callable[Concatenate[Tensor, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Transformed[P, tuple[Tensor, Tensor], tuple[Array, Array]]: ...
@overload
def value_and_grad(
    f: Callable[Concatenate[T, P], Tensor],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Callable[Concatenate[T, P], tuple[Tensor, T]]: ...
@overload
def value_and_grad(
    f: Callable[Concatenate[Tensor, P], tuple[Tensor, Aux]],
    argnums: Literal[0] = 0,
    *,
    has_aux: Literal[True],
) -> Transformed[P, tuple[tuple[Tensor, Aux], Tensor], tuple[tuple[Array, Aux], Array]]: ...
@overload
def value_and_grad(
    f: Callable[Concatenate[T, P], tuple[Tensor, Aux]],
    argnums: Literal[0] = 0,
    *,
    has_aux: Literal[True],
) -> Callable[Concatenate[T, P], tuple[tuple[Tensor, Aux], T]]: ...
@overload
def value_and_grad(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, tuple[Any, Any]]: ...
def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes `f`, which returns a scalar tensor, and its gradient.

    Args:
        f, argnums, has_aux: as in `grad`.

    Returns:
        A function of the same arguments. It returns a pair: the value (with `has_aux`, the pair
        that `f` returned), and the gradient as `grad` returns it.

    Raises:
        TypeError, NonScalarError: as `grad`.

    >>> value_and_grad(lambda x: x**3)(2.0)
    (Tensor(8.), Tensor(12.))
    """

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums, has_aux)
        found = run.as_arguments(run.pull([np.ones_like(run.scalar().data)]))
        value = (run.result, run.aux) if has_aux else run.result
        return run.returned((run.detached(value), found))

    return both


@overload
def elementwise_grad(
    f: Callable[Concatenate[Tensor, P], Tensor], argnums: Literal[0] = 0
) -> Transformed[P, Tensor, Array]: ...
@overload
def elementwise_grad(f: Callable[P, Any], argnums: Argnums = 0) -> Callable[P, Any]: ...
def elementwise_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the derivative at each element, for an elementwise `f`.

    This is the gradient of the sum of all elements that `f` returns. If `f` does not work element
    by element, it is the sum of the rows of the Jacobian.

    Args:
        f, argnums: as in `grad`; `f` may return a tensor of any shape, or a container of them.

    Returns:
        A function of the same arguments. It returns Tensors in the structure of the argument, or
        ndarrays as `grad` does.

    Raises:
        TypeError: `f` returns something other than tensors, or the argument has an integer dtype.

    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0, 2.0]))
    array([1.        , 0.41997434, 0.07065082])
    """

    @functools.wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums)
        return run.returned(run.as_arguments(run.pull([np.ones_like(y.data) for y in run.outputs])))

    return derivative


@overload
def vjp(
    f: Callable[..., Result], *primals: Any, has_aux: Literal[False] = False
) -> tuple[Result, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool) -> tuple[Any, ...]: ...
def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of `f`, and the function that multiplies a vector by its Jacobian, vᵀJ.

    Args:
        f: a function of tensors, arrays and numbers that returns tensors.
        primals: its arguments; all are differentiated.
        has_aux: `f` returns a pair, and only its first part is differentiated.

    Returns:
        The value, the function, and with `has_aux` the second part of what `f` returned. The
        function takes arrays or Tensors in the structure of the value, and returns a tuple with
        Tensors for each of `primals`. It may be called any number of times. If all of `primals`
        are ndarrays, the results are ndarrays, as with `grad`.

    Raises:
        TypeError: `f` returns something other than tensors, or an argument has an integer dtype.

    >>> value, pull = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    run = Run(f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangents: Any) -> Any:
        """Return the products of `cotangents`, in the structure of the value, and the Jacobians."""
        return run.returned(run.as_arguments(run.pull(run.seeds(cotangents), keep=True)))

    found = run.returned(run.detached((run.result, run.aux)))
    # Copied, because the program may write into an array (y -= target), and the graph needs it.
    leaves = tree.leaves(found)
    value, aux = tree.fill(found, [y.copy() if isinstance(y, np.ndarray) else y for y in leaves])
    return (value, pullback, aux) if has_aux else (value, pullback)
