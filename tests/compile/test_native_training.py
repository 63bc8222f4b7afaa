"""Training with compiled code agrees with eager training."""

import inspect

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_compile import compile
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import cross_entropy
from tinytorch_training import SGD

from .networks import NETWORKS, OPTIMIZERS, Training

pytest.importorskip("llvmlite", reason="the backend native needs llvmlite")

# One optimizer for each network, and all for the first.
CASES = [("mlp", optimizer) for optimizer in OPTIMIZERS]
CASES += [(network, "momentum") for network in NETWORKS if network != "mlp"]


def assert_close_state(found, expected, dtype=np.float32):
    """Assert that two trainings agree, relative to the largest number of each kind.

    A gradient that is 0 but for rounding errors, such as that of a bias before a BatchNorm, has no
    digits that could agree.
    """
    bound = 1e-5 if dtype == np.float32 else 1e-12
    found, expected = found.state(), expected.state()
    assert found.keys() == expected.keys()
    kinds = {}
    for name, value in expected.items():
        kind = name.rpartition(".")[2] if name.endswith("grad") or name[0] == "o" else "others"
        largest = float(np.max(np.abs(value), initial=0))
        kinds[kind] = max(kinds.get(kind, 0), largest)
    for name, value in expected.items():
        kind = name.rpartition(".")[2] if name.endswith("grad") or name[0] == "o" else "others"
        np.testing.assert_allclose(
            found[name], value, rtol=bound, atol=bound * kinds[kind], err_msg=name
        )


@pytest.mark.parametrize(("network", "optimizer"), CASES)
def test_training_agrees_with_eager_training(network, optimizer):
    make, draw = NETWORKS[network]
    clip = "norm" if optimizer == "momentum" else "none"
    eager, native = (Training(make, OPTIMIZERS[optimizer], clip=clip) for _ in range(2))
    step = compile(native.step, backend="native", strict=True)
    rng = np.random.default_rng(0)
    for _ in range(100):
        batch = draw(rng)
        assert step(*batch).item() == pytest.approx(eager.step(*batch).item(), rel=1e-5)
        eager.schedule.step()
        native.schedule.step()
    assert_close_state(native, eager)
    assert "compiled: " in step.explain()


def test_training_in_float64_agrees_with_eager_training():
    network, adam = NETWORKS["mlp"][0], OPTIMIZERS["Adam"]
    eager, native = (Training(network, adam, dtype=np.float64) for _ in range(2))
    step = compile(native.step, backend="native", strict=True)
    rng = np.random.default_rng(0)
    for _ in range(100):
        inputs, targets = rng.standard_normal((8, 6)), rng.integers(0, 3, 8)
        found, expected = step(Tensor(inputs), targets), eager.step(Tensor(inputs), targets)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    assert_close_state(native, eager, np.float64)


def small_step(**options):
    model = Sequential(Linear(3, 4, generator=0), Linear(4, 2, generator=1))
    optimizer = SGD(model.parameters(), lr=0.1)

    def step(inputs, targets):
        loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return compile(step, backend="native", strict=True, **options), model, optimizer


def test_a_step_of_a_network_becomes_one_function():
    step, _, _ = small_step()
    for _ in range(4):
        step(Tensor(np.ones((5, 3), np.float32)), np.array([0, 1, 1, 0, 1]))
    report = step.explain()
    assert "loops in 1 function" in report
    assert "runs as NumPy" not in report
    source = inspect.getsource(step.compiled)
    assert "if region(inputs_array, targets):" in source
    assert "# for i in range(5):" in source


def test_a_wrong_target_has_no_effect():
    step, model, _ = small_step()
    inputs = Tensor(np.ones((5, 3), np.float32))
    for _ in range(4):
        step(inputs, np.array([0, 1, 1, 0, 1]))
    before = [p.data.copy() for p in model.parameters()]
    with pytest.raises(IndexError, match="2"):
        step(inputs, np.array([0, 1, 1, 0, 2]))
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert parameter.data.tolist() == old.tolist()


def test_gradients_are_readable_until_the_next_step_ends():
    """A call that finds that its program does not hold leaves the gradients of the last call."""
    step, model, _ = small_step()
    inputs = Tensor(np.ones((5, 3), np.float32))
    for _ in range(4):
        step(inputs, np.array([0, 1, 1, 0, 1]))
    gradients = [p.grad for p in model.parameters()]
    before = [grad.copy() for grad in gradients]
    with pytest.raises(IndexError):
        step(Tensor(np.full((5, 3), 7, np.float32)), np.array([0, 1, 1, 0, 2]))
    for grad, old in zip(gradients, before, strict=True):
        assert grad.tolist() == old.tolist()


def test_a_changed_option_is_noticed():
    step, model, optimizer = small_step()
    inputs, targets = Tensor(np.ones((2, 3), np.float32)), np.array([0, 1])
    for _ in range(4):
        step(inputs, targets)
    optimizer.param_groups[0]["lr"] = 0.0
    before = model.state_dict()["0.weight"].copy()
    for _ in range(4):
        step(inputs, targets)
    assert model.state_dict()["0.weight"].tolist() == before.tolist()


def test_a_prediction_is_compiled():
    model = Sequential(Linear(3, 2, generator=0))
    predict = compile(no_grad()(model), backend="native", strict=True)
    for seed in range(5):
        x = Tensor(np.random.default_rng(seed).standard_normal((4, 3)).astype(np.float32))
        np.testing.assert_allclose(predict(x).data, model(x).data, rtol=1e-5, atol=1e-6)


def test_an_old_value_is_read_before_it_is_written_over():
    def train(step, weight):
        found = [step().tolist() for _ in range(6)]
        return found, weight.data.tolist()

    def make():
        weight = Tensor(np.arange(1.0, 7.0))

        def step():
            old = weight.data.copy()  # not copied in the program
            weight.data -= 0.5 * old[::-1]
            return old.sum() * 2 + weight.data.sum()

        return step, weight

    eager, weight = make()
    expected = train(eager, weight)
    other, weight = make()
    compiled = compile(other, backend="native", strict=True)
    found = train(compiled, weight)
    assert "not used yet" not in compiled.explain()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


def test_a_late_check_comes_before_all_effects():
    """The index is used after the update, but checked before it."""
    model = Sequential(Linear(3, 4, generator=0))
    optimizer = SGD(model.parameters(), lr=0.1)

    def step(inputs, index):
        out = model(inputs)
        optimizer.zero_grad()
        (out * out).sum().backward()
        optimizer.step()
        return out.data[index] * 2

    step = compile(step, backend="native", strict=True)
    inputs = Tensor(np.ones((5, 3), np.float32))
    for _ in range(4):
        step(inputs, np.array([0, 4]))
    assert "leave unless -5 <= index" in inspect.getsource(step.compiled)
    gradients = [p.grad for p in model.parameters()]
    before = [grad.copy() for grad in gradients]
    with pytest.raises(IndexError):
        step(Tensor(np.full((5, 3), 7, np.float32)), np.array([0, 5]))
    for grad, old in zip(gradients, before, strict=True):
        assert grad.tolist() == old.tolist()
