"""A compiled step does the same as the step itself, bit by bit."""

import gc
import inspect
import sys
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import func, no_grad
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_layers import Linear, Module, Sequential

from .networks import NETWORKS, OPTIMIZERS, Training, assert_same_state


def compare(network, optimizer, steps=100, **options):
    """Train a network eagerly and compiled, and assert that both are equal after each step."""
    make, draw = NETWORKS[network]
    eager = Training(make, OPTIMIZERS[optimizer], **options)
    replayed = Training(make, OPTIMIZERS[optimizer], **options)
    step = compile(replayed.step, strict=True)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        inputs, targets = draw(rng)
        assert step(inputs, targets).item() == eager.step(inputs, targets).item()
        assert_same_state(replayed, eager)
        eager.schedule.step()
        replayed.schedule.step()
    assert step.compiled is not None


@pytest.mark.parametrize("network", NETWORKS)
def test_training_a_network_equals_eager_training(network):
    compare(network, "Adam")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_with_an_optimizer_equals_eager_training(optimizer):
    compare("mlp", optimizer)


def test_clipping_equals_eager_training():
    compare("mlp", "momentum", clip=True)


def squares(x):
    return (x * x).sum()


def test_a_transform_can_be_compiled():
    gradient = compile(func.grad(squares), strict=True)
    for scale in range(1, 6):
        x = np.arange(3.0) * scale
        assert gradient(x).tolist() == (2 * x).tolist()
    assert gradient.compiled is not None


def test_a_prediction_can_be_compiled():
    model = Sequential(Linear(3, 2, generator=0))
    predict = compile(no_grad()(model), strict=True)
    for seed in range(5):
        x = Tensor(np.random.default_rng(seed).standard_normal((4, 3)).astype(np.float32))
        assert np.array_equal(predict(x).data, model(x).data)
    assert predict.compiled is not None


def test_arguments_may_be_numbers_and_keywords():
    @compile(strict=True)
    def scaled(x, factor, *, offset=0):
        return x * factor + offset

    for _ in range(3):
        for factor in (2, 3.0):
            assert scaled(np.ones(2), factor, offset=1).tolist() == [factor + 1] * 2


def test_results_are_new_arrays():
    double = compile(lambda x: x * 2, strict=True)
    results = [double(np.full(2, i)) for i in range(6)]
    assert [r.tolist() for r in results] == [[2 * i] * 2 for i in range(6)]


def test_arguments_are_not_modified():
    @compile(strict=True)
    def decremented(x):
        return x - 1

    x = np.ones(3)
    for _ in range(4):
        decremented(x)
    assert x.tolist() == [1, 1, 1]


def test_gradients_accumulate_without_zero_grad():
    w = Tensor([1.0, 2.0], requires_grad=True)

    @compile(strict=True)
    def backward(x):
        (w * x).sum().backward()

    for i in range(1, 6):
        backward(np.array([1.0, 3.0], np.float32))
        assert w.grad.tolist() == [i, 3.0 * i]


def test_an_update_written_by_hand():
    """`w.data -= ...` writes into the array of the parameter."""
    w = Tensor([1.0, 2.0], requires_grad=True)
    array = w.data

    @compile(strict=True)
    def step():
        (w * w).sum().backward()
        w.data -= 0.25 * w.grad
        w.grad = None

    for i in range(1, 6):
        step()
        assert w.data.tolist() == [0.5**i, 2 * 0.5**i]
    assert w.data is array


class Counting(Module):
    """A module with a number and an array that change in each call."""

    def __init__(self):
        self.calls = 0
        self.total = np.zeros(2)

    def forward(self, x):
        self.calls += 1
        self.total = self.total + x
        return self.total / self.calls


def test_numbers_and_arrays_of_modules_are_state():
    counting = Counting()
    forward = compile(counting, strict=True)
    for i in range(1, 7):
        assert forward(np.full(2, 3.0)).tolist() == [3.0, 3.0]
        assert counting.calls == i
        assert counting.total.tolist() == [3.0 * i] * 2


def test_random_draws_continue():
    generators = [np.random.default_rng(0) for _ in range(2)]
    eager, compiled = (
        (lambda generator: lambda x: x + generator.standard_normal(3))(g) for g in generators
    )
    compiled = compile(compiled, strict=True)
    for _ in range(6):
        assert compiled(np.zeros(3)).tolist() == eager(np.zeros(3)).tolist()
    assert generators[0].random() == generators[1].random()


def test_a_draw_before_a_changed_decision_is_made_again():
    def draw(x):
        noise = generator.random(2)
        return noise if (x > 0).all() else -noise

    generator = np.random.default_rng(0)
    compiled = compile(draw, strict=True)
    found = [compiled(np.array([sign])).tolist() for sign in (1, 1, 1, -1, 1, -1, -1)]
    generator = np.random.default_rng(0)
    assert found == [draw(np.array([sign])).tolist() for sign in (1, 1, 1, -1, 1, -1, -1)]


def test_a_compiled_function_may_call_another():
    inner = compile(lambda x: x * 2)
    outer = compile(lambda x: inner(x) + 1, strict=True)
    for i in range(5):
        assert outer(np.full(2, i)).tolist() == [2 * i + 1] * 2
    assert "multiply" in inspect.getsource(outer.compiled)


def trained(network="mlp", optimizer="Adam", steps=4):
    """Return a compiled step that has been called a few times."""
    make, draw = NETWORKS[network]
    step = compile(Training(make, OPTIMIZERS[optimizer]).step, strict=True)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        step(*draw(rng))
    return step


def test_the_source_can_be_read():
    source = inspect.getsource(trained().compiled)
    assert "# loss = cross_entropy(self.model(inputs), targets)" in source
    assert "targets.shape == (8,)" in source
    assert "exp(" in source


def test_explain_reports_what_was_captured():
    report = trained().explain()
    assert "step: 1 program" in report
    assert "calls of NumPy, of which" in report
    assert "conditions before the call" in report
    assert "guard: bool() of class_target is False" in report
    assert "not captured" not in report


def test_explain_reports_why_nothing_was_captured():
    step = compile(lambda x: np.asarray(x) + 1)
    assert "it has not been called" in step.explain()
    with pytest.warns(RecaptureWarning, match=r"np\.asarray"):
        step(np.ones(1))
    assert "np.asarray" in step.explain()


def test_a_step_is_freed_with_its_buffers():
    step = trained()
    function = weakref.ref(step.compiled)
    del step
    gc.collect()
    assert function() is None


def test_an_unknown_backend_is_an_error():
    with pytest.raises(ValueError, match="no backend 'fortran'"):
        compile(lambda x: x, backend="fortran")


def test_something_that_is_not_a_function_is_an_error():
    with pytest.raises(TypeError, match="takes a function, not int"):
        compile(3)


def test_without_onnx_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"tinytorch-compile\[onnx\]"):
        compile(np.exp).export_onnx(tmp_path / "model.onnx", np.ones(2))
