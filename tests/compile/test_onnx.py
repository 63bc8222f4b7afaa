"""Exported predictions and training steps compute with onnxruntime what the steps themselves do."""

import builtins
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

import tinytorch_compile
from tinytorch_activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from tinytorch_autograd import func, no_grad
from tinytorch_compile import ExportError, compile
from tinytorch_layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Linear,
    MaxPool2d,
    Residual,
    Sequential,
)
from tinytorch_layers.functional import conv2d, conv_transpose2d
from tinytorch_losses import (
    BCEWithLogitsLoss,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    mse_loss,
)
from tinytorch_training import Adam

from .networks import NETWORKS, OPTIMIZERS, Training
from .onnx_models import TrainingModel, arrays, exported, outputs, session

pytestmark = pytest.mark.peers("onnx", "onnxruntime")

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
TOLERANCES = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}
in_both_dtypes = pytest.mark.parametrize("dtype", TOLERANCES, ids=str)


def assert_close(found, expected):
    """Assert that arrays are equal up to the rounding of a few operations."""
    found, expected = arrays(found, expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind == "f":
        tolerance = TOLERANCES[expected.dtype]
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)
    else:
        np.testing.assert_array_equal(found, expected)


def converted(make, dtype):
    """Return a function that creates a network whose parameters and buffers have this dtype."""

    def create():
        model = make()
        for parameter in model.parameters():
            parameter.data = parameter.data.astype(dtype)
        for name, buffer in list(model.named_buffers()):
            if buffer.dtype.kind == "f":
                model.set_buffer(name, buffer.astype(dtype))
        return model

    return create


def batches(draw, dtype, count):
    """Return inputs and targets, the inputs in this dtype."""
    rng = np.random.default_rng(0)
    found = [draw(rng) for _ in range(count)]
    return [
        (Tensor(x.data.astype(dtype)) if isinstance(x, Tensor) else x, targets)
        for x, targets in found
    ]


@in_both_dtypes
@pytest.mark.parametrize("network", NETWORKS)
def test_predictions(network, dtype, tmp_path):
    make, draw = NETWORKS[network]
    training = Training(make, OPTIMIZERS["SGD"], dtype=dtype)
    model, step = training.model, training.step
    for batch in batches(draw, dtype, 2):
        step(*batch)  # so that the statistics of batch normalization are not 0 and 1
    model.eval()
    ((inputs, _),) = batches(draw, dtype, 1)
    found = exported(no_grad()(model), tmp_path / "model.onnx", inputs)
    assert_close(found["output"], model(inputs))


def train(network, optimizer, dtype, path, **options):
    """Train a network eagerly and with an exported step, and assert that both are equal."""
    make, draw = NETWORKS[network]
    training = Training(make, OPTIMIZERS[optimizer], dtype=dtype, **options)
    step = compile(training.step, strict=True)
    *first, one, two, three = batches(draw, dtype, 6)
    for batch in first:
        step(*batch)
        training.schedule.step()
    step.export_onnx(path)
    exported_step = TrainingModel(path)
    for batch in (one, two, three):
        lr = training.optimizer.param_groups[0]["lr"]
        found = exported_step.step(*batch, **{"optimizer.param_groups[0].lr": np.array(lr)})
        assert_close(found, training.step(*batch))
        training.schedule.step()
    state = exported_step.state
    for name, parameter in training.model.named_parameters():
        assert_close(state.pop(f"model.{name}"), parameter.data)
    for name, buffer in training.model.named_buffers():
        if f"model.{name}" in state:
            assert_close(state.pop(f"model.{name}"), buffer)
    names = [name for name, _ in training.model.named_parameters()]
    for name, items in zip(names, training.optimizer.state_dict()["state"], strict=True):
        for key, value in items.items():
            assert_close(state.pop(f"optimizer.state[model.{name}].{key}"), np.asarray(value))
    assert not state


# Adam divides by the size of the gradients. So in float32 it magnifies the rounding of gradients
# that would be 0 in exact arithmetic, such as those of a bias in front of a batch normalization.
@pytest.mark.parametrize(
    ("optimizer", "dtype"), [("momentum", np.float32), ("Adam", np.float64)], ids=str
)
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "dropout"])
def test_training_steps(network, optimizer, dtype, tmp_path):
    train(network, optimizer, dtype, tmp_path / "step.onnx")


@in_both_dtypes
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer, dtype, tmp_path):
    train("layer norm", optimizer, dtype, tmp_path / "step.onnx", clip="norm")


@in_both_dtypes
@pytest.mark.parametrize(
    "layer",
    [
        *(ELU(), GELU(), GELU("tanh"), LeakyReLU(), LogSoftmax(1), ReLU(), Sigmoid(), SiLU()),
        *(Softmax(1), Softplus(), Tanh(), Residual(Tanh(), ReLU())),
        *(MaxPool2d(3, 2, padding=1), MaxPool2d(2, dilation=2), AvgPool2d(3, 1, padding=1)),
        # The last windows are partly in padding as wide as the kernel.
        MaxPool2d(2, padding=1, dilation=(1, 2), ceil_mode=True),
        AvgPool2d(2, 4, ceil_mode=True, count_include_pad=False),
        Conv2d(2, 4, 3, stride=2, padding=1, generator=0),
        Conv2d(2, 4, (3, 2), dilation=2, groups=2, bias=False, generator=0),
        Conv2d(2, 2, 2, padding="same", generator=0),
        ConvTranspose2d(2, 3, 2, stride=2, output_padding=1, generator=0),
        # ONNX does not allow the negative padding of these.
        ConvTranspose2d(2, 3, 2, stride=2, dilation=3, output_padding=2, generator=0),
        ConvTranspose2d(2, 2, 3, (1, 2), (1, 0), (2, 0), 2, dilation=(3, 1), generator=0),
    ],
    ids=repr,
)
def test_layers_and_their_gradients(layer, dtype, tmp_path):
    if hasattr(layer, "parameters"):
        layer = converted(lambda: layer, dtype)()
        for parameter in layer.parameters():
            parameter.requires_grad = False
    x = np.random.default_rng(0).standard_normal((2, 2, 7, 6)).astype(dtype)
    function = func.value_and_grad(lambda x: (layer(x) * layer(x)).sum())
    found = exported(function, tmp_path / "model.onnx", x)
    for one, other in zip(found.values(), function(x), strict=True):
        assert_close(one, other)


@in_both_dtypes
@pytest.mark.parametrize(
    "options",
    [
        {"stride": (2, 3), "padding": 1},
        {"dilation": (1, 2), "padding": (0, 2)},
        {"stride": 3, "dilation": 2, "padding": 2},
        {"stride": 2, "groups": 2},
    ],
    ids=repr,
)
def test_gradients_of_the_weight_of_a_convolution(options, dtype, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 10, 9)).astype(dtype)
    weight = rng.standard_normal((6, 4 // options.get("groups", 1), 3, 2)).astype(dtype)

    def loss(weight):
        out = conv2d(x, weight, **options)
        return (out * out).sum()

    found = exported(func.value_and_grad(loss), tmp_path / "model.onnx", weight)
    for one, other in zip(found.values(), func.value_and_grad(loss)(weight), strict=True):
        assert_close(one, other)


@in_both_dtypes
def test_gradients_of_the_weight_of_a_transposed_convolution(dtype, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 5, 6)).astype(dtype)
    weight = rng.standard_normal((4, 2, 3, 2)).astype(dtype)

    def loss(weight):
        out = conv_transpose2d(x, weight, dilation=(1, 3), padding=1, output_padding=(0, 2))
        return (out * out).sum()

    found = exported(func.value_and_grad(loss), tmp_path / "model.onnx", weight)
    for one, other in zip(found.values(), func.value_and_grad(loss)(weight), strict=True):
        assert_close(one, other)


SCORES = np.random.default_rng(1).standard_normal((6, 4))
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
CLASSES = np.array([0, 3, 1, 1, 2, 0])


@in_both_dtypes
@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        *((loss, SCORES[::-1]) for loss in (MSELoss(), L1Loss(), HuberLoss(), MSELoss("sum"))),
        (BinaryCrossEntropyLoss(), SHARES[::-1]),
        (BCEWithLogitsLoss(pos_weight=[1, 2, 3, 4]), SHARES[::-1]),
        (CrossEntropyLoss(), CLASSES),
        (CrossEntropyLoss(weight=[1, 2, 3, 4], ignore_index=1, label_smoothing=0.1), CLASSES),
        (CrossEntropyLoss(), SHARES[::-1]),
        (NLLLoss(), CLASSES),
        (KLDivLoss("batchmean"), SHARES[::-1]),
    ],
    ids=repr,
)
def test_losses_and_their_gradients(loss, targets, dtype, tmp_path):
    inputs = SHARES if isinstance(loss, BinaryCrossEntropyLoss) else SCORES
    inputs = inputs.astype(dtype)
    targets = targets.astype(dtype) if targets.dtype.kind == "f" else targets
    function = func.value_and_grad(loss)
    found = exported(function, tmp_path / "model.onnx", inputs, targets)
    for one, other in zip(found.values(), function(inputs, targets), strict=True):
        assert_close(one, other)


def load_example(name):
    """Return the module of an example plugin that is a single file."""
    file = EXAMPLES / f"tinytorch-{name}" / f"tinytorch_{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Plugin:
    """A plugin that a user has registered."""

    def __init__(self, **hooks):
        vars(self).update(hooks)


def test_an_op_of_an_example_plugin(tmp_path):
    plugins.register(load_example("swish"), name="example-swish")
    try:
        function = func.grad(lambda x: x.swish().sum())
        x = np.linspace(-3, 3, 9)
        (found,) = exported(function, tmp_path / "model.onnx", Tensor(x)).values()
        assert_close(found, function(Tensor(x)))
    finally:
        plugins.unregister("example-swish")


def test_an_op_that_was_registered_in_a_notebook(tmp_path):
    from tinytorch_core import hookimpl

    def harmonic(x):
        """Return the harmonic mean of the rows."""
        return x.shape[-1] / (1 / x).sum(-1)

    @hookimpl
    def tinytorch_register_ops(ops):
        ops.add("harmonic_of_rows", harmonic, method=True)

    plugins.register(Plugin(tinytorch_register_ops=tinytorch_register_ops), name="notebook")
    try:
        x = Tensor(np.arange(1.0, 7.0).reshape(2, 3))
        found = exported(lambda x: x.harmonic_of_rows(), tmp_path / "model.onnx", x)
        assert_close(found["output"], np.array([18 / 11, 180 / 37]))
    finally:
        plugins.unregister("notebook")


def test_the_programs_in_the_docs(tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[2] / "docs" / "compile.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python( onnx)?\n(.*?)```", text, flags=re.DOTALL)
    names = {"__name__": "__main__"}
    shown = []
    for needs_onnx, program in programs:
        exec(builtins.compile(program, "compile.md", "exec"), names)
        if needs_onnx:
            lines = [line for line in program.splitlines() if line.startswith("print(")]
            shown += [line.partition("  # ")[2] for line in lines]
    printed = capsys.readouterr().out.splitlines()
    assert len(shown) == 3
    assert [line for line in shown if line not in printed] == []


# Names, metadata and results.


def small_step(model=None):
    """Return a compiled training step of a network, by default of one layer; and its optimizer."""
    model = Sequential(Linear(3, 2, generator=0)) if model is None else model
    optimizer = Adam(model.parameters(), lr=0.1)

    @compile
    def step(inputs, targets):
        loss = mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, optimizer


BATCH = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)


def test_the_names_of_a_training_step(tmp_path):
    step, *_ = small_step()
    for _ in range(3):
        step(*BATCH)
    step.export_onnx(tmp_path / "step.onnx")
    model = session(tmp_path / "step.onnx")
    assert [i.name for i in model.get_inputs()] == ["inputs", "targets"]
    state = [f"model.0.{name}" for name in ("weight", "bias")]
    for name in ("weight", "bias"):
        state += [f"optimizer.state[model.0.{name}].{key}" for key in ("step", "exp_avg")]
        state.append(f"optimizer.state[model.0.{name}].exp_avg_sq")
    defaults = {i.name for i in model.get_overridable_initializers()}
    assert defaults == {*state, "optimizer.param_groups[0].lr"}
    assert {o.name for o in model.get_outputs()} == {"output", *(f"{s}.next" for s in state)}


def test_parameters_in_deep_modules_have_the_names_of_their_modules(tmp_path):
    """Even if the path through the optimizer is shorter."""
    deep = Residual(Residual(Residual(Linear(3, 3, generator=0))))
    step, *_ = small_step(Sequential(deep, Linear(3, 2, generator=0)))
    for _ in range(3):
        step(*BATCH)
    step.export_onnx(tmp_path / "step.onnx")
    names = {i.name for i in session(tmp_path / "step.onnx").get_overridable_initializers()}
    weight = "model.0.body.0.body.0.body.0.weight"
    assert {weight, "model.1.weight", f"optimizer.state[{weight}].exp_avg"} <= names


def test_an_array_that_is_passed_twice_is_two_inputs(tmp_path):
    x = Tensor(np.ones(2))
    compile(lambda a, b: a - 2 * b).export_onnx(tmp_path / "model.onnx", x, x)
    found = outputs(session(tmp_path / "model.onnx"), {"a": np.ones(2), "b": np.zeros(2)})
    assert found["output"].tolist() == [1, 1]


def test_the_state_of_a_training_step_is_in_the_model(tmp_path):
    """Without values for the state, the model computes the next step of the training."""
    step, model, _ = small_step()
    for _ in range(4):
        step(*BATCH)
    step.export_onnx(tmp_path / "step.onnx")
    found = outputs(session(tmp_path / "step.onnx"), {"inputs": BATCH[0], "targets": BATCH[1]})
    assert_close(found["output"], step(*BATCH))
    assert_close(found["model.0.weight.next"], model[0].weight.data)


def test_the_names_of_a_prediction(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = Sequential(Linear(3, 2, generator=0))

    @compile
    @no_grad()
    def predict(images):
        scores = model(images)
        return {"scores": scores, "classes": scores.argmax(1), "both": (scores, scores * 2)}

    predict.export_onnx(tmp_path / "model.onnx", BATCH[0])
    found = session(tmp_path / "model.onnx")
    assert [i.name for i in found.get_inputs()] == ["images"]
    names = [o.name for o in found.get_outputs()]
    assert names == ["scores", "classes", "both_0", "both_1"]
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert {"model.0.weight", "model.0.bias"} <= {i.name for i in graph.initializer}
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    assert np.array_equal(stored["model.0.weight"], model[0].weight.data)


def test_results_keep_their_names(tmp_path):
    """Even if functions, inputs or other results have the same names."""

    def scores(x):
        return {"x": x, "scores": x + 1, "constant": x * 2, "output": x, "multiply": x + x}

    found = exported(lambda scores_of: scores(scores_of), tmp_path / "model.onnx", np.ones(2))
    assert list(found) == ["x", "scores", "constant", "output", "multiply"]
    assert list(exported(scores, tmp_path / "model.onnx", np.ones(2))) == ["x_2", *list(found)[1:]]


def test_a_module_is_exported_under_the_names_of_its_state(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = Sequential(Linear(3, 2, generator=0))
    for step in (no_grad()(model), Sequential(Linear(3, 2)).eval()):
        compile(no_grad()(step)).export_onnx(tmp_path / "model.onnx", BATCH[0])
        graph = onnx.load(tmp_path / "model.onnx").graph
        assert {"0.weight", "0.bias"} <= {i.name for i in graph.initializer}
        assert [i.name for i in graph.input] == ["x"]


def test_metadata(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    for options, opset in (({}, 21), ({"opset": 19}, 19), ({"opset": 22}, 22)):
        compile(np.exp).export_onnx(path, np.ones(2), **options)
        model = onnx.load(path)
        assert (model.producer_name, model.producer_version) == (
            "tinytorch-compile",
            tinytorch_compile.__version__,
        )
        assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
        assert model.graph.name == "exp"
        onnx.checker.check_model(model, full_check=True)
        found = session(path)
        (name,) = (i.name for i in found.get_inputs())
        assert found.run(None, {name: np.zeros(2)})[0].tolist() == [1, 1]


def test_a_convolution_is_one_node(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = Sequential(Conv2d(1, 2, 3, generator=0), ReLU(), MaxPool2d(2))
    images = Tensor(np.zeros((1, 1, 6, 6), np.float32))
    compile(no_grad()(model)).export_onnx(tmp_path / "model.onnx", images)
    nodes = [n.op_type for n in onnx.load(tmp_path / "model.onnx").graph.node]
    assert nodes == ["Conv", "Max", "MaxPool", "Identity"]


def test_gradients_without_an_update_are_outputs(tmp_path):
    weight = Tensor([1.0, 2.0], requires_grad=True)

    def backward(x):
        weight.grad = None
        loss = (weight * x).sum()
        loss.backward()
        return loss

    x = np.array([3.0, 4.0], np.float32)
    found = exported(backward, tmp_path / "model.onnx", x)
    assert found["weight.grad"].tolist() == [3.0, 4.0]
    assert weight.grad is None


def test_gradients_that_accumulate_are_state(tmp_path):
    weight = Tensor([1.0, 2.0], requires_grad=True)

    def backward(x):
        (weight * x).sum().backward()

    x = np.array([3.0, 4.0], np.float32)
    compile(backward).export_onnx(tmp_path / "model.onnx", x)
    model = session(tmp_path / "model.onnx")
    first = outputs(model, {"x": x})["weight.grad.next"]
    assert first.tolist() == [3.0, 4.0]
    assert outputs(model, {"x": x, "weight.grad": first})["weight.grad.next"].tolist() == [6.0, 8.0]


def test_a_step_without_arguments_that_updates_by_hand(tmp_path):
    weight = Tensor([1.0, 2.0], requires_grad=True)

    def step():
        loss = (weight * weight).sum()
        loss.backward()
        weight.data -= 0.25 * weight.grad
        weight.grad = None
        return loss.detach()

    found = exported(step, tmp_path / "step.onnx")
    assert found["output"] == 5
    assert found["weight.next"].tolist() == [0.5, 1.0]


def test_an_export_changes_nothing(tmp_path):
    step, model, optimizer = small_step()
    for _ in range(3):
        step(*BATCH)
    before = {k: v.copy() for k, v in model.state_dict().items()}
    compiled, gradient = step.compiled, model[0].weight.grad
    step.export_onnx(tmp_path / "step.onnx")
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())
    assert optimizer.state[model[0].weight]["step"] == 3
    assert step.compiled is compiled
    assert model[0].weight.grad is gradient


# Errors.


def error_of(function, path, *args):
    """Return the message of the error that an export raises; no file is written."""
    with pytest.raises(ExportError) as error:
        compile(function).export_onnx(path, *args)
    assert not path.exists()
    return str(error.value)


def test_a_random_draw_is_an_error_that_names_the_line_and_the_remedy(tmp_path):
    model = Sequential(Linear(3, 2, generator=0), Dropout(0.5, generator=0))

    def predict(x):
        return model(x).detach()  # the line

    message = error_of(predict, tmp_path / "model.onnx", BATCH[0])
    assert f"{__file__}:{predict.__code__.co_firstlineno + 1}" in message
    assert "Generator.random()" in message
    assert "model.eval()" in message
    model.eval()
    compile(predict).export_onnx(tmp_path / "model.onnx", BATCH[0])


def test_a_decision_that_depends_on_values_is_an_error(tmp_path):
    def limited(x):
        return x if x.sum() > 10 else -x

    message = error_of(limited, tmp_path / "model.onnx", np.ones(2))
    assert f"{__file__}:{limited.__code__.co_firstlineno + 1}" in message
    assert "bool() of" in message
    assert "np.where" in message


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: np.linalg.inv(x), "np.linalg.inv"),
        (lambda x: np.spacing(x), "np.spacing"),
        (lambda x: x[x > 0], "getitem"),
        (lambda x: x.view(np.int64), "view"),
        (lambda x: np.fft.fft(x).real, "np.fft.fft"),
        (lambda x: np.linalg.norm(x, "nuc"), "np.linalg.norm"),
    ],
)
def test_a_function_without_counterpart_is_an_error(function, name, tmp_path):
    message = error_of(function, tmp_path / "model.onnx", np.eye(2))
    assert f"{__file__}:{function.__code__.co_firstlineno}" in message
    assert name in message


def test_a_function_of_another_library_is_an_error(tmp_path):
    special = pytest.importorskip("scipy.special")
    message = error_of(lambda x: special.gammaln(x), tmp_path / "model.onnx", np.ones(2))
    assert "gammaln" in message


def test_a_step_that_was_not_captured_needs_arguments(tmp_path):
    with pytest.raises(ExportError, match="call it twice"):
        compile(np.exp).export_onnx(tmp_path / "model.onnx")


def test_a_step_that_cannot_be_captured_is_an_error(tmp_path):
    assert "np.asarray" in error_of(lambda x: np.asarray(x), tmp_path / "model.onnx", np.ones(2))


def test_a_training_step_that_has_not_created_its_state_is_an_error(tmp_path):
    step, *_ = small_step()
    with pytest.raises(ExportError, match="adds or removes"):
        step.export_onnx(tmp_path / "step.onnx", *BATCH)


def test_a_step_without_results_is_an_error(tmp_path):
    assert "no array" in error_of(lambda x: None, tmp_path / "model.onnx", np.ones(2))


def test_a_dtype_without_operators_is_an_error(tmp_path):
    x = np.ones((2, 2), np.int16)
    assert "int16" in error_of(lambda x: x @ x, tmp_path / "model.onnx", x)


@pytest.mark.parametrize("opset", [18, 1000])
def test_an_unknown_opset_is_an_error(opset, tmp_path):
    with pytest.raises(ExportError, match=f"opset must be from 19 to .*, not {opset}"):
        compile(np.exp).export_onnx(tmp_path / "model.onnx", np.ones(2), opset=opset)
