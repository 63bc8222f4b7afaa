"""Saving the complete state of a training run to a checkpoint, and restoring it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from numbers import Real
from typing import Any, Protocol

import numpy as np

from tinytorch_training.arguments import count
from tinytorch_training.callback import Callback, states
from tinytorch_training.checkpoint import CheckpointError, load_checkpoint
from tinytorch_training.early_stopping import EarlyStopping
from tinytorch_training.metrics import Averages
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.randomness import generators_of, set_state
from tinytorch_training.schedules import LRScheduler

_LOADERS = {"data", "validation"}
_ALWAYS = {"averages", "generators", "progress"}


class Run(Protocol):
    """The attributes of a run that make up its state; `Trainer` documents them."""

    model: Any
    optimizer: Optimizer
    scheduler: LRScheduler | None
    early_stopping: EarlyStopping | None
    averages: Averages
    loaders: dict[str, Any]
    callbacks: list[Callback]
    generators: dict[str, Any]
    epoch: int
    step: int
    history: dict[str, list[float]]


def load(run: Run, file: str | os.PathLike[str], prepare: Callable[[dict[str, Any]], None]) -> None:
    """Restore a run from a checkpoint; on an error, leave the run unchanged.

    Args:
        run: the run.
        file: the checkpoint.
        prepare: a function that may change the state before the run gets it.

    Raises:
        FileNotFoundError: the file does not exist.
        CheckpointError: the file is damaged, its state does not match `run`, or a parameter
            or the state of the optimizer contains NaN.
    """
    state = load_checkpoint(file)
    before = state_of(run)
    try:
        _check(state, before)
        found = _with_nan(run, state)
        if not found:
            prepare(state)
            _restore(run, state)
    except Exception as error:
        _restore(run, before)
        raise CheckpointError(f"{file} belongs to a different run: {_reason(error)}") from error
    if found:
        raise CheckpointError(
            f"{file} contains NaN in {', '.join(found)}, so training cannot continue from it; use "
            "an older checkpoint. load_checkpoint() returns its content"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"its state has no {error}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _parts(run: Run) -> dict[str, Any]:
    """Return the parts of a run that have a `state_dict`."""
    parts = {
        "model": run.model,
        "optimizer": run.optimizer,
        "scheduler": run.scheduler,
        "early_stopping": run.early_stopping,
        "averages": run.averages,
        **states(run.callbacks),
        **run.loaders,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _generators(run: Run) -> dict[str, Any]:
    return {**generators_of(run.model), **run.generators}


def state_of(run: Run) -> dict[str, Any]:
    """Return the whole state of a run, for a checkpoint."""
    generators = {name: g.bit_generator.state for name, g in _generators(run).items()}
    return {
        **{name: part.state_dict() for name, part in _parts(run).items()},
        "generators": generators,
        "progress": {"epoch": run.epoch, "step": run.step, "history": run.history},
    }


def _check(state: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise ValueError unless both states have the same parts and generators."""
    if not state.keys() >= _ALWAYS:
        raise ValueError(
            f"it was not saved by a Trainer; its keys are {', '.join(sorted(state)) or 'none'}"
        )
    # Trainer.load() may be called before fit() has set the data loaders.
    given = {name for name in state if name not in _LOADERS or name in own}
    _check_names("parts", given - _ALWAYS, own.keys() - _ALWAYS)
    _check_names("generators", state["generators"].keys(), own["generators"].keys())
    progress = state["progress"]
    for name in ("epoch", "step"):
        count("the checkpoint", name, progress[name], minimum=0)
    for name, values in progress["history"].items():
        # A confusion matrix is a list.
        if not all(isinstance(value, Real | list) for value in values):
            raise ValueError(f"its history of {name!r} contains other values than numbers")


def _with_nan(run: Run, state: Mapping[str, Any]) -> list[str]:
    """Return the names of parameters with NaN, and of the optimizer's state for parameters.

    Buffers may contain NaN, for example to mark missing data.
    """
    names = {name for name, _ in run.model.named_parameters()}
    arrays = {name: array for name, array in state["model"].items() if name in names}
    for i, saved in enumerate(state["optimizer"]["state"]):
        arrays |= {f"{key} of the optimizer's parameter {i}": a for key, a in saved.items()}
    return [
        name
        for name, value in arrays.items()
        if isinstance(value, np.ndarray | float) and np.isnan(value).any()
    ]


def _check_names(what: str, given: Set[str], own: Set[str]) -> None:
    if given != own:
        raise ValueError(
            f"its {what} are {', '.join(sorted(given)) or 'none'}, but those of this run are "
            f"{', '.join(sorted(own)) or 'none'}"
        )


def _restore(run: Run, state: Mapping[str, Any]) -> None:
    for name, part in _parts(run).items():
        part.load_state_dict(state[name])
    for name, generator in _generators(run).items():
        set_state(generator, state["generators"][name])
    progress = state["progress"]
    run.epoch, run.step = progress["epoch"], progress["step"]
    run.history = {name: list(values) for name, values in progress["history"].items()}


@contextmanager
def unchanged(run: Run, data: Any) -> Iterator[None]:
    """Restore a run, and the loader `data`, to their present state when the block ends."""
    loaders, mode = run.loaders, run.model.training
    run.loaders = {"data": data} if hasattr(data, "state_dict") else {}
    # The states refer to arrays that a step changes.
    before = copy.deepcopy(state_of(run))
    run.model.train()
    try:
        yield
    finally:
        _restore(run, before)
        run.loaders = loaders
        run.model.train(mode)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Set a model to evaluation mode and record nothing; restore its mode on exit."""
    # Imported here because a disabled autograd must not be imported.
    from tinytorch_autograd import no_grad

    mode = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(mode)
