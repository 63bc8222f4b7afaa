"""Trainer(compile=True): the same run, bit by bit, or a warning."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_compile import RecaptureWarning
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Module, Sequential
from tinytorch_losses import CrossEntropyLoss, MSELoss
from tinytorch_training import (
    SGD,
    Adam,
    CosineAnnealingLR,
    DataLoader,
    EarlyStopping,
    NonFiniteError,
    StepLR,
    TensorDataset,
    Trainer,
    accuracy,
)
from tinytorch_training.step import NotFinite, Steps

RNG = np.random.default_rng(0)
X = RNG.standard_normal((37, 3)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)


def batches(x=X, size=8) -> DataLoader:
    """Return batches, of which the last one is smaller."""
    return DataLoader(TensorDataset(x, Y), size, shuffle=True, generator=3)


def network() -> Sequential:
    return Sequential(
        Linear(3, 8, generator=0),
        BatchNorm1d(8),
        np.tanh,
        Dropout(0.3, generator=7),
        Linear(8, 2, generator=1),
    )


def trainer(schedule=None, optimizer=Adam, **options) -> Trainer:
    model = network()
    made = optimizer(model.parameters(), lr=0.01)
    scheduler = None if schedule is None else schedule(made)
    return Trainer(
        model, CrossEntropyLoss(), made, scheduler=scheduler, **{"compile": True} | options
    )


def states(run: Trainer) -> list:
    gradients = [None if p.grad is None else p.grad.copy() for p in run.model.parameters()]
    progress = [run.epoch, run.step, run.history]
    return [run.model.state_dict(), run.optimizer.state_dict(), gradients, progress]


def assert_same(one: Trainer, other: Trainer) -> None:
    np.testing.assert_equal(states(one), states(other))


OPTIONS = {
    "as it is": {},
    "metrics": {"metrics": {"accuracy": accuracy}},
    "accumulated batches": {"accumulate": 2},
    "clipping": {"max_grad_norm": 0.2},
    "a schedule of epochs": {"schedule": lambda o: CosineAnnealingLR(o, 6)},
    "a schedule of steps": {
        "schedule": lambda o: StepLR(o, 3, 0.5),
        "scheduler_interval": "step",
    },
    "early stopping": {"early_stopping": EarlyStopping("val_loss", patience=1, min_delta=0.05)},
    "momentum": {"optimizer": lambda p, lr: SGD(p, lr=lr, momentum=0.9, nesterov=True)},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_compiled_run_equals_one_that_is_not(name: str) -> None:
    one, other = (trainer(compile=c, **copy.deepcopy(OPTIONS[name])) for c in (False, True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for run in (one, other):
            run.fit(batches(), 6, validation=batches(size=10))
    assert_same(one, other)
    assert one.evaluate(batches()) == other.evaluate(batches())
    assert other.model.training


def test_a_compiled_run_resumes(tmp_path) -> None:
    whole = trainer(compile=False)
    whole.fit(batches(), 5)
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 2, "resume": True}
    first, second = trainer(), trainer()
    first.fit(batches(), 3, **options)
    second.fit(batches(), 5, **options)
    assert_same(whole, second)


@pytest.mark.parametrize("element", [np.nan, np.inf])
def test_a_step_that_is_not_finite_is_skipped(element: float) -> None:
    data = X.copy()
    data[5] = element
    errors = []
    runs = [trainer(compile=c, accumulate=2) for c in (False, True)]
    for run in runs:
        run.fit(batches(), 4)
        with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="at step 1") as info:
            run.fit(DataLoader(TensorDataset(data, Y), 8, shuffle=True, generator=1), 1)
        errors.append(str(info.value))
        assert info.value.__cause__ is None
    assert errors[0] == errors[1]
    assert_same(*runs)


def test_an_infinite_gradient_of_a_finite_loss_stops_a_compiled_run() -> None:
    model = Linear(3, 1, generator=0)
    run = Trainer(
        model,
        lambda output, y: ((output * 0).sum() + y.mean()).sqrt(),
        SGD(model.parameters()),
        compile=True,
    )
    good, bad = (X[:8], np.ones(8, np.float32)), (X[:8], np.zeros(8, np.float32))
    run.fit([good] * 5, 1)
    before = model.state_dict()
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="gradient is not finite"):
        run.fit([bad], 1)
    np.testing.assert_equal(model.state_dict(), before)


def test_batches_with_several_inputs_and_outputs() -> None:
    class Two(Module):
        def __init__(self):
            self.first, self.second = Linear(3, 2, generator=0), Linear(3, 2, generator=1)

        def forward(self, x, others):
            return {"sum": self.first(x) + self.second(others["x"]), "parts": [others["x"]]}

    def loss(output, target):
        return CrossEntropyLoss()(output["sum"], target)

    def metric(output, target):
        assert not output["sum"].requires_grad
        return accuracy(output["sum"], target)

    runs = []
    for compiled in (False, True):
        model = Two()
        runs.append(
            Trainer(
                model,
                loss,
                SGD(model.parameters(), lr=0.1),
                metrics={"accuracy": metric},
                compile=compiled,
            )
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runs[-1].fit([(X[i : i + 4], {"x": -X[:4]}, Y[i : i + 4]) for i in range(6)], 2)
    assert_same(*runs)


class Printing(Module):
    def __init__(self):
        self.layer = Linear(3, 2, generator=0)

    def forward(self, x):
        out = self.layer(x)
        f"{out}"
        return out


def test_a_step_that_cannot_be_captured_warns_once_and_names_the_line() -> None:
    runs = []
    for compiled in (False, True):
        model = Printing()
        runs.append(Trainer(model, CrossEntropyLoss(), SGD(model.parameters()), compile=compiled))
    runs[0].fit(batches(), 2)
    with pytest.warns(RecaptureWarning, match=r"test_step\.py:\d+: the text of an array") as found:
        runs[1].fit(batches(), 2)
    assert len(found) == 1
    assert found[0].filename == __file__
    assert_same(*runs)


def test_attributes_of_a_compiled_run_may_be_assigned() -> None:
    one, other = trainer(compile=False), trainer()
    for run in (one, other):
        run.fit(batches(), 2)
        run.max_grad_norm, run.loss = 0.1, lambda out, y: CrossEntropyLoss()(out, y) * 2
        run.fit(batches(), 2)
        run.compile = not run.compile
        run.fit(batches(), 1)
    assert_same(one, other)


def test_a_copy_of_a_compiled_run_trains_on_its_own() -> None:
    run = trainer()
    run.fit(batches(), 2)
    twin = copy.deepcopy(run)
    before = run.model.state_dict()
    twin.fit(batches(), 1)
    np.testing.assert_equal(run.model.state_dict(), before)
    run.fit(batches(), 1)
    assert_same(run, twin)


def test_the_loss_may_have_dimensions() -> None:
    model = Linear(3, 1, generator=0)
    loss = lambda output, y: ((output - 1) ** 2).mean(axis=(0, 1), keepdims=True)  # noqa: E731
    run = Trainer(model, loss, SGD(model.parameters()), accumulate=2, compile=True)
    run.fit([(X[:8], Y[:8])] * 8, 1)
    assert isinstance(run.history["loss"][0], float)


@pytest.mark.parametrize("compile", [False, True])
def test_a_loss_with_several_elements_is_an_error(compile: bool) -> None:
    model = Linear(3, 1, generator=0)
    run = Trainer(model, lambda output, y: output, SGD(model.parameters()), compile=compile)
    with pytest.raises(TypeError, match=r"must have one element, but has the shape \(8, 1\)"):
        run.fit([(X[:8], Y[:8])], 1)


def test_an_unknown_backend_is_an_error() -> None:
    with pytest.raises(ValueError, match="no backend 'fortran'"):
        trainer(compile="fortran")


def test_a_backend_may_be_named() -> None:
    one, other = trainer(), trainer(compile="numpy")
    for run in (one, other):
        run.fit(batches(), 1)
    assert_same(one, other)


def test_compile_must_be_a_bool_or_a_name() -> None:
    with pytest.raises(TypeError, match="compile of Trainer must be True or False, not 3"):
        trainer(compile=3)


PROGRAM = """
import sys
from tinytorch_layers import Linear
from tinytorch_training import SGD, Trainer
model = Linear(1, 1)
parts = model, lambda y, t: (y - t).sum(), SGD(model.parameters())
Trainer(*parts).fit([([[1.0]], [[1.0]])], 0)
assert "tinytorch_compile.compiled" not in sys.modules
sys.modules["tinytorch_compile"] = None
try:
    Trainer(*parts, compile=True)
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize("element", [np.nan, 1e200])
@pytest.mark.parametrize("observers", [None, (None, [], [], [])])
def test_a_step_raises_before_it_changes_parameters(element: float, observers) -> None:
    model = Linear(1, 1, dtype=np.float64, generator=0)
    before = model.state_dict()
    steps = Steps(model, MSELoss(), SGD(model.parameters()), None, False, False, observers, None)
    with np.errstate(over="ignore"), pytest.raises(NotFinite):
        steps.train((Tensor([[element]], dtype=float), Tensor([[0.0]], dtype=float)))
    np.testing.assert_equal(model.state_dict(), before)


def test_compiling_without_the_plugin_names_the_requirement(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tinytorch_compile", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tinytorch-compile"):
        trainer(compile=True)


def test_without_the_plugin_only_compiling_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert "requires tinytorch-compile: pip install tinytorch-compile" in done.stdout


def test_without_tinytorch_xla_its_backend_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinytorch_xla", None)
    error = pytest.raises(ModuleNotFoundError, match=r'pip install "tinytorch-xla\[jax\]"')
    with plugins.disable("xla"), error:
        trainer(compile="xla")
