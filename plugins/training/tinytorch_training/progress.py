"""The progress bar of a training run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


class Bar:
    """One bar over all epochs, with the current epoch and the latest values.

    Attributes:
        is_shown: whether there is anything to see.

    Args:
        show: whether to show the bar; None shows it on terminals only.
        epochs: the total number of epochs.
        per_epoch: the number of batches in an epoch; None if unknown.
        done: the number of batches already processed.
    """

    def __init__(
        self, show: bool | None, epochs: int, per_epoch: int | None, done: int = 0
    ) -> None:
        self._epochs = epochs
        self._numbers: dict[str, float] = {}
        self.is_shown = sys.stderr.isatty() if show is None else show
        if self.is_shown:
            # Imported here to keep it out of the start-up time.
            from tqdm import tqdm  # type: ignore[import-untyped]

            self._bar: Any = tqdm(
                total=per_epoch and epochs * per_epoch,
                initial=done,
                unit="batch",
                dynamic_ncols=True,
            )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_shown:
            self._bar.close()

    def advance(self, epoch: int, batches: int, numbers: Mapping[str, float]) -> None:
        """Advance the bar by a number of batches and show the given values.

        Args:
            epoch: the current epoch, starting at 1.
            batches: the number of batches processed since the last call.
            numbers: values by name. Values of earlier calls stay until they are replaced.
        """
        if self.is_shown:
            self._numbers.update(numbers)
            text = ", ".join(f"{name} {value:.4g}" for name, value in self._numbers.items())
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(batches)
