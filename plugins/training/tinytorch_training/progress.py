"""The progress of a training run: a bar, or a line for each epoch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tinytorch_training.callback import Callback

# The values precede the bar, because a narrow terminal cuts off the end of the line.
_FORMAT = "{desc}{percentage:3.0f}%{postfix} |{bar}| {elapsed}<{remaining}"
_FORMAT_WITHOUT_TOTAL = "{desc}{n_fmt} batches{postfix}, {elapsed}"
# A notebook breaks a longer line.
_FORMAT_IN_NOTEBOOK = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Bar:
    """One bar over all epochs, with the current epoch and the latest values.

    Attributes:
        is_shown: whether there is a bar to see.
        has_lines: whether each epoch is reported by a line instead, because a bar would be
            unreadable, for example in a file.

    Args:
        show: whether to report the progress; None does so on terminals and in notebooks only.
        epochs: the total number of epochs.
        per_epoch: the number of batches in an epoch; None if unknown.
        done: the number of batches already processed.
    """

    def __init__(
        self, show: bool | None, epochs: int, per_epoch: int | None, done: int = 0
    ) -> None:
        self._epochs = epochs
        self._numbers: dict[str, float] = {}
        has_bar = sys.stderr.isatty() or _in_notebook()
        self.is_shown = has_bar if show is None else show and has_bar
        self.has_lines = bool(show) and not has_bar
        if self.is_shown:
            # Imported here to keep it out of the start-up time. It chooses a widget in notebooks.
            from tqdm.auto import tqdm  # type: ignore[import-untyped]

            in_terminal = _FORMAT if per_epoch else _FORMAT_WITHOUT_TOTAL
            in_notebook = _FORMAT_IN_NOTEBOOK if per_epoch else None
            self._bar: Any = tqdm(
                total=per_epoch and epochs * per_epoch,
                initial=done,
                unit="batch",
                dynamic_ncols=True,
                bar_format=in_notebook if _in_notebook() else in_terminal,
            )

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.is_shown:
            self._bar.close()

    def end_epoch(self, epoch: int, numbers: Mapping[str, Any]) -> None:
        """Print the line of an epoch, unless a bar is shown."""
        if self.has_lines:
            print(f"epoch {epoch}/{self._epochs}: {_text(numbers)}", file=sys.stderr, flush=True)

    def advance(self, epoch: int, batches: int, numbers: Mapping[str, float]) -> None:
        """Advance the bar by a number of batches and show the given values.

        Args:
            epoch: the current epoch, starting at 1.
            batches: the number of batches processed since the last call.
            numbers: values by name. Values of earlier calls stay until they are replaced.
        """
        if self.is_shown:
            self._numbers.update(numbers)
            text = _text(self._numbers)
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(batches)


def _text(numbers: Mapping[str, Any]) -> str:
    """Return values by name as text; a matrix is left out."""
    numbers = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def _in_notebook() -> bool:
    """Return whether the program runs in a notebook, which shows a bar as a widget."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Progress(Callback):
    """Shows the progress of one call of `fit`.

    Args:
        bar: the bar.
    """

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def on_step_end(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Advance the bar."""
        if self._bar.is_shown:
            self._bar.advance(trainer.epoch + 1, len(batches), trainer.averages.means())

    def on_validation_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Show the values of the validation."""
        self._bar.advance(trainer.epoch + 1, 0, numbers)

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Print a line, unless a bar is shown."""
        self._bar.end_epoch(trainer.epoch, numbers)

    def on_fit_end(self, trainer: Any) -> None:
        """Close the bar."""
        self._bar.close()

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Close the bar."""
        self._bar.close()
