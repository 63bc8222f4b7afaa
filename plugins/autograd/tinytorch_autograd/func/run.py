"""Run: one call of a function whose chosen arguments are tracked tensors made for the call.

Because they are made for the call, nested transforms cannot take each other's variables for their
own, and the caller's tensors keep their gradients. A tensor that is tracked already is copied by a
recorded op, so that a derivative of the derivative finds its way through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import engine, gradients, tree
from tinytorch_autograd.calls import check_function
from tinytorch_autograd.errors import AutogradError, NonScalarError
from tinytorch_autograd.modes import enable_grad, is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad
from tinytorch_autograd.tensor_methods import set_requires_grad
from tinytorch_autograd.tracking import is_tracked, without_history

Argnums = int | Sequence[int]


class Run:
    """What one call of a function took and made.

    Attributes:
        name: the function's.
        arguments: the chosen arguments, as tensors made for the call: one tree, or a tuple of
            them for several `argnums`.
        inputs: the leaves of `arguments`.
        result: what the function returned, without `aux`.
        outputs: the leaves of `result`.
        aux: what it returned beside.
        outer: something else that is tracked takes part, so derivatives are tracked in turn.
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
        places = _places(argnums, len(given))
        for i in places:
            given[i] = _entries(given[i], f"argument {i} of {self.name}")
        chosen = tuple(given[i] for i in places)
        self.arguments = chosen[0] if isinstance(argnums, int) else chosen
        self.inputs = tree.leaves(chosen)
        recording = is_grad_enabled()
        with enable_grad():
            made = f(*given, **kwargs)
        self.result: Any
        self.aux: Any
        self.result, self.aux = self._parted(made) if has_aux else (made, None)
        self.outputs = list(self._checked())
        self.outer = recording and self._depends_on_others()

    def _parted(self, made: Any) -> tuple[Any, Any]:
        if not (isinstance(made, tuple) and len(made) == 2):
            raise TypeError(
                f"has_aux=True needs {self.name} to return a pair, its result and something "
                f"beside, not {type(made).__name__}"
            )
        return made

    def _checked(self) -> Iterable[Any]:
        found = list(tree.named_leaves(self.result, "its result"))
        for name, leaf in found or [("its result", None)]:
            if not isinstance(leaf, Tensor):
                where = "" if name == "its result" else f" as {name}"
                raise TypeError(
                    f"{self.name} must return a tensor, and returned {_kind(leaf)}{where}. "
                    "Values that leave tensors, as through float() or .data, have no derivative"
                )
            yield leaf

    def _depends_on_others(self) -> bool:
        made = [*self.outputs, *tree.leaves(self.aux)]
        roots = [t._node for t in made if is_tracked(t)]
        own = {x._node for x in self.inputs}
        return any(type(n) is AccumulateGrad and n not in own for n in engine.nodes_of(roots)[1])

    def scalar(self) -> Any:
        """The one output, of one element.

        Raises:
            TypeError: there are several outputs, or it is of integers.
            NonScalarError: it has several elements.
        """
        if not isinstance(self.result, Tensor):
            raise TypeError(
                f"{self.name} must return one tensor of one element to have a gradient, and "
                f"returned {tree.outline(self.result)}; jacobian takes such functions"
            )
        if self.result.dtype.kind not in "fc":
            raise TypeError(
                f"{self.name} returned a tensor of {self.result.dtype}, which has no derivative; "
                "a gradient needs a result of floats"
            )
        if self.result.size != 1:
            raise NonScalarError(
                f"{self.name} returned a tensor of shape {self.result.shape}, and only one number "
                "has a gradient: reduce it (np.sum), or use elementwise_grad or jacobian"
            )
        gradients.first_gradient(self.result, None)
        return self.result

    def seeds(self, given: Any, like: str = "result") -> list[Any]:
        """Arrays or tensors `given` in the structure of the result, or of the arguments.

        Raises:
            ValueError: the structure or a shape differs.
        """
        pattern = self.result if like == "result" else self.arguments
        if tree.outline(given) != tree.outline(pattern):
            raise ValueError(
                f"for the {like} of {self.name}, {tree.outline(pattern)}, the directions must have "
                f"the same structure, not {tree.outline(given)}"
            )
        pairs = zip(tree.leaves(pattern), tree.leaves(given), strict=True)
        return [_direction(x, v, f"{like} of {self.name}") for x, v in pairs]

    def pull(self, seeds: Sequence[Any], keep: bool = False) -> list[Any]:
        """The gradients of the inputs, given those of the outputs; None is a zero.

        Args:
            seeds: arrays or tensors; where one is tracked, so are the gradients.
            keep: the graph is needed again.
        """
        used = [
            (y, seed)
            for y, seed in zip(self.outputs, seeds, strict=True)
            if seed is not None and y._node is not None
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

    def wrapped(self, values: Iterable[Any]) -> Any:
        """One value for each input, in the structure of the arguments."""
        return tree.fill(self.arguments, values)

    def released(self, values: Any) -> Any:
        """Tensors of the function's without their history, unless that leads further out."""
        if self.outer:
            return values
        return tree.fill(values, map(without_history, tree.leaves(values)))


def _places(argnums: Argnums, count: int) -> list[int]:
    places = list(argnums) if isinstance(argnums, Iterable) else [argnums]
    if not all(isinstance(i, int) for i in places):
        raise TypeError(f"argnums must be the place of an argument, or several, not {argnums!r}")
    for i in places:
        if not -count <= i < count:
            raise TypeError(f"argnums names argument {i}, and {count} were given by position")
    places = [i % count for i in places]
    if len(set(places)) < len(places):
        raise ValueError(f"argnums={argnums!r} names an argument twice")
    return places


def _entries(argument: Any, name: str) -> Any:
    named = tree.named_leaves(argument, name)
    return tree.fill(argument, [_entry(value, path) for path, value in named])


def _entry(value: Any, name: str) -> Any:
    """A tensor of its own for one call, still tied to `value` if that is tracked."""
    if is_tracked(value):
        with enable_grad():
            return value.copy()
    try:
        entry: Any = value.copy() if isinstance(value, Tensor) else Tensor(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} cannot be differentiated: {error}") from None
    if not hasattr(entry, "_node"):
        raise AutogradError(
            f"{type(entry).__name__} has no gradients just now, because the plugin 'autograd' is "
            "switched off; plugins.enable('autograd') switches it on"
        )
    if entry.dtype.kind not in "fc":
        raise TypeError(
            f"{name} is of {entry.dtype}, and only floats have derivatives; "
            "convert it first (x.astype(np.float64)), or leave it out of argnums"
        )
    set_requires_grad(entry, True)
    return entry


def _direction(x: Any, given: Any, name: str) -> Any:
    """`given` as an array or Tensor of the shape and dtype of `x`."""
    shape = np.shape(given)
    if shape != x.shape:
        raise ValueError(
            f"a direction of shape {shape} was given for a tensor of shape {x.shape}, "
            f"of the {name}; they must be the same"
        )
    if isinstance(given, Tensor):
        return given if given.dtype == x.dtype else given.astype(x.dtype)
    return np.asarray(given, x.dtype) if not hasattr(given, "dtype") else given.astype(x.dtype)


def zeros(x: Any, shape: tuple[int, ...] | None = None) -> Any:
    """A Tensor of zeros of the dtype of `x`, and of its shape if there is no other."""
    return from_array(type(x), np.zeros_like(x.data, shape=shape))


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} ({value!r:.40})"
