"""Test cases for every layer and mode, as calls that are valid here and in torch.nn.

Inputs and parameters come from formulas instead of random numbers, so that they match the
results in `expected.npz`, written by `make_expected.py`, on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tests.layers import norm_cases, window_cases
from tinytorch_layers import Module

# The names that the calls use.
PUBLIC_NAMES: dict[str, Any] = {"Tensor": Tensor}
exec("from tinytorch_activations import *\nfrom tinytorch_layers import *", PUBLIC_NAMES)

EXPECTED = Path(__file__).with_name("expected.npz")


@dataclass(frozen=True)
class Case:
    """A layer and the shape of its input.

    Attributes:
        call: the expression that creates the layer.
        shape: the shape of the input.
        training: whether the layer is in training mode.
        rows: the number of rows of an Embedding; 0 for other layers.
        ties: whether the input is rounded, so that many values are equal.
        batched: whether the first axis of the input is the batch.
    """

    call: str
    shape: tuple[int, ...]
    training: bool = True
    rows: int = 0
    ties: bool = False
    batched: bool = True

    @property
    def id(self) -> str:
        mode = "" if self.training else " in evaluation"
        ties = " with ties" if self.ties else ""
        return f"{self.call} on {self.shape}{mode}{ties}"

    @property
    def floating(self) -> bool:
        return not self.rows

    def x(self) -> np.ndarray:
        """Return the input: float64, or int64 for an Embedding."""
        if self.rows:
            return (np.arange(np.prod(self.shape, dtype=int)) * 3 % self.rows).reshape(self.shape)
        x = mixed(self.shape)
        return np.round(x) if self.ties else x

    def layer(self, dtype: Any = np.float64) -> Module:
        """Return our layer, with parameters from `mixed`."""
        layer = eval(self.call, PUBLIC_NAMES)
        for name, value in start(layer.state_dict()).items():
            owner, last = find(layer, name)
            held = getattr(owner, last)
            if isinstance(held, Tensor):
                held.data = value.astype(dtype)
            else:
                setattr(owner, last, value.astype(dtype if value.dtype.kind == "f" else int))
        return layer.train(self.training)

    def in_torch(self, torch: Any) -> Any:
        """Return PyTorch's layer, with the same parameters."""
        layer = eval(self.call, {**vars(torch.nn), **torch_extras(torch)}).double()
        ours = {name: to_torch(layer, name, a) for name, a in start(self.state()).items()}
        layer.load_state_dict({name: torch.tensor(a) for name, a in ours.items()})
        return layer.train(self.training)

    def state(self) -> dict[str, np.ndarray]:
        return eval(self.call, PUBLIC_NAMES).state_dict()


def find(layer: Module, path: str) -> tuple[Any, str]:
    """Return the module and the attribute name of a dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        layer = layer[int(name)] if isinstance(layer, list) else getattr(layer, name)
    return layer, last


def mixed(shape: tuple[int, ...], low: float = -2.0, high: float = 2.25) -> np.ndarray:
    """Return distinct numbers from `low` to `high` in a shuffled but fixed order."""
    size = int(np.prod(shape))
    order = np.arange(size) * 7919 % max(size, 1)
    return np.linspace(low, high, size)[order].reshape(shape)


def start(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return values for a state: variances are positive, integers are unchanged."""
    return {
        name: a
        if a.dtype.kind == "i"
        else mixed(a.shape, 0.5, 2.0)
        if name.endswith("running_var")
        else mixed(a.shape, -1.0, 1.25)
        for name, a in state.items()
    }


def to_torch(layer: Any, name: str, array: np.ndarray) -> np.ndarray:
    """Convert an array or gradient between the two layouts: transpose weights as of Linear."""
    owner, last = find(layer, name)
    linear = type(owner).__name__ in _LINEAR and last.endswith("weight")
    recurrent = last.startswith(("weight_ih", "weight_hh", "weight_hr"))
    return array.T.copy() if linear or recurrent else array


# The modules of PyTorch whose weights are transposed.
_LINEAR = ("Linear", "NonDynamicallyQuantizableLinear", "MultiheadAttention")


def torch_extras(torch: Any) -> dict[str, Any]:
    class Residual(torch.nn.Module):
        def __init__(self, *layers: Any, shortcut: Any = None) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(*layers)
            self.shortcut = shortcut

        def forward(self, x: Any) -> Any:
            return self.body(x) + (x if self.shortcut is None else self.shortcut(x))

    extras = {"Residual": Residual, "Dense": torch.nn.Linear}
    extras |= recurrent_modules(torch.nn.Module, vars(torch.nn.utils.rnn))
    return extras | sequence_modules(torch.nn.Module, torch.tensor)


def sequence_modules(base: Any, array: Any) -> dict[str, Any]:
    """Return modules with one input and one output, which call attentions and decoders.

    Args:
        base: the class of modules: ours, or PyTorch's.
        array: converts a mask.
    """

    class Attend(base):  # type: ignore[misc]
        """Attends from parts of x to other parts, and returns the output and the weights."""

        def __init__(self, attention: Any, keys: slice | None = None, **options: Any) -> None:
            super().__init__()
            self.attention, self.keys = attention, keys
            self.options = {
                name: array(value) if isinstance(value, np.ndarray) else value
                for name, value in options.items()
            }

        def forward(self, x: Any) -> Any:
            key = x if self.keys is None else x[:, self.keys] * 0.5
            value = key if key.shape[-1] == x.shape[-1] else x
            out, weights = self.attention(x, key, value, **self.options)
            return out if weights is None else out + (weights * weights).sum(-1)[..., None]

    class Decode(base):  # type: ignore[misc]
        """Decodes x with a part of x as the memory."""

        def __init__(self, decoder: Any, **options: Any) -> None:
            super().__init__()
            self.decoder = decoder
            self.options = {name: array(value) for name, value in options.items()}

        def forward(self, x: Any) -> Any:
            return self.decoder(x, x[:, :2] * 0.5, **self.options)

    return {"Attend": Attend, "Decode": Decode, "np": np}


def recurrent_modules(base: Any, names: dict[str, Any]) -> dict[str, Any]:
    """Return modules with one input and one output, which call recurrent layers and cells.

    Args:
        base: the class of modules: ours, or PyTorch's.
        names: the functions that pack sequences.
    """

    class Recur(base):  # type: ignore[misc]
        """Returns the output plus a sum over the states; a part of x is the initial state."""

        def __init__(self, layer: Any, lengths: Any = None, states: int = 0) -> None:
            super().__init__()
            self.layer, self.lengths, self.states = layer, lengths, states

        def forward(self, x: Any) -> Any:
            given = [x]
            if self.states:
                size = self.layer.hidden_size
                batched = x.swapaxes(0, 1) if self.layer.batch_first else x
                state = batched[: self.states, ..., :size] * 0.5
                hidden = state[..., : getattr(self.layer, "proj_size", 0) or size]
                given.append(
                    (hidden, state * state) if "LSTM" in type(self.layer).__name__ else state
                )
            first = self.layer.batch_first
            if self.lengths is not None:
                given[0] = names["pack_padded_sequence"](
                    x, self.lengths, batch_first=first, enforce_sorted=False
                )
            out, states = self.layer(*given)
            if self.lengths is not None:
                out, _ = names["pad_packed_sequence"](out, batch_first=first, padding_value=0.5)
            weight = 1.0
            for state in states if isinstance(states, tuple) else [states]:
                for one in state:
                    weight += 0.5
                    out = out + (one * one).sum() * weight
            return out

    class Step(base):  # type: ignore[misc]
        """Makes two steps of a cell, and returns the product of the states."""

        def __init__(self, cell: Any) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Any) -> Any:
            found = self.cell(x * x, self.cell(x))
            return found[0] * found[1] if "LSTM" in type(self.cell).__name__ else found

    return {"Recur": Recur, "Step": Step}


def compute(case: Case, dtype: Any = np.float64) -> dict[str, np.ndarray]:
    """Return our layer's output, the gradients of a weighted sum of it, and the buffers."""
    layer = case.layer(dtype)
    x = case.x()
    given = Tensor(x.astype(dtype), requires_grad=True) if case.floating else x
    out = layer(given)
    out.backward(mixed(out.shape, 0.5, 1.5).astype(dtype))
    found = {"output": out.data}
    if case.floating:
        found["input"] = given.grad
    found |= {name: p.grad for name, p in layer.named_parameters()}
    return found | {name: np.asarray(b) for name, b in layer.named_buffers()}


def compute_in_torch(case: Case, torch: Any) -> dict[str, np.ndarray]:
    """Return the same from PyTorch, with the gradients in our layout."""
    layer = case.in_torch(torch)
    given = torch.tensor(case.x(), requires_grad=case.floating)
    out = layer(given)
    out.backward(torch.tensor(mixed(tuple(out.shape), 0.5, 1.5)))
    found = {"output": out.detach().numpy()}
    if case.floating:
        found["input"] = given.grad.numpy()
    for name, p in layer.named_parameters():
        found[name] = to_torch(layer, name, p.grad.numpy())
    return found | {name: b.numpy() for name, b in layer.named_buffers()}


PUBLIC_NAMES |= sequence_modules(Module, np.asarray)
_PACKING = ("pack_padded_sequence", "pad_packed_sequence")
PUBLIC_NAMES |= recurrent_modules(Module, {name: PUBLIC_NAMES[name] for name in _PACKING})

IMAGE = (2, 2, 5, 6)
SEQUENCE = (2, 3, 4)
SEQUENCES = (3, 2, 2)

CASES = [
    Case("Linear(4, 3)", (5, 4)),
    Case("Linear(4, 3, bias=False)", (5, 4)),
    Case("Linear(4, 3)", (4,)),
    Case("Dense(4, 3)", (2, 3, 4)),
    Case("Linear(4, 3, bias=False)", (2, 3, 4)),
    Case("Linear(1, 1)", (1, 1)),
    Case("Flatten()", (2, 3, 2, 2)),
    Case("Flatten(0, 1)", (2, 3, 4)),
    Case("Flatten(1, -2)", (2, 3, 2, 2)),
    Case("Dropout(0.5)", (3, 4), training=False),
    Case("Dropout(0)", (3, 4)),
    Case("LayerNorm(4)", (3, 4)),
    Case("LayerNorm((3, 4))", (2, 3, 4)),
    Case("LayerNorm([4], eps=0.1)", (2, 3, 4)),
    Case("LayerNorm(4, elementwise_affine=False)", (3, 4)),
    Case("LayerNorm(4, bias=False)", (3, 4)),
    *(
        Case(call, shape, training)
        for training in (True, False)
        for call, shape in (
            ("BatchNorm1d(3)", (4, 3)),
            ("BatchNorm1d(3)", (4, 3, 2)),
            ("BatchNorm1d(3, affine=False)", (4, 3)),
            ("BatchNorm1d(3, eps=0.1, momentum=0.3)", (4, 3)),
            ("BatchNorm1d(3, momentum=None)", (4, 3)),
            ("BatchNorm2d(3)", (2, 3, 2, 3)),
            ("BatchNorm2d(3, affine=False)", (2, 3, 2, 3)),
        )
    ),
    Case("Embedding(5, 3)", (2, 4), rows=5),
    Case("Embedding(5, 3)", (), rows=5),
    Case("Embedding(5, 3)", (0,), rows=5),
    Case("Embedding(5, 3, padding_idx=1)", (2, 4), rows=5),
    Case("Embedding(5, 3, padding_idx=-2)", (7,), rows=5),
    Case("Conv2d(2, 3, 3)", IMAGE),
    Case("Conv2d(2, 3, 1)", IMAGE),
    Case("Conv2d(2, 3, (5, 6))", IMAGE),
    Case("Conv2d(2, 3, 3, bias=False)", IMAGE),
    Case("Conv2d(2, 3, (2, 3))", IMAGE),
    Case("Conv2d(2, 3, 3, stride=2)", IMAGE),
    Case("Conv2d(2, 3, 2, stride=(3, 1))", IMAGE),
    Case("Conv2d(2, 3, 3, padding=1)", IMAGE),
    Case("Conv2d(2, 3, 3, padding=(2, 1), stride=(2, 3))", IMAGE),
    Case("Conv2d(2, 3, 2, dilation=(2, 3))", IMAGE),
    Case("Conv2d(2, 3, 3, padding=2, dilation=2, stride=2)", IMAGE),
    Case("Conv2d(2, 3, 3, padding='valid')", IMAGE),
    Case("Conv2d(2, 3, 3, padding='same')", IMAGE),
    Case("Conv2d(2, 3, (2, 4), padding='same')", IMAGE),
    Case("Conv2d(2, 3, (3, 2), padding='same', dilation=(2, 1))", IMAGE),
    Case("Conv2d(2, 4, 3, groups=2)", IMAGE),
    Case("Conv2d(4, 2, 2, groups=2, stride=2, padding=1)", (2, 4, 4, 4)),
    Case("Conv2d(3, 6, 3, groups=3, padding=1)", (2, 3, 4, 4)),
    Case("MaxPool2d(2)", IMAGE),
    Case("MaxPool2d(2)", IMAGE, ties=True),
    Case("MaxPool2d(3, stride=2)", IMAGE),
    Case("MaxPool2d(3, stride=1, padding=1)", IMAGE),
    Case("MaxPool2d(3, stride=1, padding=1)", IMAGE, ties=True),
    Case("MaxPool2d((2, 3), stride=(1, 2), padding=(1, 0))", IMAGE),
    Case("MaxPool2d(2, dilation=2)", IMAGE),
    Case("MaxPool2d(2, padding=1)", IMAGE),
    Case("AvgPool2d(2)", IMAGE),
    Case("AvgPool2d(3, stride=2, padding=1)", IMAGE),
    Case("AvgPool2d((3, 2), stride=(1, 2))", IMAGE),
    Case("AvgPool2d(3, stride=1, padding=1)", IMAGE),
    Case("Recur(RNN(2, 2))", SEQUENCES),
    Case("Recur(RNN(2, 2, bidirectional=True), states=2)", SEQUENCES),
    Case("Recur(RNN(2, 3, nonlinearity='relu', bias=False))", SEQUENCES),
    Case("Recur(LSTM(2, 2), states=1)", SEQUENCES),
    Case("Recur(LSTM(2, 2, num_layers=2, bidirectional=True))", SEQUENCES),
    Case("Recur(LSTM(2, 2, bias=False, batch_first=True), states=1)", (2, 3, 2)),
    Case("Recur(LSTM(2, 2, bidirectional=True), [2, 3], states=2)", SEQUENCES),
    Case("Recur(LSTM(2, 2))", (3, 2)),
    Case("Recur(LSTM(2, 2, num_layers=2, bidirectional=True, proj_size=1))", SEQUENCES),
    Case("Recur(LSTM(2, 2, bidirectional=True, proj_size=1), [2, 3], states=2)", SEQUENCES),
    Case("Recur(LSTM(3, 3, bias=False, batch_first=True, proj_size=2), states=1)", (2, 3, 3)),
    Case("Recur(LSTM(2, 2, proj_size=1), states=1)", (3, 2)),
    Case("Recur(GRU(2, 2), states=1)", SEQUENCES),
    Case("Recur(GRU(2, 1, num_layers=2, bias=False))", SEQUENCES),
    Case("Recur(GRU(2, 1, batch_first=True, bidirectional=True), [1, 3], states=2)", (2, 3, 2)),
    Case("Step(RNNCell(3, 2, nonlinearity='relu'))", (2, 3)),
    Case("Step(LSTMCell(3, 2))", (2, 3)),
    Case("Step(GRUCell(3, 2, bias=False))", (3,)),
    Case("Residual(Linear(4, 4), Tanh(), Linear(4, 4))", (3, 4)),
    Case("Residual(Linear(4, 2), shortcut=Linear(4, 2, bias=False))", (3, 4)),
    Case("Attend(MultiheadAttention(4, 2, batch_first=True))", SEQUENCE),
    Case("Attend(MultiheadAttention(4, 2, batch_first=True), need_weights=False)", SEQUENCE),
    Case("Attend(MultiheadAttention(4, 2, bias=False), need_weights=False)", SEQUENCE),
    Case(
        "Attend(MultiheadAttention(4, 2, batch_first=True), attn_mask=np.tri(3) < 1)",
        SEQUENCE,
    ),
    Case(
        "Attend(MultiheadAttention(4, 1, batch_first=True), attn_mask=np.tri(3) / 2,"
        " need_weights=False)",
        SEQUENCE,
    ),
    Case(
        "Attend(MultiheadAttention(4, 2, batch_first=True), slice(1, None), need_weights=False)",
        SEQUENCE,
    ),
    Case(
        "Attend(MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True),"
        " need_weights=False)",
        SEQUENCE,
    ),
    Case("TransformerEncoderLayer(4, 2, 6, 0, batch_first=True)", SEQUENCE),
    Case("TransformerEncoderLayer(4, 2, 6, 0, 'gelu', norm_first=True)", SEQUENCE),
    Case("TransformerEncoderLayer(4, 2, 6, 0, bias=False, batch_first=True)", (3, 4)),
    Case(
        "TransformerEncoder(TransformerEncoderLayer(4, 2, 6, 0, batch_first=True), 2,"
        " LayerNorm(4))",
        SEQUENCE,
    ),
    Case("Decode(TransformerDecoderLayer(4, 2, 6, 0, batch_first=True))", SEQUENCE),
    Case(
        "Decode(TransformerDecoderLayer(4, 2, 6, 0, 'gelu', batch_first=True, norm_first=True),"
        " tgt_mask=np.tri(3) < 1)",
        SEQUENCE,
    ),
    Case("Decode(Transformer(4, 2, 1, 1, 6, 0, batch_first=True))", SEQUENCE),
    Case(
        "Sequential(Conv2d(1, 2, 3, padding=1), Tanh(), MaxPool2d(2), Conv2d(2, 3, 2),"
        " BatchNorm2d(3), Sigmoid(), AvgPool2d(2), Flatten(), Linear(3, 2), LayerNorm(2))",
        (3, 1, 6, 6),
    ),
    *(Case(call, shape) for call, shape in window_cases.CASES),
    *(Case(call, shape, batched=False) for call, shape in window_cases.UNBATCHED),
    *(Case(call, shape, ties=True) for call, shape in window_cases.TIES),
    *(Case(call, shape, mode) for call, shape in norm_cases.CASES for mode in (True, False)),
    *(Case(call, shape) for call, shape in norm_cases.STATELESS),
    *(Case(call, shape, batched=False) for call, shape in norm_cases.UNBATCHED),
]
