"""The arguments of one call of an op, as the rules for names read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Op, Tensor

from tinytorch_named.names import Names, axis_of, names_of

# The arguments that are axes, for which names may be passed.
_AXES = ("axis", "axes", "axis1", "axis2", "dim", "source", "destination")
# The arguments that place a new axis.
_NEW_AXES = ("expand_dims", "stack")
# PyTorch's spellings and NumPy's.
_SPELLINGS = {"dim": "axis", "axis": "dim", "keepdim": "keepdims"}
# Arguments of functions in C, whose signatures older versions of NumPy do not provide.
_IN_C = {"concatenate": ("arrays", "axis"), "where": ("condition", "x", "y")}


class Arguments:
    """The arguments of one call of an op.

    Attributes:
        op: the op.
        args: the positional arguments, with names of axes replaced by numbers.
        kwargs: the keyword arguments, likewise.

    Raises:
        NamesError: an axis is given by a name that the tensor does not have.
    """

    def __init__(self, op: Op, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.op, self.args, self.kwargs = op, list(args), dict(kwargs)
        self._positions = _IN_C.get(op.name.removeprefix("np."), op.argument_names)
        if op.name.removeprefix("np.") in _NEW_AXES:
            return
        if not op.variadic:
            for i, name in enumerate(self._positions[: len(args)]):
                if name in _AXES:
                    self.args[i] = axis_of(op.name, self.x, args[i])
        for name, value in kwargs.items():
            if name in _AXES:
                self.kwargs[name] = axis_of(op.name, self.x, value)

    @property
    def inputs(self) -> Sequence[Any]:
        """The positional arguments, or the tensors of a list in front, as in `np.stack`."""
        first: Any = self.args[0] if self.args else None
        joined = isinstance(first, list | tuple) and any(isinstance(x, Tensor) for x in first)
        return first if joined else self.args

    @property
    def x(self) -> Any:
        """The first tensor among the inputs; the first input if none is a tensor."""
        return next((i for i in self.inputs if isinstance(i, Tensor)), [*self.inputs, None][0])

    @property
    def arrays(self) -> list[Any]:
        """The arguments that may be arrays; their axes broadcast if the op is elementwise."""
        values = [*self.inputs, *(v for name, v in self.kwargs.items() if name != "out")]
        return [v for v in values if isinstance(v, Tensor | np.ndarray | list)]

    def names(self, position: int = 0) -> Names:
        """Return the names of the axes of an input."""
        return names_of(self.inputs[position])

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, in either spelling, or `default` if it was not passed."""
        for spelling in filter(None, (name, _SPELLINGS.get(name))):
            value = self.kwargs.get(spelling, np._NoValue)
            if value is np._NoValue and not self.op.variadic and spelling in self._positions:
                i = self._positions.index(spelling)
                value = self.args[i] if i < len(self.args) else value
            if value is not np._NoValue:
                return value
        return default


def have_names(values: Iterable[Any]) -> bool:
    """Return whether one of the values is a tensor with names, also in lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            if getattr(value, "_names", None) is not None:
                return True
        elif isinstance(value, list | tuple) and have_names(value):
            return True
    return False
