"""What a run consists of: from a Trainer to a checkpoint, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tinytorch_training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from tinytorch_training.randomness import generators_of, set_state

if TYPE_CHECKING:
    from tinytorch_training.trainer import Trainer

_LOADERS = {"data", "validation"}
_ALWAYS = {"averages", "generators", "progress"}


def save(trainer: Trainer, file: str | os.PathLike[str]) -> None:
    """Writes a checkpoint of all that the run consists of."""
    save_checkpoint(file, _state(trainer))


def load(trainer: Trainer, file: str | os.PathLike[str]) -> None:
    """Takes over the run in a checkpoint, or raises and changes nothing."""
    state = load_checkpoint(file)
    before = _state(trainer)
    try:
        _check(state, before)
        _take_over(trainer, state)
    except Exception as error:
        _take_over(trainer, before)
        raise CheckpointError(f"{file} is of another run: {error}") from error


def _parts(trainer: Trainer) -> dict[str, Any]:
    """The parts of a run that have a state of their own."""
    parts = {
        "model": trainer.model,
        "optimizer": trainer.optimizer,
        "scheduler": trainer.scheduler,
        "early_stopping": trainer.early_stopping,
        "averages": trainer.averages,
        **trainer.loaders,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _generators(trainer: Trainer) -> dict[str, Any]:
    return {**generators_of(trainer.model), **trainer.generators}


def _state(trainer: Trainer) -> dict[str, Any]:
    generators = {k: g.bit_generator.state for k, g in _generators(trainer).items()}
    return {
        **{name: part.state_dict() for name, part in _parts(trainer).items()},
        "generators": generators,
        "progress": {"epoch": trainer.epoch, "step": trainer.step, "history": trainer.history},
    }


def _check(state: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raises ValueError unless both consist of the same parts."""
    if not state.keys() >= _ALWAYS:
        raise ValueError(f"it is no run of a Trainer, but has {', '.join(sorted(state))}")
    # A run that is only looked at again needs no data.
    given = {name for name in state if name not in _LOADERS or name in own}
    _same("parts", given - _ALWAYS, own.keys() - _ALWAYS)
    _same("generators", state["generators"].keys(), own["generators"].keys())


def _same(what: str, given: Set[str], own: Set[str]) -> None:
    if given != own:
        raise ValueError(
            f"it has the {what} {', '.join(sorted(given)) or 'none'}, and this one "
            f"{', '.join(sorted(own)) or 'none'}"
        )


def _take_over(trainer: Trainer, state: Mapping[str, Any]) -> None:
    for name, part in _parts(trainer).items():
        part.load_state_dict(state[name])
    for name, generator in _generators(trainer).items():
        set_state(generator, state["generators"][name])
    progress = state["progress"]
    trainer.epoch, trainer.step = progress["epoch"], progress["step"]
    trainer.history = {name: list(values) for name, values in progress["history"].items()}


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Has a model in the mode of `eval()` with nothing recorded, and afterwards as it was."""
    # Here, because autograd may be off, and what is off is not imported.
    from tinytorch_autograd import no_grad

    mode = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(mode)
