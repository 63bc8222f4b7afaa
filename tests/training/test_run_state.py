"""Checkpoints of runs: resuming, and files that do not fit."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tinytorch_layers import Dropout, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    SGD,
    Adam,
    AdamW,
    CheckpointError,
    DataLoader,
    EarlyStopping,
    TensorDataset,
    Trainer,
    accuracy,
    load_checkpoint,
    run_state,
    save_checkpoint,
)

from .runs import X, Y, assert_same, loader, network, trainer


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("interrupted_at", [1, 4, 5, 6, 11])
def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path, interrupted_at: int, accumulate: int
) -> None:
    whole = trainer(accumulate=accumulate)
    whole.fit(loader(), 4, validation=loader())

    class Interrupted(Exception):
        pass

    def interrupting_accuracy(output, target):
        calls.append(1)
        if len(calls) > interrupted_at:
            raise Interrupted
        return accuracy(output, target)

    calls: list[int] = []
    file = tmp_path / "run.safetensors"
    options = {"checkpoint": file, "checkpoint_every": 1, "resume": True}
    first = trainer(accumulate=accumulate, metrics={"accuracy": interrupting_accuracy})
    with pytest.raises(Interrupted):
        first.fit(loader(), 4, loader(), **options)

    second = trainer(accumulate=accumulate)
    # If the file exists, all random state comes from it, so the seeds must not matter.
    seed = 99 if file.exists() else 3
    second.fit(loader(generator=seed), 4, loader(generator=seed), **options)
    assert_same(whole, second)


def test_resuming_a_completed_run_changes_nothing(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    first, second = trainer(), trainer()
    first.fit(loader(), 3, loader(), checkpoint=file)
    second.fit(loader(), 3, loader(), checkpoint=file, resume=True)
    assert_same(first, second)


@pytest.mark.parametrize("interrupted_at", [1, 5, 8, 12])
def test_interrupted_program_with_several_calls_of_fit_is_resumed(tmp_path, interrupted_at) -> None:
    """The calls of fit have different data, and each call must get its own epochs."""
    other = TensorDataset(X[::-1], Y[::-1], dtype=np.float64)

    def program(run, file):
        options = {"checkpoint": file, "checkpoint_every": 1, "resume": True}
        run.fit(loader(), 2, loader(), **options)
        run.fit(DataLoader(other, 8), 1, loader(), **options)
        return run

    class Interrupted(Exception):
        pass

    def interrupting_accuracy(output, target):
        if len(calls) == interrupted_at:
            raise Interrupted
        calls.append(1)
        return accuracy(output, target)

    calls: list[int] = []
    options = {"early_stopping": None}
    whole = program(trainer(**options), tmp_path / "whole")
    file = tmp_path / "run"
    first = trainer(metrics={"accuracy": interrupting_accuracy}, **options)
    with pytest.raises(Interrupted):
        program(first, file)
    assert_same(whole, program(trainer(**options), file))


def test_resuming_in_the_same_process_ends_at_the_same_epoch(tmp_path) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(output, target):
        if run.step == 7 and not interrupted:
            interrupted.append(1)
            raise Interrupted
        return 0.0

    interrupted: list[int] = []
    run = trainer(early_stopping=None, metrics={"none": interrupt})
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
    with pytest.raises(Interrupted):
        run.fit(loader(), 3, **options)
    run.fit(loader(), 3, **options)
    assert run.epoch == 3
    run.load(tmp_path / "run")
    run.fit(loader(), 2)
    assert run.epoch == 5


def test_resuming_a_stopped_run_does_not_continue(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    runs = [trainer(early_stopping=EarlyStopping(patience=2, min_delta=9.0)) for _ in range(2)]
    for run in runs:
        run.fit(loader(), 8, loader(), checkpoint=file, resume=True)
        assert run.epoch == 3
    assert_same(*runs)


def test_completed_run_can_be_continued_with_more_epochs(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    whole, first, second = trainer(), trainer(), trainer()
    for run in (whole, first, second):
        run.early_stopping.restore_best = False
    whole.fit(loader(), 5, loader())
    first.fit(loader(), 3, loader(), checkpoint=file)
    second.fit(loader(), 5, loader(), checkpoint=file, resume=True)
    assert_same(whole, second)


def test_run_without_resume_ignores_the_checkpoint(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    first, second = trainer(), trainer()
    first.fit(loader(), 2, loader(), checkpoint=file)
    second.fit(loader(), 2, loader(), checkpoint=file)
    assert_same(first, second)


def test_save_and_load_work_without_fit(tmp_path) -> None:
    first, second = trainer(), trainer()
    first.fit(loader(), 2, loader())
    first.save(tmp_path / "run.safetensors")
    second.load(tmp_path / "run.safetensors")
    assert_same(first, second)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_user_generators_are_saved(tmp_path) -> None:
    noise, other = np.random.default_rng(5), np.random.default_rng(6)
    first, second = trainer(generators={"noise": noise}), trainer(generators={"noise": other})
    noise.random(3)
    first.save(tmp_path / "c")
    second.load(tmp_path / "c")
    assert noise.random() == other.random()


def narrower() -> Trainer:
    model = Sequential(Linear(3, 4, dtype=np.float64), Linear(4, 2, dtype=np.float64))
    return Trainer(model, CrossEntropyLoss(), Adam(model.parameters()))


def with_sgd() -> Trainer:
    run = trainer()
    run.optimizer = SGD(run.model.parameters())
    return run


def with_adamw() -> Trainer:
    run = trainer()
    run.optimizer = AdamW(run.model.parameters())
    return run


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (narrower, "its parts are .*early_stopping.*, but those of this run are model, optimizer"),
        (lambda: trainer(scheduler=None), "its parts are .*scheduler"),
        (with_sgd, "does not belong to SGD: it was saved by Adam"),
        (with_adamw, "does not belong to AdamW: it was saved by Adam"),
        (lambda: trainer(generators={"a": np.random.default_rng(0)}), "its generators are 3.gen"),
    ],
)
def test_checkpoint_of_a_different_run_is_rejected_and_changes_nothing(
    tmp_path, make, message
) -> None:
    file = tmp_path / "run.safetensors"
    other = trainer()
    other.fit(loader(), 2, loader(), checkpoint=file)
    run = make()
    before = run.model.state_dict()
    with pytest.raises(
        CheckpointError, match=f"run.safetensors belongs to a different run: .*{message}"
    ):
        run.load(file)
    np.testing.assert_equal(run.model.state_dict(), before)
    assert (run.epoch, run.history) == (0, {})


def test_checkpoint_of_a_different_network_is_rejected(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    trainer().save(file)
    run = trainer()
    run.model = Sequential(Linear(3, 4, dtype=np.float64), Dropout())
    run.generators = {"3.generator": np.random.default_rng(0)}
    before = run.model.state_dict()
    with pytest.raises(CheckpointError, match="belongs to a different run"):
        run.load(file)
    np.testing.assert_equal(run.model.state_dict(), before)


def odd(**changes):
    """Return a function that changes values in the state of a run; dots separate the keys."""

    def change(state: dict) -> None:
        for path, value in changes.items():
            *parents, key = path.split("__")
            part = state
            for name in parents:
                part = part[int(name) if isinstance(part, list) else name]
            if value is None:
                del part[key]
            else:
                part[key] = value

    return change


def poison(*keys):
    """Return a function that writes NaN into an array of the state."""

    def change(state: dict) -> None:
        for key in keys:
            state = state[key]
        state.flat[0] = np.nan

    return change


ODD = {
    "a negative epoch": (odd(progress__epoch=-5), "epoch of the checkpoint must be 0 or more"),
    "half an epoch": (odd(progress__epoch=1.5), "epoch of the checkpoint must be an integer"),
    "a step of text": (odd(progress__step="3"), "step of the checkpoint must be an integer"),
    "no step": (odd(progress__step=None), "its state has no 'step'"),
    "a list as progress": (odd(progress=[1]), "TypeError"),
    "a history of text": (odd(progress__history={"loss": ["a"]}), "history of 'loss' contains"),
    "no history": (odd(progress__history=3), "AttributeError"),
    "no weights": (odd(model={}), "0.weight is missing"),
    "text as the optimizer": (odd(optimizer="SGD"), "TypeError"),
    "no state of the optimizer": (odd(optimizer__state=[]), "this state has 1 groups"),
    "a missing moment": (
        odd(optimizer__state__1__exp_avg_sq=None),
        "the state of parameter 1 does not contain 'exp_avg_sq', which Adam needs",
    ),
    "a negative step": (odd(optimizer__state__1__step=-3), "step of parameter 1 of Adam must be 0"),
    "patience": (odd(early_stopping__waited=-1), "waited of EarlyStopping must be 0 or more"),
    "no best value": (odd(early_stopping__best=[1]), "best of EarlyStopping must be a number"),
    "averages of text": (odd(averages__sums={"loss": "a"}), "sums of Averages must be numbers"),
    "examples": (odd(averages__examples=-1), "examples of Averages must be 0 or more"),
    "a late batch": (odd(data__position=99), "this state is for batch 99 of an epoch, but"),
    "a negative batch": (odd(data__position=-1), "position of DataLoader must be 0 or more"),
    "no generator": (odd(data__generator={}), "belongs to a None generator"),
    "a bad epoch start": (odd(data__began={"bit_generator": "PCG64"}), "its state has no 'state'"),
    "NaN weights": (poison("model", "0.weight"), "contains NaN in 0.weight, so training cannot"),
    "NaN moments": (
        poison("optimizer", "state", 1, "exp_avg"),
        "contains NaN in exp_avg of the optimizer's parameter 1, so",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_state_raises_and_changes_nothing(tmp_path, case) -> None:
    file = tmp_path / "run.safetensors"
    change, message = ODD[case]
    run = trainer()
    run.fit(loader(), 1, loader(), checkpoint=file)
    state = load_checkpoint(file)
    change(state)
    save_checkpoint(file, state)
    expected = copy.deepcopy(run_state.state_of(run))
    with pytest.raises(CheckpointError, match=message):
        run.load(file)
    np.testing.assert_equal(run_state.state_of(run), expected)


def test_buffers_may_contain_nan(tmp_path) -> None:
    first, second = trainer(), trainer()
    first.model[1].running_mean[0] = np.nan
    first.save(tmp_path / "c")
    second.load(tmp_path / "c")
    np.testing.assert_equal(second.model.state_dict(), first.model.state_dict())


def test_file_with_only_weights_is_rejected(tmp_path) -> None:
    save_checkpoint(tmp_path / "weights", network().state_dict())
    with pytest.raises(CheckpointError, match=r"not saved by a Trainer; its keys are 0\.bias"):
        trainer().load(tmp_path / "weights")


def test_resuming_from_a_damaged_checkpoint_raises(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    trainer().fit(loader(), 1, loader(), checkpoint=file)
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="damaged"):
        trainer().fit(loader(), 2, loader(), checkpoint=file, resume=True)


def test_load_checkpoint_reads_the_parts_of_a_run(tmp_path) -> None:
    run = trainer()
    run.fit(loader(), 1, loader(), checkpoint=tmp_path / "c")
    state = load_checkpoint(tmp_path / "c")
    np.testing.assert_equal(state["model"], run.model.state_dict())
    assert state["progress"]["epoch"] == 1
