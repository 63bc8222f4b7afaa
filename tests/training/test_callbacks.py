"""Callbacks of the Trainer: when they are called, what they save, and those that are included."""

from __future__ import annotations

import csv
import json
import sys
import warnings

import numpy as np
import pytest

from tinytorch_layers import Linear
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    SGD,
    Adam,
    Callback,
    CheckpointError,
    CSVLogger,
    DataLoader,
    EarlyStopping,
    JSONLogger,
    LRFinderResult,
    ModelCheckpoint,
    NonFiniteError,
    OneCycleLR,
    TensorBoard,
    TensorDataset,
    Timing,
    Trainer,
    load_checkpoint,
    lr_find,
    over_epoch,
)
from tinytorch_training.callback import POINTS

from .runs import X, Y, loader, network


def trainer(**options) -> Trainer:
    model = network()
    return Trainer(model, CrossEntropyLoss(), Adam(model.parameters(), lr=0.01), **options)


class Recorder(Callback):
    """Records the points at which it is called."""

    def __init__(self) -> None:
        self.points: list[str] = []


def recording(point: str):
    def function(self, trainer, *args) -> None:
        self.points.append(point)

    return function


for name in POINTS:
    setattr(Recorder, f"on_{name}", recording(name))

STEP = ["step_start", "after_backward", "before_optimizer_step", "after_optimizer_step", "step_end"]
VALIDATION = ["validation_start", "averages", "validation_end"]
EPOCH = ["epoch_start", *STEP * 5, "averages", *VALIDATION, "epoch_end"]


def test_callbacks_are_called_at_each_point_in_order() -> None:
    recorder = Recorder()
    trainer(callbacks=[recorder]).fit(loader(), 2, loader())
    assert recorder.points == ["fit_start", *EPOCH * 2, "fit_end"]


def test_an_exception_is_reported_to_every_callback_and_raised() -> None:
    class Failing(Callback):
        def on_step_end(self, trainer, batches) -> None:
            raise KeyboardInterrupt

        def on_exception(self, trainer, error) -> None:
            raise OSError("disk full")

    recorder = Recorder()
    with pytest.raises(OSError, match="disk full") as info:
        trainer(callbacks=[Failing(), recorder]).fit(loader(), 1)
    assert "KeyboardInterrupt" in repr(info.value.__context__)
    assert recorder.points[-1] == "exception"
    assert "fit_end" not in recorder.points


def test_gradients_can_be_changed_before_they_are_checked() -> None:
    class Cleaning(Callback):
        def on_after_backward(self, trainer) -> None:
            for p in trainer.model.parameters():
                p.grad = np.nan_to_num(p.grad)

        def on_before_optimizer_step(self, trainer) -> None:
            assert all(np.isfinite(p.grad).all() for p in trainer.model.parameters())

    class Poisoning(Callback):
        def on_after_backward(self, trainer) -> None:
            for p in trainer.model.parameters():
                p.grad = p.grad * np.nan

    with pytest.raises(NonFiniteError, match="gradient is not finite at step 1"):
        trainer(callbacks=[Poisoning()]).fit(loader(), 1)
    run = trainer(callbacks=[Poisoning(), Cleaning()])
    run.fit(loader(), 1)
    assert run.step == 5


def test_callbacks_inside_the_step_are_called_with_compile_and_the_reason_is_stated() -> None:
    whole, recorder = trainer(), Recorder()
    whole.fit(loader(), 2)
    run = trainer(compile=True, callbacks=[recorder])
    with pytest.warns(UserWarning, match=r"as they are, because .*\.on_|function") as found:
        run.fit(loader(), 2)
    assert [w.filename for w in found] == [__file__]
    assert recorder.points.count("after_backward") == 10
    assert run.history == whole.history


def test_other_callbacks_leave_the_step_compiled() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, run = trainer(), trainer(compile=True, callbacks=[Timing()])
        for each in (whole, run):
            each.fit(loader(), 2)
    assert run.history == whole.history


class Counter(Callback):
    """Counts steps, and ends the run after a number of them."""

    def __init__(self, last: int = 99) -> None:
        self.steps, self._last = 0, last

    @property
    def stopped(self) -> bool:
        return self.steps >= self._last

    def on_step_end(self, trainer, batches) -> None:
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state_dict) -> None:
        self.steps = state_dict["steps"]


def test_callbacks_can_end_a_run_and_their_state_is_saved(tmp_path) -> None:
    file = tmp_path / "run"
    first, second = [Counter(), Counter(12)], [Counter(), Counter(12)]
    run = trainer(callbacks=first)
    run.fit(loader(), 9, checkpoint=file)
    assert (run.epoch, first[0].steps) == (3, 15)
    assert load_checkpoint(file)["callbacks.Counter2"] == {"steps": 15}
    trainer(callbacks=second).fit(loader(), 9, checkpoint=file, resume=True)
    assert [c.steps for c in second] == [15, 15]
    with pytest.raises(CheckpointError, match=r"its parts are callbacks\.Counter, "):
        trainer().load(file)


def test_early_stopping_may_be_a_callback() -> None:
    one = trainer(early_stopping=EarlyStopping("loss", patience=1, min_delta=0.2))
    other = trainer(callbacks=[EarlyStopping("loss", patience=1, min_delta=0.2)])
    for run in (one, other):
        run.fit(loader(), 20)
    assert one.epoch < 20
    assert one.history == other.history
    np.testing.assert_equal(one.model.state_dict(), other.model.state_dict())


def rows_of(file) -> list[dict]:
    return list(csv.DictReader(file.read_text().splitlines()))


class Interrupted(Exception):
    pass


class Interrupting(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer, batches) -> None:
        if trainer.step == self.step:
            raise Interrupted


@pytest.mark.parametrize("step", [3, 5, 8, 13])
def test_logs_of_a_resumed_run_contain_each_epoch_once(tmp_path, step: int) -> None:
    def logs(name: str) -> list:
        return [CSVLogger(tmp_path / f"{name}.csv"), JSONLogger(tmp_path / f"{name}.jsonl")]

    trainer(callbacks=logs("whole")).fit(loader(), 4, loader())
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 4, "resume": True}
    with pytest.raises(Interrupted):
        trainer(callbacks=[*logs("part"), Interrupting(step)]).fit(loader(), 4, loader(), **options)
    # What was written after the checkpoint is removed.
    with (tmp_path / "part.csv").open("a") as file:
        file.write("7,7,0.5")
    run = trainer(callbacks=logs("part"))
    run.fit(loader(), 4, loader(), **options)
    for kind in ("csv", "jsonl"):
        whole, part = ((tmp_path / f"{n}.{kind}").read_bytes() for n in ("whole", "part"))
        assert part == whole
    rows = rows_of(tmp_path / "part.csv")
    assert [float(row["val_loss"]) for row in rows] == run.history["val_loss"]
    lines = [json.loads(line) for line in (tmp_path / "part.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["loss"] for line in lines] == run.history["loss"]


def test_csv_log_gets_more_columns_and_json_has_no_nan(tmp_path) -> None:
    logs = [CSVLogger(tmp_path / "log.csv"), JSONLogger(tmp_path / "log.jsonl")]
    run = trainer(callbacks=logs)
    run.fit(loader(), 1)
    run.metrics = {"nothing": lambda output, target: np.nan}
    run.fit(loader(), 1)
    first, second = rows_of(tmp_path / "log.csv")
    assert (first["nothing"], second["nothing"]) == ("", "nan")
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[1])["nothing"] is None


def test_json_has_no_nan_in_lists(tmp_path) -> None:
    log = JSONLogger(tmp_path / "log")
    metrics = {"pair": over_epoch(lambda output, target: [np.nan, 1.0])}
    trainer(callbacks=[log], metrics=metrics).fit(loader(), 1)
    assert json.loads((tmp_path / "log").read_text())["pair"] == [None, 1.0]


def test_a_shortened_log_is_continued_with_a_warning(tmp_path) -> None:
    log = CSVLogger(tmp_path / "log.csv")
    run = trainer(callbacks=[log])
    run.fit(loader(), 1)
    (tmp_path / "log.csv").unlink()
    with pytest.warns(UserWarning, match=r"log\.csv has 0 bytes, but had \d+ when"):
        run.fit(loader(), 1)
    assert [row["epoch"] for row in rows_of(tmp_path / "log.csv")] == ["2"]


def test_model_checkpoint_keeps_the_best_weights(tmp_path) -> None:
    best = ModelCheckpoint(tmp_path / "best", "val_loss")
    losses = []

    class Validated(Callback):
        def on_validation_end(self, trainer, numbers) -> None:
            losses.append((numbers["val_loss"], trainer.model.state_dict()))

    run = trainer(callbacks=[Validated(), best])
    run.optimizer.param_groups[0]["lr"] = 0.3
    run.fit(loader(), 6, loader())
    found = load_checkpoint(tmp_path / "best")
    lowest, weights = min(losses, key=lambda item: item[0])
    assert best.best == found["numbers"]["val_loss"] == lowest
    assert found["epoch"] == best.best_epoch < 6
    np.testing.assert_equal(found["model"], weights)


def test_timing_measures_each_epoch() -> None:
    timing = Timing()
    trainer(callbacks=[timing]).fit(loader(), 2)
    first, second = timing.epochs
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert 0 < first["seconds_per_step"] * 5 < first["seconds"]
    assert first["examples_per_second"] > 0


def test_tensorboard_shows_the_history(tmp_path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    options = {"checkpoint": tmp_path / "run", "resume": True}
    log = tmp_path / "log"
    trainer(callbacks=[TensorBoard(log)]).fit(loader(), 3, loader(), **options)
    run = trainer(callbacks=[TensorBoard(log)])
    run.fit(loader(), 5, loader(), **options)
    events = accumulator.EventAccumulator(str(log))
    events.Reload()
    names = {"loss": "loss", "val_loss": "loss/validation", "lr": "lr"}
    assert set(run.history) == set(names)
    assert set(events.Tags()["scalars"]) == set(names.values())
    found = events.Scalars("loss/validation")
    assert [event.step for event in found] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([e.value for e in found], run.history["val_loss"], rtol=1e-6)


def test_tensorboard_without_its_writer_names_the_requirement(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tinytorch-training\[tensorboard"):
        TensorBoard(tmp_path)


def test_lr_find_suggests_a_rate_and_changes_nothing() -> None:
    run, twin, batches = trainer(), trainer(), loader()
    found = lr_find(run, batches, steps=50)
    assert found.rates[0] < found.suggestion < found.rates[int(np.argmin(found.losses))]
    assert 1e-3 < found.suggestion < 1
    assert repr(found) == (
        f"LRFinderResult({len(found.rates)} rates from 1e-06 to {found.rates[-1]:.3g}, "
        f"suggestion={found.suggestion:.3g})"
    )
    run.fit(batches, 2)
    twin.fit(loader(), 2)
    assert run.history == twin.history
    np.testing.assert_equal(run.model.state_dict(), twin.model.state_dict())


class StepCounter(Callback):
    steps = 0

    def on_step_end(self, trainer, batches) -> None:
        self.steps += 1


@pytest.mark.parametrize("in_trials", [False, True])
def test_lr_find_calls_only_callbacks_that_take_part(in_trials) -> None:
    counter = StepCounter()
    counter.in_trials = in_trials
    run = trainer(callbacks=[counter])
    run.fit(loader(), 1)
    before = counter.steps
    lr_find(run, loader(), 1e-3, 1e-2, steps=3)
    assert counter.steps - before == (3 if in_trials else 0)


def test_lr_find_ignores_the_schedule_and_converts_the_data() -> None:
    model = Linear(3, 2, generator=0)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.5)
    schedule = OneCycleLR(optimizer, 0.1, total_steps=5)
    options = {"scheduler": schedule, "scheduler_interval": "step"}
    run = Trainer(model, CrossEntropyLoss(), optimizer, **options)
    before = repr(optimizer), schedule.state_dict()
    with pytest.warns(UserWarning, match="Trainer converts data of float64 to float32"):
        found = lr_find(run, loader(), steps=9)
    assert len(found.rates) == 9
    assert (repr(optimizer), schedule.state_dict()) == before
    plain = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), momentum=0.95))
    single = TensorDataset(X, Y, dtype=np.float32)
    assert lr_find(plain, DataLoader(single, 8, shuffle=True, generator=3), steps=9) == found


def test_lr_find_plots_the_losses(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    figure = lr_find(trainer(), loader(), steps=20).plot(tmp_path / "rates.png")
    assert figure.axes[0].get_xlabel() == "learning rate"
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_plots_of_rates_without_matplotlib_name_the_requirement(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tinytorch-training\[plot\]"):
        LRFinderResult([0.1, 0.2, 0.4], [3.0, 2.0, 1.0]).plot()


WRONG = {
    "a class": (
        lambda: trainer(callbacks=[Timing]),
        TypeError,
        r"callbacks\[0\] of Trainer must be an instance .*; create an instance: Timing\(",
    ),
    "no list": (lambda: trainer(callbacks=Timing()), TypeError, "must be a list of callbacks"),
    "an object": (lambda: trainer(callbacks=[3]), TypeError, r"callbacks\[0\] .* Callback, not 3$"),
    "a function": (lambda: trainer(callbacks=[print]), TypeError, r"callbacks\[0\] of Trainer"),
    "an unknown value": (
        lambda: trainer(callbacks=[ModelCheckpoint("file")]).fit(loader(), 1),
        ValueError,
        "ModelCheckpoint monitors 'val_loss', which this training does not compute",
    ),
    "a negative length": (
        lambda: CSVLogger("log").load_state_dict({"length": -1}),
        ValueError,
        "length of CSVLogger must be 0 or more",
    ),
    "a number to monitor": (lambda: ModelCheckpoint("file", 3), TypeError, "monitor of ModelCheck"),
    "a dataset": (
        lambda: lr_find(trainer(), loader().dataset),
        TypeError,
        "must be batches, but are a Tensor",
    ),
    "a matrix to monitor": (
        lambda: trainer(
            callbacks=[EarlyStopping("matrix")],
            metrics={"matrix": over_epoch(lambda output, target: [1, 2])},
        ).fit(loader(), 1),
        TypeError,
        r"EarlyStopping monitors 'matrix', which is not a number: \[1, 2\]",
    ),
    "steps": (lambda: lr_find(trainer(), loader(), steps=2.5), TypeError, "steps of lr_find"),
    "rates": (lambda: lr_find(trainer(), loader(), 1, 0.1), ValueError, "must be below end"),
    "no rate": (lambda: lr_find(trainer(), loader(), 0), ValueError, "start of lr_find"),
    "no batches": (lambda: lr_find(trainer(), []), ValueError, r"lr_find\(\) got no batches"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
