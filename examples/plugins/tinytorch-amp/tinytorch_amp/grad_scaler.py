"""GradScaler: multiplies the loss, so that small gradients do not become 0 in float16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


class GradScaler:
    """Scales the loss, skips steps whose gradients are not finite, and adapts the scale.

    The methods are those of `torch.amp.GradScaler`:

        scaler.scale(loss).backward()
        scaler.step(optimizer)      # divides the gradients by the scale first
        scaler.update()

    To clip gradients, call `scaler.unscale_(optimizer)` before, and then `step`.

    Args:
        init_scale: the scale to begin with.
        growth_factor: by what the scale is multiplied after `growth_interval` steps in a row
            with finite gradients.
        backoff_factor: by what it is multiplied after a step with other gradients.
        growth_interval: see `growth_factor`.
        enabled: False leaves the loss and the gradients alone, and skips no step.

    Raises:
        ValueError: a factor or the interval is out of range.

    >>> scaler = GradScaler(init_scale=1024.0)
    >>> scaler.scale(2.0)
    2048.0
    """

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not 0 < init_scale < np.inf:
            raise ValueError(f"init_scale must be positive and finite, not {init_scale}")
        if not growth_factor > 1:
            raise ValueError(f"growth_factor must be greater than 1, not {growth_factor}")
        if not 0 < backoff_factor < 1:
            raise ValueError(f"backoff_factor must be between 0 and 1, not {backoff_factor}")
        if growth_interval < 1:
            raise ValueError(f"growth_interval must be at least 1, not {growth_interval}")
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = float(growth_factor), float(backoff_factor)
        self._growth_interval, self._enabled = int(growth_interval), bool(enabled)
        self._finite_steps = 0
        # For each optimizer since the last update: whether its gradients are finite, and whether
        # its step was made.
        self._finite: dict[int, bool] = {}
        self._stepped: set[int] = set()

    def get_scale(self) -> float:
        """Return the scale; 1 if the scaler is not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Return whether the scaler is enabled."""
        return self._enabled

    def scale(self, outputs: Any) -> Any:
        """Return a loss, or a list or tuple of them, multiplied by the scale."""
        if isinstance(outputs, list | tuple):
            return type(outputs)(self.scale(output) for output in outputs)
        return outputs * self._scale if self._enabled else outputs

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimizer's parameters by the scale.

        Raises:
            RuntimeError: this has been done since the last `update()`.
        """
        if not self._enabled:
            return
        key = id(optimizer)
        if key in self._finite or key in self._stepped:
            done = "step()" if key in self._stepped else "unscale_()"
            raise RuntimeError(
                f"{done} has been called for this optimizer since the last update(), so its "
                "gradients are divided by the scale already; call update() after each step"
            )
        finite = True
        for parameter in _with_gradient(optimizer):
            grad = parameter.grad
            with np.errstate(invalid="ignore"):
                parameter.grad = grad * grad.dtype.type(1 / self._scale)
            finite = finite and bool(np.isfinite(parameter.grad).all())
        self._finite[key] = finite

    def step(self, optimizer: Any) -> bool:
        """Make a step of the optimizer if all of its gradients are finite.

        The gradients are divided by the scale, unless `unscale_` has done so.

        Returns:
            Whether the step was made.

        Raises:
            RuntimeError: `step` was called for this optimizer since the last `update()`.
        """
        if self._enabled:
            key = id(optimizer)
            if key not in self._finite or key in self._stepped:
                self.unscale_(optimizer)
            self._stepped.add(key)
            if not self._finite[key]:
                return False
        optimizer.step()
        return True

    def update(self, new_scale: float | None = None) -> None:
        """Adapt the scale; call it after the steps of all optimizers.

        Args:
            new_scale: the scale, instead of the adapted one.

        Raises:
            RuntimeError: neither `step` nor `unscale_` was called since the last `update()`.
            ValueError: `new_scale` is not positive and finite.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            if not 0 < new_scale < np.inf:
                raise ValueError(f"new_scale must be positive and finite, not {new_scale}")
            self._scale = float(new_scale)
        elif not self._finite:
            raise RuntimeError("update() needs a call of step(optimizer) or unscale_() before it")
        elif not all(self._finite.values()):
            self._scale *= self._backoff_factor
            self._finite_steps = 0
        else:
            self._finite_steps += 1
            if self._finite_steps == self._growth_interval:
                grown = self._scale * self._growth_factor
                if grown <= float(np.finfo(np.float32).max):
                    self._scale = grown
                self._finite_steps = 0
        self._finite.clear()
        self._stepped.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, under the names that PyTorch uses; empty if not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._finite_steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            RuntimeError: the state is that of a scaler that was not enabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("this state is empty: it was saved by a GradScaler(enabled=False)")
        self._scale = float(state_dict["scale"])
        self._growth_factor = float(state_dict["growth_factor"])
        self._backoff_factor = float(state_dict["backoff_factor"])
        self._growth_interval = int(state_dict["growth_interval"])
        self._finite_steps = int(state_dict["_growth_tracker"])


def _with_gradient(optimizer: Any) -> Iterator[Any]:
    for group in optimizer.param_groups:
        yield from (p for p in group["params"] if p.grad is not None)
