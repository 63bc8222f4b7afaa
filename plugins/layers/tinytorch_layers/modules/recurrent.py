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
            f"_l{layer}{direction}": self._state_lengths()[0] * len(directions)
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
                data = self._dropped(rows._replace(data=data))
            outputs = []
            for direction in range(directions):
                k = layer * directions + direction
                given = None if states is None else [state[k] for state in states]
                found = self._run(rows._replace(data=data), suffixes[k], given, direction > 0)
                outputs.append(found[0])
                last = slice(rows.sizes[0]) if direction else rows.last
                finals.append([state[last] for state in found])
            data = outputs[0] if directions == 1 else np.concatenate(outputs, axis=1)
        return self._output(data, rows), self._final(finals, rows)

    def _run(self, rows: _Rows, suffix: str, states: Arrays | None, reverse: bool) -> Arrays:
        """Return the states at each step of one layer and direction.

        Args:
            rows: the input of the layer.
            suffix: of the names of the parameters.
            states: the initial states, or None for zeros.
            reverse: whether to begin with the last step.
        """
        parameters = self._parameters(suffix)
        states = self._zeros(rows) if states is None else states
        return self._call(rows, *parameters, *states, reverse=reverse)

    def _call(self, rows: _Rows, *arrays: Array, reverse: bool) -> Arrays:
        """Call the op with the weights, the biases and the initial states."""
        found: Arrays = recurrence.recurrence(
            self.call, rows.data, *arrays, sizes=rows.sizes, reverse=reverse, **self._op_options()
        )
        return found

    def _zeros(self, rows: _Rows) -> Arrays:
        """Return the states before the first step if none are given."""
        dtype = np.result_type(rows.data.dtype, self.weight_hh_l0.dtype)
        return [np.zeros((rows.sizes[0], self.hidden_size), dtype) for _ in self.states]

    def _state_lengths(self) -> tuple[int, ...]:
        """Return the length of the last axis of each state."""
        return (self.hidden_size,) * len(self.states)

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

    def _initial(self, hx: Any, rows: _Rows) -> list[Arrays] | None:
        """Return each initial state as an array with one entry for each layer and direction."""
        if hx is None:
            return None
        count = self.num_layers * (2 if self.bidirectional else 1)
        given = (hx,) if len(self.states) == 1 else hx
        shapes = [(count, rows.sizes[0], length) for length in self._state_lengths()]
        expected = shapes if rows.batched else [(count, length) for _, _, length in shapes]
        states = checked_states(self, given, self.states, expected)
        return [
            self._sorted(state, rows).reshape(shape)
            for state, shape in zip(states, shapes, strict=True)
        ]

    def _sorted(self, state: Array, rows: _Rows) -> Array:
        order = None if rows.packed is None else rows.packed.sorted_indices
        return state if order is None else state[:, order]

    def _dropped(self, rows: _Rows) -> Array:
        shape = rows.data.shape
        if rows.packed is None:
            # By sequence, so that several ranks draw the numbers of one process.
            by_sequence = rows.sizes[0], len(rows.sizes), shape[-1]
            numbers = drawn(self.generator, "random", by_sequence, np.float32)
            numbers = np.swapaxes(numbers, 0, 1).reshape(shape)
        else:
            numbers = drawn(self.generator, "random", shape, np.float32)
        return dropout(rows.data, numbers >= self.dropout, self.dropout)

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
        module: the module, with its sizes, `bias` and `gates` set, and `proj_size` if it has one.
        suffixes: for each suffix of the names, the length of the inputs of the weight.
        generator: draws the numbers.
        dtype: the dtype of the parameters.
    """
    hidden, bound = module.hidden_size, 1 / math.sqrt(module.hidden_size)
    projection = getattr(module, "proj_size", 0)
    columns = module.gates * hidden
    for suffix, inputs in suffixes.items():
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (inputs, columns),
            "weight_hh": (projection or hidden, columns),
        }
        if module.bias:
            shapes |= {"bias_ih": (columns,), "bias_hh": (columns,)}
        if projection:
            shapes["weight_hr"] = (hidden, projection)
        for name, shape in shapes.items():
            values = init.uniform(shape, -bound, bound, dtype=dtype, generator=generator)
            setattr(module, f"{name}{suffix}", Parameter(values))
    weights = ("weight_ih", "weight_hh", "weight_hr")[: 3 if projection else 2]
    module._transposed_in_torch = tuple(f"{n}{suffix}" for suffix in suffixes for n in weights)


def checked_states(
    module: Module, given: Any, names: Sequence[str], expected: Sequence[tuple[int, ...]]
) -> Arrays:
    """Return the states after checking their number and shapes.

    Args:
        module: the layer or cell, for the errors.
        given: the states.
        names: the name of each state.
        expected: the shape of each state.

    Raises:
        TypeError: the states are not Tensors or arrays, or not as many as there are names.
        ValueError: one has a different shape.
    """
    if not isinstance(given, tuple | list) or len(given) != len(names):
        raise TypeError(
            f"{module} expects the states ({', '.join(names)}), a tuple of {len(names)}, not "
            f"{type(given).__name__}"
        )
    for name, state, wanted in zip(names, given, expected, strict=True):
        shape = input_shape(f"{name} of {module}", state)
        if shape != wanted:
            raise ValueError(f"{module} expects {name} of shape {wanted}, got {shape}")
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
    (h_n, c_n), and takes (h_0, c_0).

    With `proj_size`, each hidden state is the product of o tanh(c') and `weight_hr`, and has the
    length `proj_size`: Sak et al., "Long short-term memory based recurrent neural network
    architectures for large vocabulary speech recognition", 2014, arXiv:1402.1128.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
            generator: see `RNN`.
        proj_size: the length of the hidden states, below `hidden_size`; 0 for states of length
            `hidden_size`, without a projection.

    Attributes:
        weight_ih_l0, weight_hh_l0: Parameters of shape (input_size, 4 · hidden_size) and
            (hidden_size, 4 · hidden_size), the transposes of PyTorch's. The gates are in the order
            input, forget, cell, output. For the names of the others see `RNN`. With a projection,
            weight_hh_l0 has `proj_size` rows.
        bias_ih_l0, bias_hh_l0: Parameters of shape (4 · hidden_size,).
        weight_hr_l0: a Parameter of shape (hidden_size, proj_size), with a projection.

    Raises:
        TypeError, ValueError: see `RNN`; `proj_size` is not an integer from 0 to `hidden_size` - 1.

    >>> x = np.zeros((7, 2, 3), np.float32)
    >>> output, (h_n, c_n) = LSTM(3, 5, num_layers=2, generator=0)(x)
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    >>> output, (h_n, c_n) = LSTM(3, 5, proj_size=2, generator=0)(x)
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 2), (1, 2, 2), (1, 2, 5))
    """

    gates = 4
    states = ("h_0", "c_0")
    call = staticmethod(recurrence.lstm)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.proj_size = integer("LSTM", "proj_size", proj_size, 0)
        if proj_size and proj_size >= integer("LSTM", "hidden_size", hidden_size):
            raise ValueError(
                f"proj_size of LSTM must be below hidden_size, {hidden_size}, or 0 for no "
                f"projection, not {proj_size}"
            )
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

    def _state_lengths(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size

    def _run(self, rows: _Rows, suffix: str, states: Arrays | None, reverse: bool) -> Arrays:
        """Return the states at each step of one layer and direction; see `RecurrentBase`.

        With m = o tanh(c') and h = m weight_hr, the recurrent product h weight_hh is
        m (weight_hr weight_hh), so that the op without a projection computes the steps. An initial
        state h_0 need not be such a product: it gets further columns of the inputs of the first
        step, multiplied by weight_hh.
        """
        if not self.proj_size:
            return super()._run(rows, suffix, states, reverse)
        parameters: Arrays = self._parameters(suffix)
        weight_ih, weight_hh, *biases = parameters
        weight_hr = getattr(self, f"weight_hr{suffix}")
        zeros, cell = self._zeros(rows)
        if states is not None:
            hidden, cell = states
            first = self._first_rows(hidden, rows, reverse)
            rows = rows._replace(data=np.concatenate([rows.data, first], axis=1))
            weight_ih = np.concatenate([weight_ih, weight_hh])
        found, cell = self._call(
            rows, weight_ih, weight_hr @ weight_hh, *biases, zeros, cell, reverse=reverse
        )
        return found @ weight_hr, cell

    def _first_rows(self, state: Array, rows: _Rows, reverse: bool) -> Array:
        """Return the state at the first step of each sequence, and zeros at the others."""
        count = rows.sizes[0]
        index = np.full(sum(rows.sizes), count)
        index[rows.last if reverse else slice(count)] = np.arange(count)
        return np.pad(state, ((0, 1), (0, 0)))[index]

    def extra_repr(self) -> str:
        return super().extra_repr() + self._options(proj_size=0)


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
