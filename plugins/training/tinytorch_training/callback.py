"""Callback, the base class of what a Trainer calls at the defined points of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

POINTS = (
    *("fit_start", "fit_end", "epoch_start", "epoch_end", "step_start", "step_end"),
    *("after_backward", "before_optimizer_step", "after_optimizer_step"),
    *("validation_start", "validation_end", "exception", "averages", "save", "load"),
)
INSIDE_STEP = ("after_backward", "before_optimizer_step", "after_optimizer_step")


class Callback:
    """Functions that a Trainer calls at the defined points of a run; a subclass defines some.

    The order in a run is:

        on_fit_start
            on_epoch_start
                on_step_start
                    on_after_backward           before gradients are checked and clipped
                    on_before_optimizer_step    after they were checked and clipped
                    on_after_optimizer_step
                on_step_end
                on_validation_start, on_validation_end
            on_epoch_end
        on_fit_end, or on_exception

    `on_averages` is called before each `on_epoch_end`, `on_validation_end` and result of
    `evaluate`, `on_save` before each checkpoint of the run is written, and `on_load` when one was
    read.

    Callbacks are called in the order of the list, before the early stopping, the progress bar and
    the checkpoint of the Trainer. A callback may read and change the Trainer, its model and its
    optimizer. An exception in a callback ends the run.

    A callback that defines `state_dict` and `load_state_dict` is saved in checkpoints and restored
    when a run is resumed. If a run is resumed within an epoch, `on_epoch_start` is called again.

    Attributes:
        stopped: whether to end the run after the current epoch; a subclass may define it as a
            property.
        writes: whether this process writes the checkpoints of the run.
        in_trials: whether `lr_find` also calls the callback, as a run of `fit` within an epoch
            does. A callback that changes how gradients are computed sets it.

    >>> import numpy as np
    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, Trainer
    >>> class Norms(Callback):
    ...     def on_epoch_end(self, trainer, numbers):
    ...         print(trainer.epoch, list(numbers))
    >>> model = Linear(1, 1, dtype=np.float64)
    >>> trainer = Trainer(
    ...     model, lambda y, t: ((y - t) ** 2).mean(), SGD(model.parameters()), callbacks=[Norms()]
    ... )
    >>> history = trainer.fit([(np.ones((1, 1)), np.ones((1, 1)))], epochs=2)
    1 ['loss', 'lr']
    2 ['loss', 'lr']
    """

    stopped: bool = False
    writes: bool = True
    in_trials: bool = False

    def on_fit_start(self, trainer: Any) -> None:
        """Called when a call of `fit` begins, after the run was resumed."""

    def on_fit_end(self, trainer: Any) -> None:
        """Called when a call of `fit` ends without an exception."""

    def on_epoch_start(self, trainer: Any) -> None:
        """Called before the first batch of an epoch. `trainer.epoch` epochs are complete."""

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Called after an epoch and its validation.

        Args:
            trainer: the Trainer. Its `epoch` and `history` include this epoch.
            numbers: the values that the epoch added to the history, by name.
        """

    def on_step_start(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Called before a step.

        Args:
            trainer: the Trainer.
            batches: the batches of the step: one, or `accumulate`.
        """

    def on_step_end(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Called after a step, its metrics and the schedule. `trainer.step` includes it."""

    def on_after_backward(self, trainer: Any) -> None:
        """Called when the gradients of a step are complete, before they are checked and clipped."""

    def on_before_optimizer_step(self, trainer: Any) -> None:
        """Called before `optimizer.step()`, after the gradients were checked and clipped."""

    def on_after_optimizer_step(self, trainer: Any) -> None:
        """Called after `optimizer.step()`."""

    def on_validation_start(self, trainer: Any) -> None:
        """Called before the validation of an epoch."""

    def on_validation_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Called after the validation of an epoch, with its values by name, such as "val_loss"."""

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Called when an exception ends `fit`, also KeyboardInterrupt. It is raised afterwards."""

    def on_averages(self, trainer: Any, averages: Any) -> None:
        """Called with the sums over an epoch or an evaluation, before they become means.

        Args:
            trainer: the Trainer.
            averages: an object with `state_dict` and `load_state_dict`. Its state has the "sums" of
                the loss and the metrics by name, the number of "examples", the sum of their weights
                in the loss as "weight", and, for metrics over an epoch, the lists "outputs" and
                "targets" with an array for each batch.
        """

    def on_save(self, trainer: Any, state: dict[str, Any]) -> None:
        """Called before a checkpoint of the run is written. The callback may change `state`."""

    def on_load(self, trainer: Any, state: dict[str, Any]) -> None:
        """Called before the run gets the state of a checkpoint. The callback may change `state`."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`. On an error, nothing is changed."""


class Calls:
    """The functions to call at each point: only those that a callback defines.

    Args:
        trainer: the first argument of the functions.
        callbacks: the callbacks in order.

    Attributes:
        inside_step: the argument and the functions of the three points inside a step; None
            without any.
    """

    def __init__(self, trainer: Any, callbacks: Iterable[Callback] = ()) -> None:
        self._trainer = trainer
        callbacks = list(callbacks)
        self._functions = {point: _functions(callbacks, f"on_{point}") for point in POINTS}
        inside = tuple(self._functions[point] for point in INSIDE_STEP)
        self.inside_step = (trainer, *inside) if any(inside) else None

    def __call__(self, point: str, *args: Any) -> None:
        """Call the functions of a point in order."""
        for function in self._functions[point]:
            function(self._trainer, *args)

    def report(self, error: BaseException) -> None:
        """Call the functions of an exception. One that raises does not prevent the others."""
        failure: BaseException | None = None
        for function in self._functions["exception"]:
            try:
                function(self._trainer, error)
            except BaseException as another:
                failure = failure or another
        if failure is not None:
            raise failure


def _functions(callbacks: Sequence[Callback], name: str) -> tuple[Callable[..., None], ...]:
    base = getattr(Callback, name)
    return tuple(getattr(c, name) for c in callbacks if getattr(type(c), name) is not base)


def checked_callbacks(value: Any) -> list[Callback]:
    """Return the argument `callbacks` of a Trainer as a list.

    Raises:
        TypeError: it is not iterable, or an item is not a Callback.
    """
    if isinstance(value, Callback) or not isinstance(value, Iterable):
        raise TypeError(f"callbacks of Trainer must be a list of callbacks, not {value!r:.60}")
    callbacks = list(value)
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            is_class = isinstance(callback, type)
            hint = f"; create an instance: {callback.__name__}(...)" if is_class else ""
            raise TypeError(
                f"callbacks[{i}] of Trainer must be an instance of a subclass of Callback, not "
                f"{callback!r:.60}{hint}"
            )
    return callbacks


def states(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Return the callbacks that define `state_dict`, by the names of their states."""
    found: dict[str, Callback] = {}
    for callback in callbacks:
        if type(callback).state_dict is Callback.state_dict:
            continue
        name = own = f"callbacks.{type(callback).__name__}"
        number = 1
        while name in found:
            number += 1
            name = f"{own}{number}"
        found[name] = callback
    return found
