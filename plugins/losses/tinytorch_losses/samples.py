"""Sample calls and reference formulas of the ops, for the conformance kit."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinytorch_devkit import Call, Samples, call
from tinytorch_losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tinytorch_losses.classification import cross_entropy, nll_loss
from tinytorch_losses.ctc import ctc_loss
from tinytorch_losses.divergence import kl_div
from tinytorch_losses.regression import huber_loss, l1_loss, mse_loss

Array = Any
Formula = Callable[..., Array]

# Losses of probabilities or their logarithms, which other numbers are not.
_PROBABILITIES = ("binary_cross_entropy", "kl_div")


def describe_ops(samples: Samples) -> None:
    """Add samples, reference formulas and expected errors of every op of this plugin."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3))
    # No error is close to 0, 0.5 or 1, where the absolute error and the Huber loss have kinks.
    y = x + rng.choice([-1.4, -0.7, 0.2, 0.8, 1.3], size=x.shape)
    p, q = rng.uniform(0.2, 0.8, (2, 2, 3))
    weight = np.array([0.5, 2.0, 1.5])
    for function, formula, calls in (
        (mse_loss, lambda x, y: (x - y) ** 2, _calls(x, y)),
        (l1_loss, lambda x, y: abs(x - y), _calls(x, y)),
        (huber_loss, _huber, [*_calls(x, y), *_calls(x, y, delta=0.5)]),
        (binary_cross_entropy, _bce, [*_calls(p, q), *_calls(p, q, weight=weight)]),
        (
            binary_cross_entropy_with_logits,
            _bce_with_logits,
            [*_calls(x, q), *_calls(x, q, weight=weight, pos_weight=2 * weight)],
        ),
        (kl_div, _kl_div, [*_calls(-p, q), *_calls(-p, -q, log_target=True)]),
    ):
        name = function.__name__
        samples.add(
            name,
            _with_reduction(formula),
            calls=list(calls),
            function=function,
            domain={} if name in _PROBABILITIES else {"input": (-np.inf, np.inf)},
        )
        samples.refuse(name, ValueError, "(2, 1)", x, y[:, :1])
        samples.refuse(name, TypeError, "int64", np.arange(3), np.arange(3))
        samples.refuse(name, ValueError, "'average'", reduction="average")
    samples.refuse("huber_loss", ValueError, "delta", delta=0)
    samples.refuse("binary_cross_entropy", ValueError, "input[0, 0]", p + 1, q)
    samples.refuse("binary_cross_entropy", ValueError, "weight", p, q, weight=weight[:2])
    _describe_classification(samples, x, p / p.sum(axis=1, keepdims=True), weight)
    _describe_ctc(samples)


def _describe_classification(samples: Samples, x: Array, p: Array, weight: Array) -> None:
    classes = np.array([2, 0])
    options: list[dict[str, Any]] = [{}, {"weight": weight}, {"ignore_index": 0}]
    for function, formula in ((nll_loss, _nll), (cross_entropy, _cross_entropy)):
        name = function.__name__
        calls = [c for option in options for c in _calls(x, classes, **option)]
        calls += [call(x[0], np.array(1)), call(x.reshape(1, 3, 2), np.array([[2, 0]]))]
        samples.add(
            name, formula, calls=calls, function=function, domain={"input": (-np.inf, np.inf)}
        )
        samples.refuse(name, IndexError, "target[0] is 4", x, np.array([4, 0]))
        samples.refuse(name, TypeError, "integer", x, classes > 0)
        samples.refuse(name, ValueError, "weight", x, classes, weight=weight[:2])
        samples.refuse(name, ValueError, "'average'", reduction="average")
    smooth = [call(x, classes, label_smoothing=0.2), call(x, p, label_smoothing=0.2)]
    probabilities = [*_calls(x, p), *_calls(x, p, weight=weight), *smooth]
    samples.add(
        "cross_entropy",
        _cross_entropy,
        calls=probabilities,
        function=cross_entropy,
        domain={"input": (-np.inf, np.inf)},
    )
    samples.refuse("cross_entropy", ValueError, "label_smoothing", label_smoothing=2)


def _describe_ctc(samples: Samples) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 2))
    log_probs = np.log(probabilities)
    average = {"reduction": "average"}
    arguments = {
        "targets": np.array([[1, 1], [2, 0]]),
        "input_lengths": np.array([4, 3]),
        "target_lengths": np.array([2, 1]),
    }
    other = {**arguments, "targets": np.array([[1, 0], [0, 1]]), "blank": 2}
    # The first target needs a blank between its classes, so three steps.
    lengths = {"input_lengths": np.array([2, 4]), "target_lengths": np.array([2, 0])}
    short = {**arguments, **lengths, "zero_infinity": True}
    samples.add(
        "ctc_loss",
        _ctc,
        calls=[c for each in (arguments, other, short) for c in _calls(log_probs, **each)],
        function=ctc_loss,
        domain={"log_probs": (-np.inf, 0)},
    )
    samples.refuse("ctc_loss", ValueError, "targets[0, 1] is 0", log_probs, **other | {"blank": 0})
    samples.refuse("ctc_loss", TypeError, "int64", np.ones((4, 2, 3), int), **arguments)
    samples.refuse("ctc_loss", ValueError, "'average'", log_probs, **{**arguments, **average})


def _calls(*inputs: Array, **parameters: Any) -> Iterator[Call]:
    for reduction in ("mean", "sum", "none"):
        yield call(*inputs, reduction=reduction, **parameters)


def _with_reduction(formula: Formula) -> Formula:
    """Return the reference of a loss, given its formula for each element."""

    def reference(x: Array, y: Array, reduction: str = "mean", **parameters: Any) -> Array:
        return _reduced(formula(x, y, **parameters), reduction)

    return reference


def _reduced(each: Array, reduction: str, divisor: Any = None) -> Array:
    if reduction == "none":
        return each
    return each.sum() / ((divisor or each.size) if reduction == "mean" else 1)


def _huber(x: Array, y: Array, delta: float = 1.0) -> Array:
    e = abs(x - y)
    return np.where(e <= delta, e * e / 2, delta * (e - delta / 2))


def _bce(p: Array, y: Array, weight: Array = 1.0) -> Array:
    return -weight * np.log(p**y * (1 - p) ** (1 - y))


def _bce_with_logits(x: Array, y: Array, weight: Array = 1.0, pos_weight: Array = 1.0) -> Array:
    log_p, log_q = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    return -weight * (pos_weight * y * log_p + (1 - y) * log_q)


def _kl_div(x: Array, t: Array, log_target: bool = False) -> Array:
    t = np.exp(t) if log_target else t
    return t * np.log(t / np.exp(x))


def _nll(
    x: Array,
    target: Array,
    weight: Array = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Compute the loss one prediction at a time."""
    if x.ndim == 1:
        return _nll(x[None], target[None], weight, ignore_index, reduction)
    each, weights = np.zeros(target.shape), np.zeros(target.shape)
    for index, c in np.ndenumerate(target):
        if c != ignore_index:
            weights[index] = 1 if weight is None else weight[c]
            each[index] = -weights[index] * x[(index[0], c, *index[1:])]
    return _reduced(each, reduction, weights.sum())


def _cross_entropy(
    x: Array,
    target: Array,
    weight: Array = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    axis = min(1, x.ndim - 1)
    logs = x - np.logaddexp.reduce(x, axis=axis, keepdims=True)
    if not label_smoothing and target.dtype.kind == "i":
        return _nll(logs, target, weight, ignore_index, reduction)
    classes = x.shape[1]
    y = np.eye(classes)[target] if target.dtype.kind == "i" else target
    q = (1 - label_smoothing) * y + label_smoothing / classes
    each = -(q * (1 if weight is None else weight) * logs).sum(axis=1)
    return _reduced(each, reduction)


def _ctc(
    x: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Array:
    """Add the probabilities of all alignments."""
    each = np.zeros(len(targets), x.dtype)
    for n, (steps, size) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        total = x.dtype.type(-np.inf)
        for path in itertools.product(range(x.shape[2]), repeat=int(steps)):
            merged = [c for c, _ in itertools.groupby(path) if c != blank]
            if merged == list(targets[n, :size]):
                total = np.logaddexp(total, x[np.arange(steps), n, path].sum())
        each[n] = 0 if zero_infinity and total == -np.inf else -total
    if reduction == "mean":
        each = each / np.maximum(target_lengths, 1)
    return _reduced(each, reduction)
