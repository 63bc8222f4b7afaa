"""A compiled step does the same as the step itself, bit by bit."""

import copy
import gc
import inspect
import math
import re
import sys
import warnings
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import func, grad, no_grad
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_layers import Linear, Module, Sequential
from tinytorch_training import Adam, accuracy

from .networks import NETWORKS, OPTIMIZERS, Training


def squares(x):
    return (x * x).sum()


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def turned(x):
    return np.sin(x) * x[::-1]


TRANSFORMS = {
    "grad": func.grad(rosenbrock),
    "value_and_grad": func.value_and_grad(rosenbrock),
    "elementwise_grad": func.elementwise_grad(np.tanh),
    "jacobian": func.jacobian(turned),
    "hessian": func.hessian(rosenbrock),
    "hvp": lambda x: func.hvp(rosenbrock)(x, np.ones(2)),
    "jvp": lambda x: func.jvp(turned, (x,), (np.ones(2),)),
    "vjp": lambda x: func.vjp(turned, x)[1](np.ones(2)),
    "the second derivative": func.grad(lambda x: (func.grad(rosenbrock)(x) ** 2).sum()),
    "a constant gradient": func.grad(lambda x: x.sum()),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_can_be_compiled(name):
    transform = TRANSFORMS[name]
    compiled = compile(transform, strict=True)
    for i in range(5):
        x = np.array([0.3 * i, 1.0 - i])
        expected, found = transform(x), compiled(x)
        assert repr(found) == repr(expected)
    assert compiled.compiled is not None


def test_a_step_may_use_second_derivatives():
    """A penalty on the gradient of the loss, as in the training of a critic."""

    def trained(layer):
        optimizer = Adam(layer.parameters(), lr=0.1)

        def step(x):
            given = Tensor(x, requires_grad=True)
            (slope,) = grad(layer(given).sum(), [given], create_graph=True)
            loss = ((slope**2).sum(axis=1) - 1).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    layers = [Sequential(Linear(3, 4, generator=0), np.tanh, Linear(4, 1)) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    eager, compiled = trained(layers[0]), compile(trained(layers[1]), strict=True)
    for seed in range(8):
        x = np.random.default_rng(seed).standard_normal((5, 3)).astype(np.float32)
        assert compiled(x).item() == eager(x).item()
    assert compiled.compiled is not None
    np.testing.assert_equal(layers[1].state_dict(), layers[0].state_dict())


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


RESULTS = {
    "nothing": lambda x: None,
    "a number": lambda x: 3.5,
    "a shape": lambda x: x.shape,
    "an element": lambda x: x[0].item(),
    "a scalar of NumPy": lambda x: x.sum(),
    "an array without axes": lambda x: np.asarray(Tensor(x).sum().data),
    "a constant array": lambda x: np.arange(3),
    "a dict": lambda x: {"twice": x * 2, "shape": x.shape, "parts": [x[0], {"none": None}]},
    "a tuple": lambda x: (x + 1, Tensor(x) * 2, "text"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_have_the_same_types(name):
    function = RESULTS[name]
    compiled = compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecaptureWarning)
        for i in range(5):
            x = np.arange(3.0) + i
            expected, found = function(x), compiled(x)
            assert type(found) is type(expected)
            assert repr(found) == repr(expected)


def test_arguments_may_be_batches():
    @compile(strict=True)
    def total(batch, options):
        (x, others), y = batch
        return (x + others["b"]).sum() * options["factor"] + y.sum()

    for i in range(5):
        batch = ((np.full(2, i), {"a": None, "b": np.ones(2)}), Tensor([1.0, i]))
        assert total(batch, {"factor": 2}).item() == 2 * (2 * i + 2) + 1 + i
    assert total.compiled is not None
    with pytest.raises(KeyError):
        total(batch, {"scale": 2})
    assert total(batch, {"factor": 3}).item() == 3 * 10 + 5
    assert total(((np.ones(2), {"b": np.ones(2)}), np.zeros(1)), {"factor": 1}).item() == 4


def test_a_step_that_changes_its_arguments_runs_as_it_is():
    def write(x):
        x -= 1

    def append(items):
        items.append(1)

    x, items = np.zeros(2), []
    for function, argument in ((write, x), (append, items)):
        compiled = compile(function)
        with pytest.warns(RecaptureWarning, match="changes an argument"):
            compiled(argument)
        for _ in range(3):
            compiled(argument)
    assert x.tolist() == [-4, -4]
    assert items == [1] * 4


def test_zeros_of_both_signs_are_different_arguments():
    divided = compile(lambda x, y: x / y)
    with np.errstate(divide="ignore"):
        found = [divided(np.ones(1), zero).item() for zero in (0.0, 0.0, 0.0, -0.0, 0.0)]
    assert found == [math.inf] * 3 + [-math.inf, math.inf]


class Scaled:
    """A class with a compiled method."""

    def __init__(self, factor):
        self.factor = factor

    @compile(strict=True)
    def times(self, x):
        """Return x times the factor."""
        return x * self.factor


def test_a_method_is_compiled_for_each_object():
    two, three = Scaled(2.0), Scaled(3.0)
    for i in range(5):
        assert two.times(np.full(2, i)).tolist() == [2 * i] * 2
        assert three.times(np.full(2, i)).tolist() == [3 * i] * 2
    assert two.times.compiled is not three.times.compiled
    two.factor = 5.0
    assert two.times(np.ones(1)).tolist() == [5]
    twin = copy.deepcopy(two)
    twin.factor = 7.0
    assert twin.times(np.ones(1)).tolist() == [7]
    assert two.times(np.ones(1)).tolist() == [5]
    assert inspect.getdoc(two.times) == "Return x times the factor."
    assert str(inspect.signature(two.times)) == "(x)"


def test_a_method_of_an_object_without_attributes_is_an_error():
    class Slotted:
        __slots__ = ()

        @compile
        def method(self, x):
            return x

    with pytest.raises(TypeError, match=r"Slotted, which has no __dict__; call compile\(x\.method"):
        Slotted().method(np.ones(1))


def test_a_model_can_be_compiled():
    """It is compiled where no graph is recorded; elsewhere its output must have a graph."""
    model = Sequential(Linear(3, 2, generator=0), np.tanh)
    predict = compile(model)
    x = Tensor(np.ones((4, 3), np.float32))
    with pytest.warns(RecaptureWarning, match="still can be differentiated"):
        predict(x).sum().backward()
    assert model[0].weight.grad is not None
    for _ in range(4):
        with no_grad():
            assert np.array_equal(predict(x).data, model(x).data)
        assert predict(x).requires_grad
    assert repr(predict).startswith("<compiled Sequential: ")
    assert predict.compiled is not None


def test_predictions_between_steps_of_training():
    """A prediction does not depend on gradients, which are new arrays in each step."""
    model = Linear(3, 1, generator=0)
    predict = compile(no_grad()(model), strict=True)
    x = Tensor(np.ones((4, 3), np.float32))
    for _ in range(12):
        model.zero_grad()
        model(x).sum().backward()
        model.weight.data -= 0.1 * model.weight.grad
        assert np.array_equal(predict(x).data, model(x).data)


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
    assert "# loss = self.loss(self.model(inputs), targets)" in source
    assert "targets.shape == (8,)" in source
    assert "exp(" in source


def test_explain_reports_what_was_captured():
    report = trained().explain()
    assert "step: 1 program" in report
    assert "calls of NumPy, of which" in report
    assert "conditions before the call" in report
    assert "program 1, argument 1: float32 (8, 6), argument 2: int64 (8,)" in report
    assert re.search(r"\d+ -> \d+ +networks.py:\d+  loss.backward\(\)", report)
    assert "guard: bool() of class_target is False, networks.py:" in report
    assert "not captured" not in report


def test_explain_reports_why_nothing_was_captured():
    step = compile(lambda x: np.asarray(x) + 1)
    assert "it has not been called" in step.explain()
    with pytest.warns(RecaptureWarning, match=r"np\.asarray"):
        step(np.ones(1))
    assert "np.asarray" in step.explain()


SETTINGS = {"text": "a"}
CHANGING = {
    r"float\(\) of \w+ is 0\.0 or 1\.0 or 2\.0; item\(\) returns": (
        lambda x: float(x.mean()),
        lambda i: np.full(2, i),
    ),
    r"argument 1: float64 \(0,\) or argument 1": (lambda x: x * 2, np.ones),
    "such as an attribute": (lambda x: x * len(SETTINGS["text"]), lambda i: np.ones(1)),
}


@pytest.mark.parametrize("message", CHANGING)
def test_too_many_captures_name_what_changes(message, monkeypatch):
    step, argument = CHANGING[message]
    compiled = compile(step)

    def call(i):
        monkeypatch.setitem(SETTINGS, "text", "a" * i)
        compiled(argument(i))

    with pytest.warns(RecaptureWarning, match=message):
        _ = [call(i) for i in range(10)]


def test_a_step_that_stores_its_losses_is_told_to_return_them():
    losses = []

    @compile
    def step(x):
        losses.append((x * 2).sum().item())

    with pytest.warns(RecaptureWarning, match="in each call; return what it stores instead"):
        _ = [step(np.full(1, i)) for i in range(5)]
    assert losses == [0, 2, 4, 6, 8]
    assert step.reason is not None


def test_a_metric_of_the_project_is_not_a_decision():
    rng = np.random.default_rng(0)
    step = compile(accuracy, strict=True)
    for _ in range(12):
        output, target = rng.standard_normal((7, 3)), rng.integers(0, 3, 7)
        assert step(output, target) == accuracy(output, target)
    assert repr(step) == "<compiled accuracy: 1 program>"


def test_a_step_is_freed_with_its_buffers():
    step = trained()
    function = weakref.ref(step.compiled)
    del step
    gc.collect()
    assert function() is None


def test_an_unknown_backend_is_an_error():
    with pytest.raises(ValueError, match="no backend 'fortran'"):
        compile(lambda x: x, backend="fortran")


def generating(x):
    yield x


async def waiting(x):
    return x


WRONG = {
    "a number": (3, "takes a function, not int"),
    "a backend": ("numpy", r"write compile\(backend='numpy'\)"),
    "a class": (Scaled, "not the class Scaled; compile an instance"),
    "a generator function": (generating, "generating is a generator function"),
    "a coroutine function": (waiting, "waiting is a coroutine function"),
    "a static method": (staticmethod(squares), "write @compile below @staticmethod"),
}


@pytest.mark.parametrize("name", WRONG)
def test_something_that_is_not_a_function_is_an_error(name):
    wrong, message = WRONG[name]
    with pytest.raises(TypeError, match=message):
        compile(wrong)


def test_compiling_twice_is_compiling_once():
    once = compile(squares)
    assert compile(once).step is squares


def test_a_function_of_numpy_can_be_compiled():
    exp = compile(np.exp)
    for i in range(4):
        assert exp(np.full(2, i)).tolist() == np.exp(np.full(2, i)).tolist()
    assert "exp" in inspect.getsource(exp.compiled)


def test_the_representation_tells_what_was_captured():
    step = compile(squares)
    assert repr(step) == "<compiled squares: 0 programs>"
    for _ in range(3):
        step(np.ones(2))
    assert repr(step) == "<compiled squares: 1 program>"
    assert step.__name__ == "squares"


def test_constants_do_not_hide_builtins():
    """The constant infinity has the type float, which a condition of the replay refers to."""

    class Clipped:
        rate = 1.0

        def __init__(self):
            self.rate = 1.0

        def __call__(self, x):
            return np.minimum(x, math.inf) * self.rate

    clipped = Clipped()
    compiled = compile(clipped, strict=True)
    for i in range(12):
        clipped.rate = i / 2
        assert compiled(np.ones(1)).tolist() == [i / 2]


def test_an_error_of_the_step_is_raised_as_it_is():
    """Without the error of the capture, and later calls are compiled."""

    def checked(x):
        if (x < 0).any():
            raise ValueError(f"negative: {x}")
        return x * 2

    compiled = compile(checked)
    for _ in range(2):
        for _ in range(3):
            compiled(np.ones(2))
        with pytest.raises(ValueError, match="negative") as info:
            compiled(-np.ones(2))
        assert info.value.__context__ is None
    assert repr(compiled) == "<compiled checked: 1 program>"


def test_without_onnx_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"tinytorch-compile\[onnx\]"):
        compile(np.exp).export_onnx(tmp_path / "model.onnx", np.ones(2))
