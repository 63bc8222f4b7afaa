"""RNN, LSTM and GRU: recurrent layers over sequences of equal or different lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional import recurrence
from tinytorch_layers.functional.masking import drawn, dropout
from tinytorch_layers.packing import PackedSequence
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer, number

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any
Arrays = Sequence[Any]

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class _Rows(NamedTuple):
    """A batch of sequences as rows, one step after another, the longest sequence first.

    Attributes:
        data: the rows.
        sizes: the number of rows of each step.
        last: the index of the last row of each sequence.
        packed: the PackedSequence, or None.
        batched: whether the input had a batch axis.
    """

    data: Array
    sizes: tuple[int, ...]
    last: Any
    packed: PackedSequence | None
    batched: bool


class RecurrentBase(Module):
    """The parameters and the forward pass that RNN, LSTM and GRU share.

    Attributes of subclasses:
        gates: the number of vectors of length `hidden_size` in each bias.
        states: the names of the states.
        call: the op.
    """

    gates = 1
    states: tuple[str, ...] = ("h_0",)
    call: Any = staticmethod(recurrence.rnn)
    weight_hh_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = type(self).__name__
        self.input_size = integer(name, "input_size", input_size)
        self.hidden_size = integer(name, "hidden_size", hidden_size)
        self.num_layers = integer(name, "num_layers", num_layers)
        self.bias = flag(name, "bias", bias)
        self.batch_first = flag(name, "batch_first", batch_first)
        self.dropout = number(name, "dropout", dropout, 0, 1, ends="[)")
        self.bidirectional = flag(name, "bidirectional", bidirectional)
        self.generator = random_generator(generator)
        add_parameters(self, self._suffixes(), self.generator, dtype)

    def _suffixes(self) -> dict[str, int]:
        """Return the suffix of the parameters of each layer and direction, and its input size."""
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return {
            f"_l{layer}{direction}": self.hidden_size * len(directions)
            if layer
            else self.input_size
            for layer in range(self.num_layers)
            for direction in directions
        }

    def forward(self, x: Any, hx: Any = None) -> Any:
        rows = self._rows(x)
        states = self._initial(hx, rows)
        data, finals = rows.data, []
        suffixes = list(self._suffixes())
        directions = 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            if layer and self.training and self.dropout:
                data = self._dropped(data)
            outputs = []
            for direction in range(directions):
                k = layer * directions + direction
                found = recurrence.recurrence(
                    self.call,
                    data,
                    *self._parameters(suffixes[k]),
                    *(s[k] for s in states),
                    sizes=rows.sizes,
                    reverse=direction > 0,
                    **self._op_options(),
                )
                outputs.append(found[0])
                last = slice(rows.sizes[0]) if direction else rows.last
                finals.append([state[last] for state in found])
            data = outputs[0] if directions == 1 else np.concatenate(outputs, axis=1)
        return self._output(data, rows), self._final(finals, rows)

    def _parameters(self, suffix: str) -> list[Parameter]:
        """Return the parameters of one layer and direction, in the order of the op."""
        names = _NAMES if self.bias else _NAMES[:2]
        return [getattr(self, f"{name}{suffix}") for name in names]

    def _op_options(self) -> dict[str, Any]:
        return {}

    def _rows(self, x: Any) -> _Rows:
        """Return the input as rows after checking its shape."""
        if isinstance(x, PackedSequence):
            shape = input_shape(self, x.data)
            if len(shape) != 2 or shape[1] != self.input_size:
                raise shape_error(self, f"packed (rows, {self.input_size})", shape)
            counts = np.asarray(x.batch_sizes)
            if not len(counts):
                raise ValueError(f"{self} expects at least one sequence, got none")
            sizes = tuple(counts.tolist())
            lengths = (counts > np.arange(counts[0])[:, None]).sum(axis=1)
            last = (np.cumsum(counts) - counts)[lengths - 1] + np.arange(counts[0])
            return _Rows(x.data, sizes, last, x, True)
        shape = input_shape(self, x)
        if len(shape) not in (2, 3) or shape[-1] != self.input_size:
            axes = "N, L" if self.batch_first else "L, N"
            size = self.input_size
            raise shape_error(self, f"({axes}, {size}) or (L, {size})", shape)
        batched = len(shape) == 3
        if batched and self.batch_first:
            x = x.swapaxes(0, 1)
        length = x.shape[0]
        if not length:
            raise ValueError(f"{self} expects at least one step, got an input of shape {shape}")
        count = x.shape[1] if batched else 1
        data = x.reshape((length * count, self.input_size))
        return _Rows(data, (count,) * length, slice((length - 1) * count, None), None, batched)

    def _initial(self, hx: Any, rows: _Rows) -> list[Arrays]:
        """Return each initial state as an array with one entry for each layer and direction."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        shape = (count, rows.sizes[0], self.hidden_size)
        if hx is None:
            dtype = np.result_type(rows.data.dtype, self.weight_hh_l0.dtype)
            zeros = np.zeros(shape[1:], dtype)
            return [[zeros] * count for _ in self.states]
        given = (hx,) if len(self.states) == 1 else hx
        expected = shape if rows.batched else (count, self.hidden_size)
        return [
            self._sorted(state, rows).reshape(shape)
            for state in checked_states(self, given, self.states, expected)
        ]

    def _sorted(self, state: Array, rows: _Rows) -> Array:
        order = None if rows.packed is None else rows.packed.sorted_indices
        return state if order is None else state[:, order]

    def _dropped(self, data: Array) -> Array:
        mask = drawn(self.generator, "random", data.shape, np.float32) >= self.dropout
        return dropout(data, mask, self.dropout)

    def _output(self, data: Array, rows: _Rows) -> Any:
        """Return the last layer's rows in the form of the input."""
        if rows.packed is not None:
            return rows.packed._replace(data=data)
        if not rows.batched:
            return data
        out = data.reshape((len(rows.sizes), rows.sizes[0], data.shape[1]))
        return out.swapaxes(0, 1) if self.batch_first else out

    def _final(self, finals: Sequence[Arrays], rows: _Rows) -> Any:
        """Return the final states, each with one entry for each layer and direction."""
        found = []
        for states in zip(*finals, strict=True):
            state = np.stack(states)
            if not rows.batched:
                state = state[:, 0]
            elif rows.packed is not None and rows.packed.unsorted_indices is not None:
                state = state[:, rows.packed.unsorted_indices]
            found.append(state)
        return found[0] if len(found) == 1 else tuple(found)

    def extra_repr(self) -> str:
        options = self._options(
            num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False
        )
        return f"{self.input_size}, {self.hidden_size}{options}"


def add_parameters(
    module: Any, suffixes: dict[str, int], generator: np.random.Generator, dtype: Any
) -> None:
    """Set the parameters of recurrent layers and cells, uniform in ±1/√hidden_size.

    Args:
        module: the module, with its sizes, `bias` and `gates` set.
        suffixes: for each suffix of the names, the length of the inputs of the weight.
        generator: draws the numbers.
        dtype: the dtype of the parameters.
    """
    hidden, bound = module.hidden_size, 1 / math.sqrt(module.hidden_size)
    for suffix, inputs in suffixes.items():
        for name in _NAMES if module.bias else _NAMES[:2]:
            shape = {"weight_ih": (inputs,), "weight_hh": (hidden,)}.get(name, ())
            values = init.uniform(
                (*shape, module.gates * hidden), -bound, bound, dtype=dtype, generator=generator
            )
            setattr(module, f"{name}{suffix}", Parameter(values))
    module._transposed_in_torch = tuple(f"{n}{suffix}" for suffix in suffixes for n in _NAMES[:2])


def checked_states(
    module: Module, given: Any, names: Sequence[str], expected: tuple[int, ...]
) -> Arrays:
    """Return the states after checking their number and shapes.

    Raises:
        TypeError: the states are not Tensors or arrays, or not as many as there are names.
        ValueError: one has a different shape.
    """
    if not isinstance(given, tuple | list) or len(given) != len(names):
        raise TypeError(
            f"{module} expects the states ({', '.join(names)}), a tuple of {len(names)}, not "
            f"{type(given).__name__}"
        )
    for name, state in zip(names, given, strict=True):
        shape = input_shape(f"{name} of {module}", state)
        if shape != expected:
            raise ValueError(f"{module} expects {name} of shape {expected}, got {shape}")
    return given


class RNN(RecurrentBase):
    """A recurrent layer with h' = tanh(x weight_ih + bias_ih + h weight_hh + bias_hh).

    The input has shape (L, N, input_size), or (N, L, input_size) if `batch_first`, or
    (L, input_size), or is a `PackedSequence`. The layer returns the hidden states of the last
    layer at each step, in the same form, and the final hidden states, h_n, of shape
    (num_layers · directions, N, hidden_size). `layer(x, h_0)` begins with a state of that shape
    instead of zeros.

    Args:
        input_size: the length of the last axis of the input.
        hidden_size: the length of the hidden state.
        num_layers: the number of layers; each gets the hidden states of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether the layer has biases.
        batch_first: whether the batch is the first axis of the input and the output, not of the
            states.
        dropout: the probability that an output of each layer but the last is set to zero in
            training, in [0, 1).
        bidirectional: whether a second recurrence runs from the last step to the first. The
            output then has the hidden states of both, of length 2 · hidden_size.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters and
            dropout. The parameters are uniform in ±1/√hidden_size, as in PyTorch.

    Attributes:
        weight_ih_l0, weight_hh_l0: Parameters of shape (input_size, hidden_size) and
            (hidden_size, hidden_size), the transposes of PyTorch's. Those of the other layers are
            weight_ih_l1 and so on, those of the other direction weight_ih_l0_reverse and so on.
        bias_ih_l0, bias_hh_l0: Parameters of shape (hidden_size,).

    Raises:
        TypeError, ValueError: a size is not a positive integer, an option is not a bool, `dropout`
            is out of range, or the nonlinearity is unknown.

    >>> layer = RNN(3, 5, batch_first=True, generator=0)
    >>> output, h_n = layer(np.zeros((2, 7, 3), np.float32))
    >>> output.shape, h_n.shape
    ((2, 7, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.nonlinearity = checked_nonlinearity("RNN", nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype=dtype,
            generator=generator,
        )

    def _op_options(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}

    def extra_repr(self) -> str:
        return super().extra_repr() + self._options(nonlinearity="tanh")


def checked_nonlinearity(name: str, nonlinearity: str) -> str:
    """Return the nonlinearity of an RNN after checking it."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(
            f"nonlinearity of {name} must be 'tanh' or 'relu', not {nonlinearity!r:.60}"
        )
    return nonlinearity


class LSTM(RecurrentBase):
    """A long short-term memory; see `functional.recurrence.lstm` for its formulas.

    Like `RNN`, but with a second state, the cell state: the layer returns the output and
    (h_n, c_n), and takes (h_0, c_0). PyTorch's `proj_size` is not supported.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
            generator: see `RNN`.

    Attributes:
        weight_ih_l0, weight_hh_l0: Parameters of shape (input_size, 4 · hidden_size) and
            (hidden_size, 4 · hidden_size), the transposes of PyTorch's. The gates are in the order
            input, forget, cell, output. For the names of the others see `RNN`.
        bias_ih_l0, bias_hh_l0: Parameters of shape (4 · hidden_size,).

    Raises:
        TypeError, ValueError: see `RNN`.

    >>> output, (h_n, c_n) = LSTM(3, 5, num_layers=2, generator=0)(np.zeros((7, 2, 3), np.float32))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    """

    gates = 4
    states = ("h_0", "c_0")
    call = staticmethod(recurrence.lstm)


class GRU(RecurrentBase):
    """A gated recurrent unit; see `functional.recurrence.gru` for its formulas.

    Its inputs and outputs are those of `RNN`.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
            generator: see `RNN`.

    Attributes:
        weight_ih_l0, weight_hh_l0: Parameters of shape (input_size, 3 · hidden_size) and
            (hidden_size, 3 · hidden_size), the transposes of PyTorch's. The gates are in the order
            reset, update, new. For the names of the others see `RNN`.
        bias_ih_l0, bias_hh_l0: Parameters of shape (3 · hidden_size,).

    Raises:
        TypeError, ValueError: see `RNN`.

    >>> output, h_n = GRU(3, 5, bidirectional=True, generator=0)(np.zeros((7, 3), np.float32))
    >>> output.shape, h_n.shape
    ((7, 10), (2, 5))
    """

    gates = 3
    call = staticmethod(recurrence.gru)
