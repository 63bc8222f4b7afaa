"""Pictures that a notebook shows, and line charts, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

_COLOURS = ("#3B6FB6", "#C77F14", "#3C8F55", "#9A4F96")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 300, 62, 16, 16, 46


class Picture:
    """A picture in SVG, which a notebook shows.

    Attributes:
        svg: its text.
    """

    def __init__(self, svg: str, title: str) -> None:
        self.svg, self.title = svg, title

    def save(self, file: str | Path) -> None:
        """Write the picture to a file, such as `loss.svg`, which a browser shows."""
        Path(file).write_text(self.svg, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture: {self.title}; save it with .save('picture.svg')>"


def svg(width: float, height: float, parts: Sequence[str], title: str) -> Picture:
    """Return a picture of these SVG elements on a white background."""
    body = "\n".join(parts)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" style="max-width: 100%; height: auto" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>'
    )
    return Picture(text, title)


def draw_curves(curves: Mapping[str, Sequence[float]], x: str = "step", y: str = "loss") -> Picture:
    """Draw curves in one chart, from 0 upwards.

    Infinite values and NaN, as of a training that diverges, are left out.

    Args:
        curves: for the name of each curve its values, one for each step.
        x, y: the labels of the axes.

    Raises:
        ValueError: a curve has fewer than two finite values, or a negative one.

    >>> draw_curves({"training": [3.0, 2.0, 1.5]})
    <Picture: loss by step; save it with .save('picture.svg')>
    """
    points = {name: _finite(values) for name, values in curves.items()}
    if not points or min(map(len, points.values())) < 2:
        raise ValueError("each curve needs at least two finite values")
    heights = [value for curve in points.values() for _, value in curve]
    if min(heights) < 0:
        raise ValueError(f"the chart begins at 0, but a curve has the value {min(heights):g}")
    scale = _Scale(max(map(len, curves.values())) - 1, max(heights) * 1.05 or 1.0)
    parts = list(_axes(scale, x, y))
    for i, (name, curve) in enumerate(points.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        text = " ".join(f"{scale.across(s):.1f},{scale.down(v):.1f}" for s, v in curve)
        parts.append(
            f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        )
        if len(curves) > 1:
            parts += _legend(i, name, colour)
    return svg(_WIDTH, _HEIGHT, parts, f"{y} by {x}")


def _finite(values: Sequence[float]) -> list[tuple[int, float]]:
    """Return the finite values, each with its step."""
    return [(i, float(value)) for i, value in enumerate(values) if math.isfinite(value)]


class _Scale(NamedTuple):
    """Where a chart shows steps and values.

    Attributes:
        steps: the last step, at the right end.
        top: the value at the upper end.
    """

    steps: int
    top: float

    def across(self, step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / self.steps

    def down(self, value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / self.top)


def _axes(scale: _Scale, x: str, y: str) -> Iterator[str]:
    """Yield the lines and numbers of a chart, and the labels of its axes."""
    for value in _ticks(scale.top):
        height = scale.down(value)
        yield _line(_LEFT, height, _WIDTH - _RIGHT, height, "#DDDDDD")
        yield _label(_LEFT - 8, height + 4, f"{value:g}", "end")
    for step in _ticks(scale.steps, smallest=1):
        yield _label(scale.across(step), _HEIGHT - _BOTTOM + 18, f"{step:g}", "middle")
    yield _label(scale.across(scale.steps / 2), _HEIGHT - 8, x, "middle")
    middle = scale.down(scale.top / 2)
    yield (
        f'<text x="16" y="{middle:g}" text-anchor="middle" '
        f'transform="rotate(-90 16 {middle:g})">{escape(y)}</text>'
    )


def _legend(position: int, name: str, colour: str) -> list[str]:
    """Return a line in the colour of a curve, and its name."""
    height = _TOP + 14 + 18 * position
    return [
        _line(_WIDTH - 190, height - 4, _WIDTH - 166, height - 4, colour, 2.5),
        _label(_WIDTH - 158, height, name, "start"),
    ]


def _ticks(top: float, smallest: float = 0.0) -> list[float]:
    """Return at most seven round numbers from 0 to `top`, at least `smallest` apart."""
    size = 10.0 ** math.floor(math.log10(top))
    distances = (max(size * factor, smallest) for factor in (0.1, 0.2, 0.25, 0.5, 1, 2))
    distance = next(each for each in distances if top / each <= 6)
    return [i * distance for i in range(int(top / distance + 1e-9) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
