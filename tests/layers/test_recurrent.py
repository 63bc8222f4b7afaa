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


def projected(**options):
    return LSTM(3, 5, num_layers=2, bidirectional=True, proj_size=2, dtype=np.float64, **options)


def test_a_projection_has_the_names_shapes_and_order_of_pytorch():
    model = LSTM(3, 5, num_layers=2, bidirectional=True, proj_size=2)
    shapes = {name: array.shape for name, array in model.state_dict().items()}
    assert list(shapes)[:5] == [
        f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert shapes["weight_hh_l0"] == (2, 20)
    assert shapes["weight_ih_l1_reverse"] == (4, 20)
    assert shapes["weight_hr_l1_reverse"] == (5, 2)
    given = torch_state(model)
    assert given["weight_hr_l0"].shape == (2, 5)
    other = LSTM(3, 5, 2, bidirectional=True, proj_size=2)
    load_torch_state(other, given)
    np.testing.assert_array_equal(other.weight_hr_l0.data, model.weight_hr_l0.data)


def test_a_projection_multiplies_each_hidden_state():
    """The formulas of the paper, step by step."""
    model = LSTM(3, 5, proj_size=2, dtype=np.float64, generator=0)
    x, h, c = mixed((4, 2, 3)), mixed((2, 2)), mixed((2, 5))
    out, final = model(x, (h[None], c[None]))
    weights = {name: array.astype(np.float64) for name, array in model.state_dict().items()}
    for step in range(4):
        sums = x[step] @ weights["weight_ih_l0"] + h @ weights["weight_hh_l0"]
        sums = sums + weights["bias_ih_l0"] + weights["bias_hh_l0"]
        i, f, g, o = np.split(sums, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c) @ weights["weight_hr_l0"]
        np.testing.assert_allclose(out.data[step], h, rtol=1e-12)
    assert_close(final, [Tensor(h[None]), Tensor(c[None])])


def test_states_continue_a_sequence_with_a_projection():
    model = LSTM(3, 5, num_layers=2, proj_size=2, dtype=np.float64, generator=0)
    x = mixed((6, 2, 3))
    out, final = model(x)
    first, states = model(x[:4])
    second, states = model(x[4:], states)
    assert_close(np.concatenate([first, second]), out)
    assert_close(states, final)


def test_packed_sequences_with_a_projection_are_those_without_padding():
    model, x, lengths = projected(generator=0), mixed((6, 3, 3)), [2, 6, 3]
    hidden, cell = mixed((4, 3, 2)), mixed((4, 3, 5))
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    out, final = model(packed, (hidden, cell))
    padded, _ = pad_packed_sequence(out)
    for i, length in enumerate(lengths):
        alone, states = model(x[:length, i], (hidden[:, i], cell[:, i]))
        assert_close(padded[:length, i], alone)
        assert_close([state[:, i] for state in flat(final)], flat(states))


def test_an_empty_batch_with_a_projection():
    empty = np.zeros((4, 0, 3))
    states = np.zeros((4, 0, 2)), np.zeros((4, 0, 5))
    for given in (None, states):
        out, (hidden, cell) = projected()(empty, given)
        assert out.shape == (4, 0, 4)
        assert (hidden.shape, cell.shape) == ((4, 0, 2), (4, 0, 5))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_float32_projection_follows_that_of_pytorch(torch):
    theirs = torch.nn.LSTM(6, 128, 2, bidirectional=True, proj_size=32)
    ours = LSTM(6, 128, 2, bidirectional=True, proj_size=32)
    load_torch_state(ours, theirs.state_dict())
    assert torch_state(ours).keys() == theirs.state_dict().keys()
    x, states = mixed((20, 3, 6)), (mixed((4, 3, 32), -0.5, 0.5), mixed((4, 3, 128), -1, 1))
    x, *states = (array.astype(np.float32) for array in (x, *states))
    given = torch.from_numpy(x), tuple(torch.from_numpy(state) for state in states)
    for one, other in zip(flat(ours(x, states)), flat(theirs(*given)), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other.numpy(), atol=5e-6)


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
        (lambda: LSTM(3, 5, proj_size=-1), ValueError, "proj_size of LSTM must be at least 0"),
        (lambda: LSTM(3, 5, proj_size=2.0), TypeError, "proj_size of LSTM must be an integer"),
        (lambda: LSTM(3, 5, proj_size=5), ValueError, "below hidden_size, 5, or 0 for no proj"),
        (
            lambda: LSTM(3, 5, proj_size=2)(X, (STATE, STATE)),
            ValueError,
            r"h_0 of shape \(1, 2, 2\), got \(1, 2, 5\)",
        ),
        (lambda: LSTM(3, 5, bias=1), TypeError, "bias of LSTM must be True or False"),
        (lambda: RNN(3, 5, nonlinearity="sin"), ValueError, "'tanh' or 'relu', not 'sin'"),
        (lambda: RNNCell(3, 5, nonlinearity="sin"), ValueError, "'tanh' or 'relu', not 'sin'"),
        (lambda: LSTMCell(3, 0), ValueError, "hidden_size of LSTMCell must be positive"),
        (lambda: GRUCell(3, 5, bias=0), TypeError, "bias of GRUCell must be True or False"),
        (lambda: RNN(3, 5)(X[..., :2]), ValueError, r"shape \(L, N, 3\) or \(L, 3\), got"),
        (lambda: RNN(3, 5)(X[:0]), ValueError, "at least one step"),
        (lambda: GRU(3, 5)(pack_padded_sequence(X[:, :0], [])), ValueError, "one sequence, got"),
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
