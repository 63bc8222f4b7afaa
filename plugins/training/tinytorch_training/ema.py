"""EMA, an exponential moving average of the weights of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_training.arguments import count, flag, fraction

Array = Any


class EMA:
    """An exponential moving average of the parameters of a model (Polyak and Juditsky, 1992).

    The first `update` copies the parameters, as PyTorch's `AveragedModel` does. Each later one
    computes, for each parameter:

        average ← decay · average + (1 − decay) · parameter

    Args:
        model: a `Module`, or an object with its methods for parameters and buffers.
        decay: the decay rate, from 0 to 1.
        use_buffers: whether to average buffers of floating-point numbers too, and to keep the
            latest of the others. Without it the model keeps its own buffers in `averaged`.

    Attributes:
        n_averaged: the number of updates so far.

    Raises:
        TypeError: the model has no parameters or buffers to list, or an argument has the wrong
            type.
        ValueError: the decay is outside 0 to 1.

    >>> from tinytorch_layers import Linear
    >>> model = Linear(1, 1)
    >>> ema = EMA(model, decay=0.75)
    >>> for value in (4.0, 8.0):
    ...     model.weight.data = model.weight.data * 0 + value
    ...     ema.update()
    >>> with ema.averaged():
    ...     model.weight.item()
    5.0
    >>> model.weight.item()
    8.0
    """

    def __init__(self, model: Any, decay: float = 0.999, use_buffers: bool = False) -> None:
        for name in ("named_parameters", "named_buffers", "set_buffer"):
            if not hasattr(model, name):
                raise TypeError(
                    f"model of EMA must be a Module, but {type(model).__name__} has no {name}()"
                )
        self.model = model
        self.decay = fraction("EMA", "decay", decay)
        self.use_buffers = flag("EMA", "use_buffers", use_buffers)
        self.n_averaged = 0
        self._is_in_model = False
        self._averages = {name: value.copy() for name, value in self._current()}

    def update(self) -> None:
        """Add the current weights to the averages.

        Raises:
            RuntimeError: the model has the averages, in a block of `averaged`.
            ValueError: the model has other parameters than before.
        """
        self._check_not_in_model("update()")
        current = dict(self._current())
        self._check_names(current, "the model")
        for name, value in current.items():
            if self.n_averaged and value.dtype.kind == "f":
                self._averages[name] = self._moved(self._averages[name], value)
            else:
                self._averages[name] = value.copy()
        self.n_averaged += 1

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model the averages in a `with` block, and its own weights afterwards.

        The weights are the same arrays as before, after an exception too. Changes to the weights in
        the block are lost.

        Raises:
            RuntimeError: the model has the averages already.
            ValueError: the model has other parameters than before.
        """
        self._check_not_in_model("averaged()")
        own = dict(self._current())
        self._check_names(own, "the model")
        self._is_in_model = True
        try:
            self._assign({name: value.copy() for name, value in self._averages.items()})
            yield
        finally:
            self._assign(own)
            self._is_in_model = False

    def state_dict(self) -> dict[str, Any]:
        """Return the state: "n_averaged", and "averages", copies of the averages by name."""
        averages = {name: value.copy() for name, value in self._averages.items()}
        return {"n_averaged": self.n_averaged, "averages": averages}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError: a value is missing, or the state is for other parameters. Nothing
                is changed.
        """
        given = state_dict.get("averages")
        if not isinstance(given, Mapping):
            raise TypeError(f"averages of EMA must be a dict, not {given!r:.60}")
        number = count("EMA", "n_averaged", state_dict.get("n_averaged"), minimum=0)
        self._check_names(given, "this state")
        for name, value in given.items():
            if (shape := getattr(value, "shape", None)) != (own := self._averages[name].shape):
                raise ValueError(
                    f"{name} has shape {shape} in this state, but {own} in the model of EMA"
                )
        self._averages = {
            name: given[name].astype(value.dtype) for name, value in self._averages.items()
        }
        self.n_averaged = number

    def _current(self) -> Iterator[tuple[str, Array]]:
        """Iterate over the arrays that are averaged, with their names."""
        for name, parameter in self.model.named_parameters():
            yield name, parameter.data
        if self.use_buffers:
            for name, buffer in self.model.named_buffers():
                yield name, unwrap(buffer)

    def _moved(self, average: Array, value: Array) -> Array:
        """Return an average after an update, computed in place if it is an ndarray."""
        if average.dtype != value.dtype:  # the model was converted
            average = average.astype(value.dtype)
        change = value - average
        change *= 1 - self.decay
        average += change
        return average

    def _assign(self, values: Mapping[str, Array]) -> None:
        """Assign arrays to the parameters and buffers of the model."""
        for name, parameter in self.model.named_parameters():
            parameter.data = values[name]
        if self.use_buffers:
            for name, buffer in list(self.model.named_buffers()):
                if isinstance(buffer, Tensor):
                    buffer.data = values[name]
                else:
                    self.model.set_buffer(name, values[name])

    def _check_names(self, given: Mapping[str, Any], what: str) -> None:
        if different := sorted(given.keys() ^ self._averages.keys()):
            raise ValueError(
                f"{what} and this EMA have different weights: only one of them has "
                f"{', '.join(different)}; create a new EMA after changing a model"
            )

    def _check_not_in_model(self, what: str) -> None:
        if self._is_in_model:
            raise RuntimeError(
                f"{what} of EMA was called in a block of averaged(), where the model has the "
                "averages; call it after the block"
            )
