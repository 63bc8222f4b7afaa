"""Updating the small parameters of an optimizer together, as one flat array."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from operator import is_
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, least_references

Array = Any
State = dict[str, Any]
States = dict[Tensor, State]
Update = Callable[[Tensor, Array, State, Mapping[str, Any]], None]

# The largest number of elements of a small parameter. A flat update of parameters of 2,048 elements
# takes as long as separate ones with SGD, where an update is shortest; of 4,096, 1.5 times as long.
_LARGEST = 1024


# The number of references that `_layout` counts to an array that nothing else refers to.
_UNSHARED = -1


def _layout(parameter: Tensor) -> tuple[int, Any, Any]:
    """Return the id, shape and dtype of a small parameter; None for the last two of another one.

    Nothing else may use the memory of a small parameter: another parameter in the same memory must
    be updated after it, and autograd must note the writes into arrays that nodes have saved.
    """
    array = parameter.data
    # The conditions that are most often False come first.
    if (
        array.size <= _LARGEST
        and sys.getrefcount(array) <= _UNSHARED
        and array.__class__ is np.ndarray
        and array.base is None
        and array.flags.writeable
        and (grad := parameter.grad).__class__ is np.ndarray
        and grad.dtype is array.dtype
        and grad.shape == array.shape
    ):
        return id(parameter), array.shape, array.dtype
    return id(parameter), None, None


def _accepts(limit: int) -> bool:
    """Return whether `_layout` accepts a new parameter with this limit."""
    global _UNSHARED
    _UNSHARED = limit
    parameter: Any = Tensor(0.0)
    parameter.grad = np.zeros_like(parameter.data)
    return _layout(parameter)[1] is not None


_UNSHARED = least_references(_accepts)


class SmallParameters:
    """The small parameters of a group, and the bundles in which they are updated.

    The bundles stay the same from step to step. They are replaced when other parameters have a
    gradient, and when the array of a parameter or its state was replaced.

    Args:
        fewest: the smallest number of parameters in a bundle.
    """

    def __init__(self, fewest: int) -> None:
        self._fewest = fewest
        self._layouts: list[Any] = []
        self._bundles: list[_Bundle] = []
        self._single: list[Tensor] = []

    def update(
        self,
        parameters: Sequence[Tensor],
        update: Update,
        states: States,
        group: Mapping[str, Any],
    ) -> list[Tensor]:
        """Update small parameters, and return those that remain to be updated one by one.

        Args:
            parameters: the parameters of the group; those without a gradient remain.
            update: the method of the optimizer.
            states: the state of the optimizer.
            group: the options of the group.
        """
        layouts = [_layout(p) for p in parameters]
        if layouts != self._layouts or not all(b.is_current(states) for b in self._bundles):
            self._arrange(parameters, layouts, states)
        for bundle in self._bundles:
            bundle.update(update, group)
        return self._single

    def _arrange(
        self, parameters: Sequence[Tensor], layouts: Sequence[Any], states: States
    ) -> None:
        """Put parameters with the same kind of state into bundles."""
        self._layouts, self._bundles, self._single = [*layouts], [], []
        kinds: dict[Any, list[Tensor]] = {}
        for parameter, (_, shape, _) in zip(parameters, layouts, strict=True):
            small = shape is not None
            kind = _kind(parameter, states.setdefault(parameter, {})) if small else None
            kinds.setdefault(kind, []).append(parameter)
        self._single += kinds.pop(None, [])
        for same in kinds.values():
            if len(same) < self._fewest:
                self._single += same
            else:
                self._bundles.append(_Bundle(same, [states[p] for p in same]))


def _kind(parameter: Tensor, state: State) -> Any:
    """Return what is common to the parameters of a bundle; None if this one fits into none."""
    shape, dtype = parameter.shape, parameter.dtype
    kind: list[Any] = [dtype]
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            if value.shape != shape or value.dtype != dtype:
                return None
            kind.append((name, np.ndarray))
        elif isinstance(value, int | float):
            kind.append((name, value))
        else:
            return None
    return tuple(kind)


class _Bundle:
    """Small parameters that are updated as one flat array.

    An update copies the elements of the parameters and of their gradients into flat arrays, and
    those of the parameters back. The arrays in the states become views of flat ones, so they are
    not copied.

    Args:
        parameters: the parameters, of one dtype.
        states: their states, with the same numbers, and with arrays like the parameters.
    """

    def __init__(self, parameters: Sequence[Tensor], states: Sequence[State]) -> None:
        self._parameters, self._states = parameters, states
        ends = accumulate((p.size for p in parameters), initial=0)
        self._slices = [slice(*each) for each in pairwise(ends)]
        self._flat = from_array(Tensor, _joined([p.data for p in parameters]))
        self._gradient = np.empty_like(self._flat.data)
        self._views = self._pieces(self._flat.data)
        # The common state, and by name its pieces, which are the values in the states.
        self._state: State = {}
        self._values: dict[str, list[Any]] = {}
        self._share(
            {
                name: _joined([s[name] for s in states]) if isinstance(value, np.ndarray) else value
                for name, value in states[0].items()
            }
        )

    def is_current(self, states: States) -> bool:
        """Return whether the states still have the values that the last update left."""
        own = self._states
        return (
            all(map(is_, map(states.get, self._parameters), own))
            and sum(map(len, own)) == len(own) * len(self._values)
            and all(
                all(map(is_, [state.get(name) for state in own], values))
                for name, values in self._values.items()
            )
        )

    def update(self, update: Update, group: Mapping[str, Any]) -> None:
        """Update the parameters and their states."""
        _joined([p.data for p in self._parameters], out=self._flat.data)
        _joined([p.grad for p in self._parameters], out=self._gradient)
        if group.get("maximize", False):
            np.negative(self._gradient, out=self._gradient)
        state = self._state.copy()  # an error leaves the numbers in the states unchanged
        update(self._flat, self._gradient, state, group)
        for parameter, view in zip(self._parameters, self._views, strict=True):
            parameter.data[...] = view
        self._share(state)

    def _share(self, common: State) -> None:
        """Put the new values of a common state into the states."""
        for name, value in common.items():
            if value is not self._state.get(name):
                self._values[name] = self._pieces(value)
                for state, piece in zip(self._states, self._values[name], strict=True):
                    state[name] = piece
        self._state = common

    def _pieces(self, value: Any) -> list[Any]:
        """Return the part of each parameter in a value of the common state."""
        if not isinstance(value, np.ndarray):
            return [value] * len(self._parameters)
        shapes = [p.shape for p in self._parameters]
        return [value[s].reshape(shape) for s, shape in zip(self._slices, shapes, strict=True)]


def _joined(arrays: Sequence[Array], out: Array | None = None) -> Array:
    """Return the elements of arrays as one flat array."""
    # Faster than np.concatenate with axis=None for arrays of several axes.
    return np.concatenate([array.ravel() for array in arrays], out=out)
