"""Models for batches of any size compute what the step does, for sizes that they never saw."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import ReLU
from tinytorch_autograd import no_grad
from tinytorch_compile import ExportError, compile
from tinytorch_layers import Conv2d, Flatten, Linear, Sequential

from .networks import NETWORKS, OPTIMIZERS, Training
from .onnx_models import TrainingModel, arrays, outputs, session

pytestmark = pytest.mark.peers("onnx", "onnxruntime")


def batch_of(inputs, targets, size):
    """Return as many examples, repeated if necessary."""
    is_tensor = isinstance(inputs, Tensor)
    x, y = (np.resize(a, (size, *a.shape[1:])) for a in arrays(inputs, targets))
    return Tensor(x) if is_tensor else x, y


@pytest.mark.parametrize("network", NETWORKS)
def test_predictions(network, tmp_path):
    make, draw = NETWORKS[network]
    model = make().eval()
    inputs, targets = draw(np.random.default_rng(0))
    path = tmp_path / "model.onnx"
    compile(no_grad()(model)).export_onnx(path, inputs, batch="batch")
    found = session(path)
    (argument,), (output,) = found.get_inputs(), found.get_outputs()
    assert argument.shape == ["batch", *inputs.shape[1:]]
    assert output.shape[0] == "batch"
    for size in (1, 2, 3, 19):
        x, _ = batch_of(inputs, targets, size)
        (passed,) = arrays(x)
        result = outputs(found, {argument.name: passed})["output"]
        np.testing.assert_allclose(result, model(x).data, rtol=1e-5, atol=1e-5)


def convolution():
    return Sequential(
        Conv2d(1, 2, 5, stride=2, padding=1, generator=0),
        ReLU(),
        Flatten(),
        Linear(338, 10, generator=1),
    )


@pytest.mark.parametrize("network", ["mlp", "layer norm", "attention", "convolution"])
def test_training_steps(network, tmp_path):
    make, draw = NETWORKS.get(network, (convolution, NETWORKS["lenet"][1]))
    training = Training(make, OPTIMIZERS["momentum"])
    step = compile(training.step)
    inputs, targets = draw(np.random.default_rng(0))
    for _ in range(3):
        step(inputs, targets)
    step.export_onnx(tmp_path / "step.onnx", batch="size")
    model = TrainingModel(tmp_path / "step.onnx")
    for size in (2, 5, 16, 1):
        batch = batch_of(inputs, targets, size)
        found, expected = model.step(*batch), training.step(*batch).data
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for name, parameter in training.model.named_parameters():
        found = model.state[f"model.{name}"]
        np.testing.assert_allclose(found, parameter.data, rtol=1e-4, atol=1e-6)


FUNCTIONS = {
    "the size as a number": lambda x: x / len(x) + x.size,
    "shapes": lambda x: x.reshape(len(x) * 3, 1, 2).sum(0) * np.ones(2),
    "constants of the size": lambda x: x * np.ones((len(x), 6)),
    "positions": lambda x: x[np.arange(len(x)), np.arange(len(x)) * 0 + 2],
    "slices": lambda x: (x[:-1] - x[1:], x[::-1], x[len(x) - 2 :]),
    "all pairs": lambda x: x @ x.T,
    "names that the export uses itself": lambda x: constant(batch_size(x)),
}


def constant(x):
    return x + len(x)


def batch_size(x):
    return x * len(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, tmp_path):
    function = FUNCTIONS[name]
    path = tmp_path / "model.onnx"
    compile(function).export_onnx(path, np.zeros((4, 6)), batch="batch")
    found = session(path)
    for size in (2, 3, 8, 30):
        x = np.random.default_rng(size).standard_normal((size, 6))
        results, expected = outputs(found, {"x": x}), function(x)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for a, b in zip(results.values(), expected, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if len(x) < 8 else -x,
        lambda x: x * (len(x) // 4),
        lambda x: x[: len(x) // 2],
        lambda x: x * (len(x) % 2),
        lambda x: x / len(x) ** 2,
        lambda x: x * np.linspace(0, 1, len(x))[:, None],
        lambda x: x + np.ones((4, 6)),
    ],
)
def test_what_depends_on_the_size_otherwise_is_an_error(function, tmp_path):
    with pytest.raises(ExportError, match="batch"):
        compile(function).export_onnx(tmp_path / "model.onnx", np.zeros((4, 6)), batch="batch")
    assert not list(tmp_path.iterdir())


def test_arguments_of_different_lengths_are_an_error(tmp_path):
    def add(x, y):
        return x.sum() + y.sum()

    path = tmp_path / "model.onnx"
    for y in (np.ones(4), np.array(1.0)):
        with pytest.raises(ExportError, match="must have the same length; their shapes are"):
            compile(add).export_onnx(path, np.ones(3), y, batch="batch")


def test_by_default_the_size_is_fixed(tmp_path):
    model = Sequential(Linear(3, 2))
    path = tmp_path / "model.onnx"
    compile(no_grad()(model)).export_onnx(path, np.ones((4, 3), np.float32))
    assert session(path).get_inputs()[0].shape == [4, 3]
