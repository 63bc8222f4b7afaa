"""Check that this environment contains exactly the named distributions, and that they work.

    python -I probe.py autograd losses

``run.py`` runs this program in an environment that contains only the wheels of tinytorch-core,
these distributions and their requirements. One function checks each plugin; others check what must
hold when a plugin is absent.
"""

import importlib
import importlib.util
import math
import re
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

import tinytorch_core
from tinytorch_core import Tensor, plugins

ALL = {
    *("autograd", "activations", "losses", "layers", "training"),
    *("compile", "distributed", "xla"),
}
# Third-party plugins, from examples/.
EXAMPLES = {"amp", "named", "profiler", "special", "swish"}
# The names of the TinyTorch course; a plugin only while they are in use.
COURSE = {"course"}
# Not plugins: they add nothing to Tensor.
LIBRARIES = {"sklearn", "torch"}
# Tools for plugin authors; not a plugin.
DEVKIT = {"devkit"}
ABOUT_GRADIENTS = re.compile("grad|backward", re.IGNORECASE)


def equal(value: object, expected: object) -> None:
    """Check a tensor, an array or a number against its expected value."""
    found = value.data if isinstance(value, Tensor) else value
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-7)


def attributes_about_gradients() -> list[str]:
    x = Tensor([1.0])
    names = {name for name in (*dir(Tensor), *dir(x)) if ABOUT_GRADIENTS.search(name)}
    # `dir` may list names that raise an AttributeError with an explanation.
    return sorted(name for name in names if hasattr(x, name))


def check_what_is_installed(expected: set[str], others: set[str]) -> None:
    found = {point.name for point in entry_points(group="tinytorch")}
    assert found == expected, f"entry points of {found}, expected {expected}"
    states = plugins.status()
    active = {state.name for state in states if state.on}
    assert {state.name for state in states} == expected, states
    assert active == expected, f"active: {active}, expected {expected}"
    present = expected | others
    for package in ("tinytorch_core", *(f"tinytorch_{name}" for name in sorted(present))):
        spec = importlib.util.find_spec(package)
        assert spec is not None, package
        home = Path(str(spec.origin)).parent
        assert home.is_relative_to(Path(sys.prefix).resolve()), f"{home} is not in {sys.prefix}"
        typed = spec.submodule_search_locations is None or (home / "py.typed").is_file()
        assert typed, f"{package} has no py.typed"
    for name in (ALL | EXAMPLES | COURSE | LIBRARIES | DEVKIT) - present:
        assert importlib.util.find_spec(f"tinytorch_{name}") is None, name


def tinytorch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `tinytorch`."""
    command = Path(sysconfig.get_path("scripts"), "tinytorch")
    return subprocess.run([command, *arguments], capture_output=True, text=True)


def check_command(expected: set[str]) -> None:
    done = tinytorch("plugins")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ALL | EXAMPLES:
        # As a whole word: a hint may mention a distribution, such as tinytorch-autograd.
        listed = re.search(rf"(?<![\w-]){name}(?![\w-])", done.stdout) is not None
        assert listed == (name in expected), f"{name}:\n{done.stdout}"


def check_core_alone() -> None:
    home = Path(tinytorch_core.__file__).parent
    files = [f for f in home.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    # A norm of Fourier transforms has the name "backward".
    texts = {f.name: f.read_text("utf-8").replace('"backward"', "") for f in files}
    mention = {name for name, text in texts.items() if ABOUT_GRADIENTS.search(text)}
    assert all(name.endswith(".txt") for name in mention), f"{mention} mention gradients"


def check_without_autograd() -> None:
    assert not attributes_about_gradients(), attributes_about_gradients()
    equal(Tensor([2.0]) * 3, [6.0])
    message = "no TypeError was raised"
    try:
        Tensor([2.0], requires_grad=True)
    except TypeError as error:
        message = str(error)
    assert "tinytorch-autograd" in message, f"Tensor(..., requires_grad=True): {message}"


def check_autograd() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x * 3
    y.backward()
    equal(x.grad, [3.0])
    plugins.disable("autograd")
    assert not attributes_about_gradients(), attributes_about_gradients()
    plugins.enable("autograd")
    assert "backward" in attributes_about_gradients()


def check_activations(tracked: bool) -> None:
    from tinytorch_activations import Sigmoid, Softmax, relu

    equal(relu(Tensor([-1.0, 2.0])), [0.0, 2.0])
    equal(Tensor([-1.0, 2.0]).relu(), [0.0, 2.0])
    equal(Sigmoid()(Tensor([-1000.0, 0.0, 1000.0])), [0.0, 0.5, 1.0])
    equal(Softmax(dim=-1)(Tensor([[1000.0, 1000.0]])), [[0.5, 0.5]])
    if tracked:
        x = Tensor([-1.0, 2.0], requires_grad=True)
        relu(x).sum().backward()
        equal(x.grad, [0.0, 1.0])
        x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
        Sigmoid()(x).sum().backward()
        equal(x.grad, [0.0, 0.25, 0.0])


def check_losses(tracked: bool) -> None:
    from tinytorch_losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss

    equal(MSELoss()(Tensor([1.0, 2.0]), Tensor([3.0, 2.0])), 2.0)
    equal(CrossEntropyLoss()(Tensor([[0.0, 0.0]]), np.array([0])), math.log(2))
    equal(BCEWithLogitsLoss()(Tensor([-1000.0, 1000.0]), Tensor([0.0, 1.0])), 0.0)
    if tracked:
        x = Tensor([1.0, 2.0], requires_grad=True)
        MSELoss()(x, Tensor([3.0, 2.0])).backward()
        equal(x.grad, [-2.0, 0.0])
        x = Tensor([[0.0, 0.0]], requires_grad=True)
        CrossEntropyLoss()(x, np.array([0])).backward()
        equal(x.grad, [[-0.5, 0.5]])


def check_layers(tracked: bool) -> None:
    from tinytorch_layers import Conv2d, Flatten, Linear, MaxPool2d, Sequential

    model = Sequential(Conv2d(1, 2, 3, padding="same"), MaxPool2d(2), Flatten(), Linear(8, 1))
    model.load_state_dict({name: a * 0 + 1 for name, a in model.state_dict().items()})
    images = Tensor(np.ones((3, 1, 4, 4), np.float32))
    # All weights and biases are 1: the convolution's largest value is 9 + 1 in each of the 8
    # inputs of the linear layer, which adds 1.
    equal(model(images), [[81.0]] * 3)
    if tracked:
        model(images).sum().backward()
        equal(model[3].weight.grad, [[30.0]] * 8)
        equal(model[0].bias.grad, [12.0, 12.0])
        model.zero_grad()
        assert model[3].weight.grad is None
    else:
        assert not attributes_about_gradients(), attributes_about_gradients()


def check_network(tracked: bool) -> None:
    from tinytorch_activations import ReLU
    from tinytorch_layers import Linear, Sequential

    model = Sequential(Linear(1, 1), ReLU())
    model.load_state_dict({"0.weight": [[2.0]], "0.bias": [-1.0]})
    equal(model(Tensor([[2.0], [0.25]])), [[3.0], [0.0]])
    if tracked:
        from tinytorch_losses import MSELoss

        MSELoss()(model(Tensor([[2.0]])), Tensor([[2.0]])).backward()
        equal(model[0].weight.grad, [[4.0]])


def check_activation_into_loss(tracked: bool) -> None:
    from tinytorch_activations import relu
    from tinytorch_losses import MSELoss

    equal(MSELoss()(relu(Tensor([-1.0, 2.0])), Tensor([1.0, 1.0])), 1.0)
    if tracked:
        x = Tensor([-1.0, 2.0], requires_grad=True)
        MSELoss()(relu(x), Tensor([1.0, 1.0])).backward()
        equal(x.grad, [0.0, 1.0])


def check_examples() -> None:
    import scipy.special

    import tinytorch_special as special
    from tinytorch_amp import autocast
    from tinytorch_profiler import profile

    x = Tensor([0.0, 1.0], requires_grad=True)
    with profile() as p:
        y = special.erf(x).sum() + scipy.special.expit(x).sum() + x.swish().sum()
        y.backward()
    equal(y, 0.84270079 + 1.23105858 + 0.73105858)
    equal(x.grad, [1.12837917 + 0.25 + 0.5, 0.41510750 + 0.19661193 + 0.92767051])
    calls = {row.op: (row.forward.calls, row.backward.calls) for row in p.rows()}
    wanted = {"special_erf": (1, 1), "special_expit": (1, 1), "swish": (1, 1), "sum": (3, 3)}
    assert wanted.items() <= calls.items(), calls
    with autocast():
        assert (Tensor([[1.0]]) @ Tensor([[2.0]])).dtype == np.float16
    equal(Tensor([0.1, 0.3]).quantize(bits=4, scale=0.25), [0.0, 0.25])
    named = Tensor([[1.0, 2.0]], names=("batch", "feature"))
    assert (named * 2).sum("batch").names == ("feature",)


def check_training() -> None:
    from tinytorch_training import SGD, load_checkpoint, save_checkpoint

    x = Tensor([2.0], requires_grad=True)
    (x * x).backward()
    SGD([x], lr=0.25).step()
    equal(x, [1.0])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kept.safetensors")
        save_checkpoint(file, {"x": x.data, "epoch": 3})
        kept = load_checkpoint(file)
        equal(kept["x"], [1.0])
        assert kept["epoch"] == 3, kept


def check_distributed() -> None:
    from tinytorch_distributed import DataParallel, run_threads
    from tinytorch_layers import Linear

    def run(comm):
        model = Linear(1, 1, bias=False)
        with DataParallel(comm).synchronize(model) as parallel:
            parallel.backward(model(np.full((1, 1), comm.rank, np.float32)).sum(), examples=1)
        return model.weight.grad.item()

    equal(run_threads(run, 2), [0.5, 0.5])


FIXTURE_TEST = """
def test_fixtures(clean_core):
    assert clean_core([1.0]).tolist() == [1.0]
"""


def check_course() -> None:
    import tinytorch_course

    assert importlib.util.find_spec("tinytorch") is None
    with tinytorch_course.install():
        course = importlib.import_module("tinytorch.core.layers")
        assert course.Linear(2, 3)([[1.0, 2.0]])._grad_fn is not None
    assert "tinytorch" not in sys.modules
    assert not hasattr(Tensor([1.0]), "_grad_fn")


def check_libraries() -> None:
    from tinytorch_sklearn import Classifier

    x = np.random.default_rng(0).normal(size=(100, 2))
    y = x[:, 0] > 0
    model = Classifier(learning_rate_init=0.1, max_iter=50, tol=1.0, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.9
    message = "no ModuleNotFoundError was raised"
    try:
        from tinytorch_torch import from_torch  # noqa: F401
    except ModuleNotFoundError as error:
        message = str(error)
    assert "tinytorch-torch[torch]" in message, message


def check_devkit(expected: set[str]) -> None:
    import tinytorch_devkit

    assert callable(tinytorch_devkit.check_plugin)
    listed = tinytorch("--help").stdout
    assert all(name in listed for name in ("check", "new-plugin", "stubs")), listed
    if "swish" in expected:
        done = tinytorch("check", "swish")
        assert done.returncode == 0, done.stdout + done.stderr
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_fixtures.py").write_text(FIXTURE_TEST)
        command = [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def check_without_devkit() -> None:
    done = tinytorch("check", "swish")
    assert done.returncode == 2, done
    assert "pip install tinytorch-devkit" in done.stderr, done.stderr


def main(distributions: set[str]) -> None:
    assert distributions <= ALL | EXAMPLES | COURSE | LIBRARIES | DEVKIT, distributions
    devkit = distributions >= DEVKIT
    expected = distributions - DEVKIT - COURSE - LIBRARIES
    tracked = "autograd" in expected
    check_what_is_installed(expected, distributions - expected)
    check_command(expected)
    if not distributions:
        check_core_alone()
    if tracked:
        check_autograd()
    else:
        check_without_autograd()
    if "activations" in expected:
        check_activations(tracked)
    if "losses" in expected:
        check_losses(tracked)
    if {"activations", "losses"} <= expected:
        check_activation_into_loss(tracked)
    if "layers" in expected:
        check_layers(tracked)
    if {"activations", "layers"} <= expected:
        check_network(tracked)
    if "training" in expected:
        check_training()
    if "distributed" in expected:
        check_distributed()
    if distributions >= COURSE:
        check_course()
    if distributions >= LIBRARIES:
        check_libraries()
    if expected >= EXAMPLES:
        check_examples()
    if devkit:
        check_devkit(expected)
    else:
        check_without_devkit()
    assert tracked == ("tinytorch_autograd" in sys.modules)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
