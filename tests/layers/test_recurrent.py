"""Recurrent layers and cells: names, states, dropout, loops in blocks, and errors.

`cases.py` compares them with PyTorch, and checks their second derivatives.
"""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import AccumulateGrad
from tinytorch_layers import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    RNNCell,
    load_torch_state,
    pack_padded_sequence,
    pad_packed_sequence,
    torch_state,
)
from tinytorch_layers.functional import recurrence, recurrence_memory

from .cases import mixed

LAYERS = (RNN, LSTM, GRU)
CELLS = (RNNCell, LSTMCell, GRUCell)


def flat(found):
    """Return the arrays in the results of a layer."""
    if isinstance(found, tuple | list):
        return [array for part in found for array in flat(part)]
    return [found.data]


def assert_close(found, expected, tolerance=1e-12):
    for one, other in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("layer", LAYERS)
def test_parameters_have_the_names_of_pytorch_and_its_shapes_transposed(layer):
    found = layer(3, 5, num_layers=2, bidirectional=True).state_dict()
    gates = layer.gates
    names = [f"_l{k}{suffix}" for k in (0, 1) for suffix in ("", "_reverse")]
    assert list(found) == [
        f"{name}{suffix}"
        for suffix in names
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    assert found["weight_ih_l0"].shape == (3, gates * 5)
    assert found["weight_ih_l1_reverse"].shape == (10, gates * 5)
    assert found["weight_hh_l1"].shape == (5, gates * 5)
    assert found["bias_hh_l0"].shape == (gates * 5,)
    assert max(np.abs(a).max() for a in found.values()) <= 1 / np.sqrt(5)


@pytest.mark.parametrize("layer", [layer(3, 5) for layer in (*LAYERS, *CELLS)], ids=str)
def test_the_state_is_transposed_for_pytorch_and_back(layer):
    state, given = layer.state_dict(), torch_state(layer)
    for name, array in state.items():
        np.testing.assert_array_equal(given[name], array.T if "weight" in name else array)
    other = type(layer)(3, 5)
    load_torch_state(other, given)
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.peers
@pytest.mark.parametrize("name", [kind.__name__ for kind in (*LAYERS, *CELLS)])
def test_a_float32_layer_follows_that_of_pytorch(name, torch):
    theirs = getattr(torch.nn, name)(6, 128)
    ours = {kind.__name__: kind for kind in (*LAYERS, *CELLS)}[name](6, 128)
    load_torch_state(ours, theirs.state_dict())
    x = mixed((20, 3, 6))[0 if "Cell" in name else slice(None)].astype(np.float32)
    found, expected = ours(x), theirs(torch.from_numpy(x))
    for one, other in zip(flat(found), flat(expected), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other.numpy(), atol=2e-6)


@pytest.mark.parametrize(("hidden", "large"), [(96, 1 << 20), (128, 1 << 20), (32, 0)])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["equal lengths", "packed"])
def test_loops_in_tiles_and_blocks_agree_with_the_formulas(
    layer, hidden, large, lengths, monkeypatch
):
    """The loops split wide layers and long sequences; the formulas never do."""
    monkeypatch.setattr(recurrence_memory, "_ROWS", 5)
    monkeypatch.setattr(recurrence_memory, "_LARGE_WEIGHT", large)
    x = mixed((4, 3, 2))

    def compute():
        given = Tensor(x, requires_grad=True)
        model = layer(2, hidden, bidirectional=True, dtype=np.float64, generator=0)
        packed = given
        if lengths is not None:
            packed = pack_padded_sequence(given, lengths, enforce_sorted=False)
        out, states = model(packed)
        if lengths is not None:
            out, _ = pad_packed_sequence(out)
        total = (out * mixed(out.shape)).sum()
        for state in states if isinstance(states, tuple) else [states]:
            total = total + (state * state).sum()
        total.backward()
        return [out, states, given.grad, [p.grad for p in model.parameters()]]

    found = compute()
    monkeypatch.setattr(recurrence, "_are_fast", lambda *arrays: False)
    assert_close(found, compute(), 1e-10)


@pytest.mark.parametrize("layer", LAYERS)
def test_steps_of_a_cell_are_those_of_the_layer(layer):
    cell = {RNN: RNNCell, LSTM: LSTMCell, GRU: GRUCell}[layer](3, 5, dtype=np.float64, generator=0)
    model = layer(3, 5, dtype=np.float64)
    model.load_state_dict({f"{name}_l0": a for name, a in cell.state_dict().items()})
    x, states = mixed((4, 2, 3)), None
    out, final = model(x)
    for step in range(4):
        states = cell(x[step], states)
        assert_close(out[step], flat(states)[0])
    assert_close([state[0] for state in flat(final)], flat(states))


@pytest.mark.parametrize("layer", LAYERS)
def test_an_input_without_a_batch_axis_is_a_batch_of_one(layer):
    model = layer(3, 5, num_layers=2, dtype=np.float64, generator=0)
    x, states = mixed((4, 3)), [mixed((2, 5))] * len(layer.states)
    batched = [state[:, None] for state in states]
    out, final = model(x, states if len(states) > 1 else states[0])
    expected, others = model(x[:, None], batched if len(states) > 1 else batched[0])
    assert_close(out, expected[:, 0])
    assert_close(final, [state[:, 0] for state in flat(others)])


@pytest.mark.parametrize("layer", LAYERS)
def test_padding_does_not_change_packed_sequences(layer):
    model = layer(3, 5, bidirectional=True, dtype=np.float64, generator=0)
    x, lengths = mixed((6, 3, 3)), [2, 6, 3]
    out, final = model(pack_padded_sequence(x, lengths, enforce_sorted=False))
    padded, found = pad_packed_sequence(out)
    assert found.tolist() == lengths
    for i, length in enumerate(lengths):
        alone, states = model(x[:length, i])
        assert_close(padded[:length, i], alone)
        assert_close([state[:, i] for state in flat(final)], flat(states))
    assert not padded.data[2:, 0].any()


@pytest.mark.parametrize("layer", LAYERS)
def test_an_empty_batch_gives_an_empty_result(layer):
    model = layer(3, 5)
    x = Tensor(np.zeros((4, 0, 3), np.float32), requires_grad=True)
    out, states = model(x)
    out.sum().backward()
    assert out.shape == (4, 0, 5)
    assert {state.shape for state in flat(states)} == {(1, 0, 5)}
    assert x.grad.shape == x.shape
    assert not model.weight_ih_l0.grad.any()


@pytest.mark.parametrize("layer", LAYERS)
def test_one_op_is_recorded_for_each_layer_and_direction(layer):
    out, _ = layer(3, 5)(np.zeros((4, 2, 3), np.float32))
    node = out.grad_fn.next_functions[0].next_functions[0]
    assert type(node).__name__ == f"{layer.__name__.title()}Backward"
    parents = [edge for edge in node.next_functions if edge is not None]
    assert len(parents) == 4
    assert all(isinstance(edge, AccumulateGrad) for edge in parents)


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_do_not_share_memory(layer):
    model = layer(3, 5)
    model(np.ones((4, 2, 3), np.float32))[0].sum().backward()
    gradients = [p.grad for p in model.parameters()]
    for i, one in enumerate(gradients):
        assert not any(np.shares_memory(one, other) for other in gradients[:i])


@pytest.mark.parametrize("layer", LAYERS)
def test_a_second_backward_pass_gives_the_same_gradients(layer):
    model = layer(3, 5, dtype=np.float64)
    total = model(mixed((4, 2, 3)))[0].sum()
    total.backward(retain_graph=True)
    first = [p.grad.copy() for p in model.parameters()]
    total.backward()
    for p, grad in zip(model.parameters(), first, strict=True):
        np.testing.assert_array_equal(p.grad, 2 * grad)


@pytest.mark.parametrize("layer", LAYERS)
def test_float16_is_computed_by_the_formulas(layer):
    out, _ = layer(3, 5, dtype=np.float16, generator=0)(mixed((4, 2, 3)).astype(np.float16))
    wide, _ = layer(3, 5, dtype=np.float64, generator=0)(mixed((4, 2, 3)))
    assert out.dtype == np.float16
    np.testing.assert_allclose(out.data, wide.data, atol=5e-3)


def test_dropout_is_between_layers_and_only_in_training():
    x = mixed((3, 4, 2)).astype(np.float32)
    model = LSTM(2, 8, num_layers=2, dropout=0.5, generator=0)
    first, second = model(x)[0].data, model(x)[0].data
    assert not np.array_equal(first, second)
    twin = LSTM(2, 8, num_layers=2, dropout=0.5, generator=0)
    np.testing.assert_array_equal(twin(x)[0].data, first)
    np.testing.assert_array_equal(model.eval()(x)[0].data, twin.eval()(x)[0].data)
    single = LSTM(2, 8, dropout=0.5, generator=0)
    np.testing.assert_array_equal(single(x)[0].data, single(x)[0].data)


X = np.zeros((4, 2, 3), np.float32)
STATE = np.zeros((1, 2, 5), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RNN(0, 5), ValueError, "input_size of RNN must be positive"),
        (lambda: GRU(3, 5.0), TypeError, "hidden_size of GRU must be an integer"),
        (lambda: LSTM(3, 5, dropout=1), ValueError, r"dropout of LSTM must be in \[0, 1\)"),
        (lambda: LSTM(3, 5, bias=1), TypeError, "bias of LSTM must be True or False"),
        (lambda: RNN(3, 5, nonlinearity="sin"), ValueError, "'tanh' or 'relu', not 'sin'"),
        (lambda: RNNCell(3, 5, nonlinearity="sin"), ValueError, "'tanh' or 'relu', not 'sin'"),
        (lambda: LSTMCell(3, 0), ValueError, "hidden_size of LSTMCell must be positive"),
        (lambda: GRUCell(3, 5, bias=0), TypeError, "bias of GRUCell must be True or False"),
        (lambda: RNN(3, 5)(X[..., :2]), ValueError, r"shape \(L, N, 3\) or \(L, 3\), got"),
        (lambda: RNN(3, 5)(X[:0]), ValueError, "at least one step"),
        (lambda: RNN(3, 5)(X.astype(int)), TypeError, "floating-point"),
        (lambda: GRU(3, 5)(X, STATE[0]), ValueError, r"h_0 of shape \(1, 2, 5\), got \(2, 5\)"),
        (lambda: GRU(3, 5)(X, "state"), TypeError, "expects a Tensor or an array"),
        (lambda: LSTM(3, 5)(X, STATE), TypeError, r"the states \(h_0, c_0\), a tuple of 2"),
        (lambda: LSTM(3, 5)(X, (STATE, STATE[:, :1])), ValueError, "c_0 of shape"),
        (lambda: LSTMCell(3, 5)(X), ValueError, r"\(N, 3\) or \(3,\), got \(4, 2, 3\)"),
        (lambda: LSTMCell(3, 5)(X[0], STATE[0]), TypeError, r"the states \(hidden, cell\)"),
        (lambda: GRUCell(3, 5)(X[0], STATE), ValueError, "hidden of shape"),
        (
            lambda: RNN(2, 5)(pack_padded_sequence(X, [4, 2])),
            ValueError,
            r"packed \(rows, 2\), got \(6, 3\)",
        ),
    ],
)
def test_errors_name_the_layer_and_the_value(call, error, message):
    with pytest.raises(error, match=message):
        call()
