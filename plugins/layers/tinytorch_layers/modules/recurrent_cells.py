"""RNNCell, LSTMCell and GRUCell: one step of a recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional import recurrence
from tinytorch_layers.modules.recurrent import (
    add_parameters,
    checked_nonlinearity,
    checked_states,
)
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any
Arrays = Sequence[Any]


class CellBase(Module):
    """The parameters and the forward pass that the cells share; see `RecurrentBase`."""

    gates = 1
    states: tuple[str, ...] = ("hidden",)
    call: Any = staticmethod(recurrence.rnn)
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter
    bias_hh: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = type(self).__name__
        self.input_size = integer(name, "input_size", input_size)
        self.hidden_size = integer(name, "hidden_size", hidden_size)
        self.bias = flag(name, "bias", bias)
        add_parameters(self, {"": self.input_size}, random_generator(generator), dtype)

    def forward(self, input: Array, hx: Any = None) -> Any:
        shape = input_shape(self, input)
        if len(shape) not in (1, 2) or shape[-1] != self.input_size:
            raise shape_error(self, f"(N, {self.input_size}) or ({self.input_size},)", shape)
        expected = (*shape[:-1], self.hidden_size)
        rows = input if len(shape) == 2 else input[None]
        count = len(rows)
        if hx is None:
            dtype = np.result_type(input.dtype, self.weight_hh.dtype)
            states: Arrays = [np.zeros((count, self.hidden_size), dtype)] * len(self.states)
        else:
            given = (hx,) if len(self.states) == 1 else hx
            states = [
                state.reshape((count, self.hidden_size))
                for state in checked_states(self, given, self.states, [expected] * len(self.states))
            ]
        biases = (self.bias_ih, self.bias_hh) if self.bias else ()
        found = recurrence.recurrence(
            self.call,
            rows,
            self.weight_ih,
            self.weight_hh,
            *biases,
            *states,
            sizes=(count,),
            **self._op_options(),
        )
        new = [state.reshape(expected) for state in found]
        return new[0] if len(new) == 1 else tuple(new)

    def _op_options(self) -> dict[str, Any]:
        return {}

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}{self._options(bias=True)}"


class RNNCell(CellBase):
    """One step of an `RNN`: returns h' of shape (N, hidden_size) for an input of (N, input_size).

    `cell(x, hidden)` takes the state, zeros by default. Without a batch axis, both are vectors.

    Args:
        input_size: the length of the last axis of the input.
        hidden_size: the length of the state.
        bias: whether the cell has biases.
        nonlinearity: "tanh" or "relu".
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters. They
            are uniform in ±1/√hidden_size, as in PyTorch.

    Attributes:
        weight_ih, weight_hh: Parameters of shape (input_size, hidden_size) and
            (hidden_size, hidden_size), the transposes of PyTorch's.
        bias_ih, bias_hh: Parameters of shape (hidden_size,).

    Raises:
        TypeError, ValueError: a size is not a positive integer, `bias` is not a bool, or the
            nonlinearity is unknown.

    >>> cell = RNNCell(3, 5, generator=0)
    >>> hidden = cell(np.zeros((2, 3), np.float32))
    >>> cell(np.ones((2, 3), np.float32), hidden).shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.nonlinearity = checked_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype=dtype, generator=generator)

    def _op_options(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}

    def extra_repr(self) -> str:
        return super().extra_repr() + self._options(nonlinearity="tanh")


class LSTMCell(CellBase):
    """One step of an `LSTM`: returns h' and c' for an input and the states (hidden, cell).

    Args:
        input_size, hidden_size, bias, dtype, generator: see `RNNCell`.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: see `LSTM`, without suffixes.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or `bias` is not a bool.

    >>> hidden, cell = LSTMCell(3, 5, generator=0)(np.zeros((2, 3), np.float32))
    >>> hidden.shape, cell.shape
    ((2, 5), (2, 5))
    """

    gates = 4
    states = ("hidden", "cell")
    call = staticmethod(recurrence.lstm)


class GRUCell(CellBase):
    """One step of a `GRU`: returns h' for an input and the state.

    Args:
        input_size, hidden_size, bias, dtype, generator: see `RNNCell`.

    Attributes:
        weight_ih, weight_hh, bias_ih, bias_hh: see `GRU`, without suffixes.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or `bias` is not a bool.

    >>> GRUCell(3, 5, generator=0)(np.zeros(3, np.float32)).shape
    (5,)
    """

    gates = 3
    call = staticmethod(recurrence.gru)
