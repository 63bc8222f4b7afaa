"""The forward-backward algorithm of connectionist temporal classification, as an op.

A. Graves et al., "Connectionist Temporal Classification", 2006. A target t₁ t₂ … is aligned with
the steps of a sequence by a path through the states blank, t₁, blank, t₂, …, blank. A path stays in
its state, moves to the next one, or skips a blank between two different labels. Sums over paths are
kept as logarithms, so that long sequences do not underflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import unwrap

from tinytorch_losses.reduction import reduce_losses, reduce_rule

Array = Any

# The logarithm of 0. It is finite, so that differences and derivatives are not NaN.
_LOG_ZERO = -1e30


@op("ctc_loss")
def ctc_forward(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    cache: list[Array] | None = None,
) -> Array:
    """Return −log of the probability of each target, reduced.

    Args:
        log_probs: logarithms of probabilities, of shape (T, N, C).
        targets: valid class numbers of shape (N, L), with `blank` behind the end of each target.
        input_lengths, target_lengths: integers of shape (N,).
        blank, reduction, zero_infinity: as for `ctc_loss`, checked.
        cache: a list that is filled with results for the backward pass.
    """
    trellis = _Trellis(log_probs, targets, input_lengths, target_lengths, blank)
    ahead = trellis.ahead()
    log_likelihood = trellis.log_likelihood(ahead)
    if cache is not None:
        cache[:] = ahead, log_likelihood
    impossible = log_likelihood < _LOG_ZERO / 2
    losses = np.where(impossible, 0 if zero_infinity else np.inf, -log_likelihood)
    if reduction == "mean":
        losses = losses / _divisors(target_lengths, losses)
    return reduce_losses(losses, reduction)


def ctc_rule(
    grad: Array,
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int,
    reduction: str,
    zero_infinity: bool,
    cache: list[Array] | None,
) -> Array:
    """d/dx[t, n, c] = −(the probability that the path of n has label c at step t).

    If the target is impossible, the derivative is NaN, or 0 with `zero_infinity`.
    """
    trellis = _Trellis(log_probs, targets, input_lengths, target_lengths, blank)
    if not cache or isinstance(log_probs, Tensor):
        ahead = trellis.ahead()
        log_likelihood = trellis.log_likelihood(ahead)
    else:
        ahead, log_likelihood = cache
    grad = reduce_rule(grad, reduction, log_likelihood.size)
    if reduction == "mean":
        grad = grad / _divisors(target_lengths, log_likelihood)
    possible = log_likelihood > _LOG_ZERO / 2
    paths = (
        trellis.behind()
        + trellis.emissions
        + ahead
        - np.where(possible, log_likelihood, 0)[:, None]
    )
    probability = np.where(trellis.active & possible[:, None], np.exp(paths), 0)
    grad = grad * np.where(possible, 1, 0 if zero_infinity else np.nan).astype(log_probs.dtype)
    # Sum over the states with the same label: (N, T, S) times (N, S, C).
    labels = np.arange(log_probs.shape[2]) == trellis.states[..., None]
    by_class = np.swapaxes(probability, 0, 1) @ labels.astype(log_probs.dtype)
    return np.swapaxes(by_class * -grad[:, None, None], 0, 1)


def _divisors(target_lengths: Array, like: Array) -> Array:
    return np.maximum(target_lengths, 1).astype(like.dtype)


class _Trellis:
    """The states of each target at each step, and sums over the paths through them.

    Args:
        log_probs, targets, input_lengths, target_lengths, blank: as for `ctc_forward`.

    Attributes:
        states: the label of each state, of shape (N, S), where S = 2 L + 1.
        emissions: the logarithm of the probability of each state's label, of shape (T, N, S).
        active: whether a step is before the end of the input, of shape (T, N, 1).
    """

    def __init__(
        self,
        log_probs: Array,
        targets: Array,
        input_lengths: Array,
        target_lengths: Array,
        blank: int,
    ) -> None:
        steps, batch, _ = log_probs.shape
        blanks = np.full_like(targets, blank)
        pairs = np.stack([blanks, targets], axis=2).reshape(batch, -1)
        self.states = np.concatenate([pairs, blanks[:, :1]], axis=1)
        emissions = np.take_along_axis(log_probs, self.states[None], axis=2)
        self.emissions = np.maximum(emissions, _LOG_ZERO)
        self.active = np.arange(steps)[:, None, None] < input_lengths[:, None]
        self._dtype = log_probs.dtype
        self._ends = 2 * target_lengths
        self._no_steps = input_lengths == 0

    def behind(self) -> Array:
        """Return the sum over the paths to each state, without the step itself: (T, N, S)."""
        is_start = np.arange(self.states.shape[1]) < 2
        start = np.broadcast_to(self._log(is_start), self.states.shape)
        return np.stack(self._sums(self.emissions, self.active, start, self.states))

    def ahead(self) -> Array:
        """Return the sum over the paths from each state, without the step itself: (T, N, S)."""
        numbers, ends = np.arange(self.states.shape[1]), self._ends[:, None]
        final = self._log((numbers == ends) | (numbers == ends - 1))
        # The paths from the end to the start are those of the reversed target.
        sums = self._sums(
            self.emissions[::-1, :, ::-1],
            self.active[::-1],
            final[:, ::-1],
            self.states[:, ::-1],
        )
        return np.stack(sums[::-1])[:, :, ::-1]

    def log_likelihood(self, ahead: Array) -> Array:
        """Return the sum over all paths, of shape (N,)."""
        first = self.emissions[0] + ahead[0]
        total = _log_sum(first[:, 0], first[:, 1])
        return np.where(self._no_steps, self._log(self._ends == 0), total)

    def _sums(self, emissions: Array, active: Array, start: Array, states: Array) -> list[Array]:
        """Return the sum over the paths from `start` to each state, before each step."""
        batch = states.shape[0]
        moved = np.full((batch, 2), _LOG_ZERO, self._dtype)
        differs = states[:, 2:] != states[:, :-2]
        skip = self._log(np.concatenate([np.zeros((batch, 2), bool), differs], axis=1))
        found = [start]
        for step in range(len(emissions) - 1):
            stay = found[-1] + emissions[step]
            padded = np.concatenate([moved, stay], axis=1)
            total = _log_sum(stay, padded[:, 1:-1], padded[:, :-2] + skip)
            found.append(np.where(active[step], total, start))
        return found

    def _log(self, mask: Array) -> Array:
        """Return log 1 where the mask is true and log 0 elsewhere."""
        return np.where(mask, 0, _LOG_ZERO).astype(self._dtype)


def _log_sum(*terms: Array) -> Array:
    """Return log Σ exp of the terms."""
    top = unwrap(terms[0])
    for term in terms[1:]:
        top = np.maximum(top, unwrap(term))
    total = np.exp(terms[0] - top)
    for term in terms[1:]:
        total = total + np.exp(term - top)
    return top + np.log(total)
