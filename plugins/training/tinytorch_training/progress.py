"""The progress bar of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Bar:
    """One bar over all epochs, with the epoch before it and the latest numbers behind it.

    Args:
        show: whether to show it; None for only on a terminal.
        epochs: how many there are in all.
        per_epoch: how many batches an epoch has; None if that is not known.
        done: how many batches were done earlier.
    """

    def __init__(
        self, show: bool | None, epochs: int, per_epoch: int | None, done: int = 0
    ) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped] # when it is first needed

        self._epochs = epochs
        self._numbers: dict[str, float] = {}
        self._bar: Any = tqdm(
            total=per_epoch and epochs * per_epoch,
            initial=done,
            unit="batch",
            disable=None if show is None else not show,
            dynamic_ncols=True,
        )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def advance(self, epoch: int, batches: int, numbers: Mapping[str, float]) -> None:
        """Moves the bar on by so many batches of an epoch, counted from 1.

        The numbers are shown until others of their names are known.
        """
        if not self._bar.disable:
            self._numbers.update(numbers)
            text = ", ".join(f"{name} {value:.4g}" for name, value in self._numbers.items())
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(batches)
