"""Run: one call of a function on tracked tensors that are created for that call.

Because the tensors are new, nested transforms cannot confuse their variables, and the caller's
tensors keep their gradients. A tensor that is tracked already is copied by a recorded op, so that
an outer derivative can pass through the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import derive, from_array

from tinytorch_autograd import engine, gradients, tree
from tinytorch_autograd.calls import check_function
from tinytorch_autograd.errors import AutogradError, NonScalarError
from tinytorch_autograd.modes import enable_grad, is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad
from tinytorch_autograd.tensor_methods import set_requires_grad
from tinytorch_autograd.tracking import detached, inputs_of_transforms, is_tracked

Argnums = int | Sequence[int]

if TYPE_CHECKING:
    # For the types of transforms: further arguments, the first argument, and the second result.
    P = ParamSpec("P")
    T = TypeVar("T")
    Aux = TypeVar("Aux")
    Array = np.ndarray[Any, Any]
    OfTensor = TypeVar("OfTensor", covariant=True)
    OfArray = TypeVar("OfArray", covariant=True)

    class Transformed(Protocol[P, OfTensor, OfArray]):
        """The transform of a function whose first argument is a tensor."""

        @overload
        def __call__(self, x: Tensor | complex, /, *a: P.args, **k: P.kwargs) -> OfTensor: ...
        @overload
        def __call__(self, x: Array, /, *a: P.args, **k: P.kwargs) -> OfArray: ...


class Run:
    """The arguments and results of one call of a function.

    Attributes:
        name: the function's name.
        arguments: the differentiated arguments, as tensors created for the call: one tree, or a
            tuple of trees for several `argnums`.
        inputs: the leaves of `arguments`.
        result: what the function returned, without `aux`.
        outputs: the leaves of `result`.
        aux: the second part of what it returned, with `has_aux`.
        outer: whether the result depends on other tracked tensors too; derivatives are then
            tracked as well.
        of_arrays: whether all leaves of `arguments` were given as arrays.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        argnums: Argnums,
        has_aux: bool = False,
    ) -> None:
        check_function("a transform", f)
        self.name = getattr(f, "__name__", None) or repr(f)
        given = list(args)
        positions = _positions(argnums, len(given))
        leaves = tree.leaves([given[i] for i in positions])
        self.of_arrays = all(map(_is_array, leaves))
        for i in positions:
            given[i] = _new_leaves(given[i], f"argument {i} of {self.name}")
        chosen = tuple(given[i] for i in positions)
        self.arguments = chosen[0] if isinstance(argnums, int) else chosen
        self.inputs = tree.leaves(chosen)
        recording = is_grad_enabled()
        token = inputs_of_transforms.set((*inputs_of_transforms.get(), *self.inputs))
        try:
            with enable_grad():
                returned = f(*given, **kwargs)
        finally:
            inputs_of_transforms.reset(token)
        self.result: Any
        self.aux: Any
        self.result, self.aux = self._split_aux(returned) if has_aux else (returned, None)
        self.outputs = list(self._checked_outputs())
        self.outer = recording and self._depends_on_others()

    def _split_aux(self, returned: Any) -> tuple[Any, Any]:
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise TypeError(
                f"{self.name} returned {type(returned).__name__}, but has_aux=True needs a pair: "
                "the result, and anything else to return"
            )
        return returned

    def _checked_outputs(self) -> Iterable[Any]:
        found = list(tree.named_leaves(self.result, "its result"))
        for name, leaf in found or [("its result", None)]:
            if not isinstance(leaf, Tensor):
                where = "" if name == "its result" else f" as {name}"
                raise TypeError(
                    f"{self.name} returned {_described(leaf)}{where}, but must return a tensor. "
                    "Values taken out of a tensor with float() or .data are not differentiable"
                )
            yield leaf

    def _depends_on_others(self) -> bool:
        tensors = [*self.outputs, *tree.leaves(self.aux)]
        roots = [t._node for t in tensors if is_tracked(t)]
        own = {x._node for x in self.inputs}
        return any(type(n) is AccumulateGrad and n not in own for n in engine.nodes_of(roots)[1])

    def scalar(self) -> Any:
        """Return the output, which must be a single tensor of one element.

        Raises:
            TypeError: there are several outputs, or it has an integer dtype.
            NonScalarError: it has several elements.
        """
        if not isinstance(self.result, Tensor):
            raise TypeError(
                f"{self.name} returned {tree.outline(self.result)}, but a gradient needs a single "
                "tensor of one element; use jacobian for several tensors"
            )
        if self.result.dtype.kind not in "fc":
            raise TypeError(
                f"{self.name} returned a tensor of {self.result.dtype}, which is not "
                "differentiable; return a tensor of floats"
            )
        if self.result.size != 1:
            raise NonScalarError(
                f"{self.name} returned a tensor of shape {self.result.shape}, but a gradient needs "
                "one element: reduce it (np.sum), or use elementwise_grad or jacobian"
            )
        gradients.first_gradient(self.result, None)
        return self.result

    def seeds(self, given: Any, like: str = "result") -> list[Any]:
        """Return the leaves of `given`, checked against the result or the arguments.

        Raises:
            ValueError: the structure or a shape differs.
        """
        pattern = self.result if like == "result" else self.arguments
        if tree.outline(given) != tree.outline(pattern):
            raise ValueError(
                f"the directions have the structure {tree.outline(given)}, but need that of the "
                f"{like} of {self.name}, {tree.outline(pattern)}"
            )
        pairs = zip(tree.leaves(pattern), tree.leaves(given), strict=True)
        return [_direction(x, v, f"{like} of {self.name}") for x, v in pairs]

    def pull(self, seeds: Sequence[Any], keep: bool = False) -> list[Any]:
        """Return the gradients of the inputs for given gradients of the outputs.

        Args:
            seeds: an array or tensor for each output; None means zero. If one is tracked, so are
                the results.
            keep: the graph is needed again.
        """
        used = [
            (y, seed)
            for y, seed in zip(self.outputs, seeds, strict=True)
            if seed is not None and is_tracked(y)
        ]
        if not used or not self.inputs:
            return [zeros(x) for x in self.inputs]
        create = is_grad_enabled() and (self.outer or any(is_tracked(s) for _, s in used))
        found = gradients.grad(
            [y for y, _ in used],
            self.inputs,
            [seed for _, seed in used],
            create_graph=create,
            retain_graph=keep or create or self.outer,
            allow_unused=True,
        )
        return [zeros(x) if g is None else g for x, g in zip(self.inputs, found, strict=True)]

    def as_arguments(self, values: Iterable[Any]) -> Any:
        """Return `values`, one for each input, in the structure of the arguments."""
        return tree.fill(self.arguments, values)

    def detached(self, values: Any) -> Any:
        """Return tensors of the function detached, unless they depend on other tracked tensors."""
        if self.outer:
            return values
        return tree.fill(values, map(detached, tree.leaves(values)))

    def returned(self, values: Any) -> Any:
        """Return Tensors as arrays if the arguments were arrays, unless they are tracked."""
        if not self.of_arrays:
            return values
        return tree.fill(values, map(_array_of_untracked, tree.leaves(values)))


def _positions(argnums: Argnums, count: int) -> list[int]:
    positions = list(argnums) if isinstance(argnums, Iterable) else [argnums]
    if not all(isinstance(i, int) for i in positions):
        raise TypeError(
            f"argnums must be the position of an argument or a sequence of positions, "
            f"not {argnums!r}"
        )
    for i in positions:
        if not -count <= i < count:
            raise TypeError(
                f"argnums={argnums!r} refers to argument {i}, but only {count} were given by "
                "position; pass differentiated arguments by position"
            )
    positions = [i % count for i in positions]
    if len(set(positions)) < len(positions):
        raise ValueError(f"argnums={argnums!r} contains an argument twice; list each one once")
    return positions


def _new_leaves(argument: Any, name: str) -> Any:
    named = tree.named_leaves(argument, name)
    return tree.fill(argument, [_new_leaf(value, path) for path, value in named])


def _new_leaf(value: Any, name: str) -> Any:
    """Return a tracked tensor for one call; a recorded copy of `value` if that is tracked."""
    if is_tracked(value):
        with enable_grad():
            return value.copy()
    try:
        leaf: Any = value.copy() if isinstance(value, Tensor) else Tensor(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} cannot be differentiated: {error}") from None
    if not hasattr(leaf, "_node"):
        raise AutogradError(
            f"{type(leaf).__name__} has no gradients, because the plugin 'autograd' is off; "
            "call plugins.enable('autograd') to turn it on"
        )
    if leaf.dtype.kind not in "fc":
        raise TypeError(
            f"{name} has the dtype {leaf.dtype}, and only floats have derivatives; "
            "convert it first (x.astype(np.float64)), or leave it out of argnums"
        )
    set_requires_grad(leaf, True)
    return leaf


def _direction(x: Any, given: Any, name: str) -> Any:
    """Return `given` as an array or Tensor of the shape and dtype of `x`."""
    shape = np.shape(given)
    if shape != x.shape:
        raise ValueError(
            f"a direction has the shape {shape}, but the tensor in the {name} has the shape "
            f"{x.shape}; they must be the same"
        )
    if isinstance(given, Tensor):
        return given if given.dtype == x.dtype else given.astype(x.dtype)
    return np.asarray(given, x.dtype) if not hasattr(given, "dtype") else given.astype(x.dtype)


def zeros(x: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Return a Tensor of zeros of the dtype of `x`; by default a gradient of `x`."""
    array = np.zeros_like(x.data, shape=shape)
    return derive(x, array, "like") if shape is None else from_array(type(x), array)


def _is_array(value: Any) -> bool:
    """Return whether `value` is an array that implements NumPy's protocols, not a Tensor."""
    if isinstance(value, np.ndarray | np.generic):
        return True
    return hasattr(value, "__array_function__") and not isinstance(value, Tensor)


def _array_of_untracked(value: Any) -> Any:
    if not isinstance(value, Tensor) or is_tracked(value):
        return value
    data = value.data
    # Arrays without axes become numbers such as np.float64, as NumPy's functions return.
    return data[()] if isinstance(data, np.ndarray) and not data.ndim else data


def _described(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} ({value!r:.40})"
