"""The pictures of curves and graphs are valid SVG that shows what it should."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_learn import draw_curves, draw_graph
from tinytorch_learn.framework.engine import Node
from tinytorch_learn.picture import _ticks


def texts(picture):
    return ["".join(e.itertext()) for e in ElementTree.fromstring(picture.svg).iter() if e.text]


def test_a_chart_has_a_line_and_a_name_for_each_curve():
    picture = draw_curves({"a < b": [3.0, 1.0], "c": [2.0, 2.0, 0.5]}, x="epoch", y="error")
    root = ElementTree.fromstring(picture.svg)
    lines = [e.attrib["points"].split() for e in root.iter() if e.tag.endswith("polyline")]
    assert [len(points) for points in lines] == [2, 3]
    assert {"a < b", "c", "epoch", "error"} <= set(texts(picture))


@pytest.mark.parametrize("top", [0.004, 0.7, 1.0, 3.8, 42.0, 6000.0])
def test_a_chart_has_a_few_round_numbers_on_its_axis(top):
    ticks = _ticks(top)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= top


@pytest.mark.parametrize("steps", [1, 2, 3, 24, 149, 400])
def test_the_axis_of_steps_has_whole_numbers(steps):
    assert all(tick == int(tick) for tick in _ticks(steps, smallest=1))


def test_a_chart_can_be_saved(tmp_path):
    picture = draw_curves({"loss": [0.0, 0.0]})
    picture.save(tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").read_text(encoding="utf-8") == picture._repr_svg_()


def test_values_that_are_not_finite_are_left_out():
    picture = draw_curves({"loss": [1.0, float("nan"), 4.0, float("inf")]})
    (line,) = [e for e in ElementTree.fromstring(picture.svg).iter() if e.tag.endswith("polyline")]
    (first, _), (third, height) = (map(float, p.split(",")) for p in line.attrib["points"].split())
    assert third == pytest.approx(first + 2 / 3 * 562, abs=0.1)  # of the steps 0 to 3
    assert height < 30
    assert not {"nan", "inf"} & set(texts(picture))


def test_negative_values_are_an_error():
    with pytest.raises(ValueError, match="begins at 0, but a curve has the value -2"):
        draw_curves({"loss": [1.0, -2.0]})


@pytest.mark.parametrize("curves", [{}, {"loss": [1.0]}, {"loss": [1.0, float("nan")]}])
def test_a_chart_of_too_few_values_is_an_error(curves):
    with pytest.raises(ValueError, match="at least two finite values"):
        draw_curves(curves)


def test_a_tensor_without_a_graph_is_an_error():
    with pytest.raises(ValueError, match="requires_grad=True"):
        draw_graph(Tensor(1.0))


def result(name, *inputs):
    """Return a tensor as the engine of chapter 4 returns it."""
    out = Tensor([1.0, 2.0])
    with plugins.disabled():
        vars(out).update(node=Node(name, inputs, None, {"out": out.data}), requires_grad=True)
    return out


def test_a_graph_shows_ops_leaves_and_constants():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = result("sum", result("mul", result("tanh", result("mul", x, 3)), x))
    with plugins.disabled():
        picture = draw_graph(y, x=x)
    root = ElementTree.fromstring(picture.svg)
    shown = [e.text for e in root.iter() if e.attrib.get("font-weight") == "bold"]
    assert sorted(shown) == ["3", "mul", "mul", "sum", "tanh", "x"]
    # One arrow for each input of each op, and the tip.
    assert len([e for e in root.iter() if e.tag.endswith("path")]) == 6 + 1
