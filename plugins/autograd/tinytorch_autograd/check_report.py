"""What gradcheck says of derivatives that differ: which, by how much, and probably why."""

from __future__ import annotations

import numpy as np

from tinytorch_autograd.check_problem import Array, Problem, labels, packed

# How many differences a report lists.
_SHOWN = 5


def report(problem: Problem, numerical: Array, backward: Array, wrong: Array, settings: str) -> str:
    """The worst of the derivatives that are `wrong`, a line each."""
    targets = labels(problem.targets, problem.outputs)
    sources = labels(problem.names, problem.points)
    errors = np.where(wrong, np.abs(np.nan_to_num(backward - numerical, nan=np.inf)), -1)
    worst = np.argsort(-errors, axis=None, kind="stable")[: min(_SHOWN, wrong.sum())]
    lines = [
        f"the backward pass of {problem.name} and differences of its values disagree on "
        f"{wrong.sum()} of {wrong.size} derivatives ({settings})"
    ]
    for row, column in zip(*np.unravel_index(worst, errors.shape), strict=True):
        expected, found = numerical[row, column], backward[row, column]
        lines.append(
            f"  d {targets[row]} / d {sources[column]}: expected {expected:.6g}, found "
            f"{found:.6g}, error {abs(found - expected):.3g}"
        )
    if wrong.sum() > _SHOWN:
        lines.append(f"  and {wrong.sum() - _SHOWN} more, with smaller errors")
    return "\n".join(lines)


def reason(problem: Problem, numerical: Array, backward: Array, wrong: Array, eps: float) -> str:
    """What probably went wrong, in a sentence, or nothing."""
    coarse = [
        f"{name} is {point.dtype}"
        for name, point in zip(problem.names, problem.points, strict=True)
        if np.finfo(point.dtype).eps > 1e-10
    ]
    expected, found = numerical[wrong], backward[wrong]
    if coarse:
        text = f"{coarse[0]}, too coarse for eps={eps:g}; check with float64, or a larger eps"
    elif not np.isfinite(expected).all():
        text = "the function itself is not finite near the point; choose another point"
    elif kink := _kink(problem, wrong, eps):
        text = kink
    elif not np.isfinite(found).all():
        text = "the backward pass made nan or inf; detect_anomaly() tells where"
    elif not backward.any():
        text = (
            "the gradient is zero everywhere, so the history is lost on the way: look for "
            "detach(), .data, stop_gradient() or no_grad()"
        )
    elif expected.all() and np.allclose(ratios := found / expected, ratios[0], rtol=1e-4):
        text = f"everywhere {ratios[0]:.4g} times the expected was found; look for that factor"
    else:
        return ""
    return f"\nLikely reason: {text}."


def _kink(problem: Problem, wrong: Array, eps: float) -> str | None:
    """The reason that the function has no derivative at the point."""
    column = int(np.flatnonzero(wrong.any(axis=0))[0])
    row = int(np.flatnonzero(wrong[:, column])[0])
    point = packed(problem.points)
    step = np.eye(point.size)[column] * eps
    below, here, above = (problem.values(point + i * step)[row] for i in (-1, 0, 1))
    left, right = (here - below) / eps, (above - here) / eps
    if abs(right - left) <= 1e-2 * max(1.0, abs(left), abs(right)):
        return None
    return (
        f"a kink or a jump lies at {labels(problem.names, problem.points)[column]} = "
        f"{point[column]:.6g}: the slope is {left:.4g} below and {right:.4g} above; "
        "check at another point"
    )
