"""The message of a failed gradcheck: the derivatives that differ, and the likely reason."""

from __future__ import annotations

import numpy as np

from tinytorch_autograd.debug.checked_function import CheckedFunction
from tinytorch_autograd.debug.packing import Array, labels, pack

# How many differences a report lists.
_SHOWN = 5


def report(
    checked: CheckedFunction, numerical: Array, backward: Array, wrong: Array, settings: str
) -> str:
    """Return a headline and a line for each of the largest errors.

    Args:
        checked: the function.
        numerical, backward: its Jacobian by differences and by backward passes.
        wrong: a boolean matrix, True where the two disagree.
        settings: the step and tolerances, for the headline.
    """
    outputs = labels(checked.output_names, checked.outputs)
    inputs = labels(checked.input_names, checked.inputs)
    errors = np.where(wrong, np.abs(np.nan_to_num(backward - numerical, nan=np.inf)), -1)
    worst = np.argsort(-errors, axis=None, kind="stable")[: min(_SHOWN, wrong.sum())]
    lines = [
        f"the backward pass of {checked.name} and differences of its values disagree on "
        f"{wrong.sum()} of {wrong.size} derivatives ({settings})"
    ]
    for row, column in zip(*np.unravel_index(worst, errors.shape), strict=True):
        expected, found = numerical[row, column], backward[row, column]
        lines.append(
            f"  d {outputs[row]} / d {inputs[column]}: expected {expected:.6g}, found "
            f"{found:.6g}, error {abs(found - expected):.3g}"
        )
    if wrong.sum() > _SHOWN:
        lines.append(f"  and {wrong.sum() - _SHOWN} more, with smaller errors")
    return "\n".join(lines)


def likely_reason(
    checked: CheckedFunction, numerical: Array, backward: Array, wrong: Array, eps: float
) -> str:
    """Return a line with the likely reason for the difference, or an empty string."""
    coarse = [
        f"{name} is {array.dtype}"
        for name, array in zip(checked.input_names, checked.inputs, strict=True)
        if np.finfo(array.dtype).eps > 1e-10
    ]
    expected, found = numerical[wrong], backward[wrong]
    if coarse:
        text = f"{coarse[0]}, which is too coarse for eps={eps:g}; use float64 or a larger eps"
    elif not np.isfinite(expected).all():
        text = "the function is not finite near the point; check at another point"
    elif kink := _kink(checked, wrong, eps):
        text = kink
    elif not np.isfinite(found).all():
        text = "the backward pass produced nan or inf; detect_anomaly() shows the line"
    elif not backward.any():
        text = (
            "the gradient is zero everywhere, so the function probably breaks the graph; look for "
            "detach(), .data, stop_gradient() or no_grad()"
        )
    elif expected.all() and np.allclose(ratios := found / expected, ratios[0], rtol=1e-4):
        text = f"every gradient found is {ratios[0]:.4g} times the expected one; look for a factor"
    else:
        return ""
    return f"\nLikely reason: {text}."


def _kink(checked: CheckedFunction, wrong: Array, eps: float) -> str | None:
    """Return a description of a kink or jump at the point, or None."""
    column = int(np.flatnonzero(wrong.any(axis=0))[0])
    row = int(np.flatnonzero(wrong[:, column])[0])
    point = pack(checked.inputs)
    step = np.eye(point.size)[column] * eps
    below, here, above = (checked.values(point + i * step)[row] for i in (-1, 0, 1))
    left, right = (here - below) / eps, (above - here) / eps
    if abs(right - left) <= 1e-2 * max(1.0, abs(left), abs(right)):
        return None
    element = labels(checked.input_names, checked.inputs)[column]
    return (
        f"the function has a kink or a jump at {element} = {point[column]:.6g}, where its "
        f"slope is {left:.4g} below and {right:.4g} above; check at another point"
    )
