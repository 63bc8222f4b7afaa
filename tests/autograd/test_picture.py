"""show_graph shows operations, shapes and names from left to right, and what it left out."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import GraphFreedError, UntrackedError, checkpoint, show_graph

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def parameter(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


@pytest.fixture
def network():
    """Two layers, their parameters by name, and the loss."""
    p = {"W1": parameter(3, 4), "b1": parameter(4), "W2": parameter(4, 2), "b2": parameter(2)}
    x = Tensor(np.ones((5, 3)))
    hidden = np.tanh(x @ p["W1"] + p["b1"])
    loss = (hidden @ p["W2"] + p["b2"]).mean()
    return SimpleNamespace(names=p, x=x, hidden=hidden, loss=loss)


def boxes(picture):
    """Return the text of each box of the Mermaid text, and the arrows between their titles."""
    named = dict(re.findall(r'(n\d+)[\[(]+"<b>(.*?)(?:</b><br/>|</b>)', picture.mermaid))
    details = re.findall(r'"<b>(.*?)</b>(?:<br/>(.*?))?"', picture.mermaid)
    arrows = [(named[a], named[b]) for a, b in re.findall(r"(n\d+) --> (n\d+)", picture.mermaid)]
    return [" ".join(filter(None, words)) for words in details], arrows


def test_two_layers(network):
    words, arrows = boxes(show_graph(network.loss, [network.names, {"x": network.x}]))
    tensors = ["x 5 × 3", "W1 3 × 4", "b1 4", "W2 4 × 2", "b2 2"]
    first, second = ["matmul 5 × 4", "add 5 × 4", "tanh 5 × 4"], ["matmul 5 × 2", "add 5 × 2"]
    assert sorted(words) == sorted([*tensors, *first, *second, "mean scalar", "result scalar"])
    expected = [
        "x matmul",
        "W1 matmul",
        "matmul add",
        "b1 add",
        "add tanh",
        "tanh matmul",
        "W2 matmul",
    ]
    expected += ["matmul add", "b2 add", "add mean", "mean result"]
    assert sorted(arrows) == sorted(tuple(pair.split()) for pair in expected)


def test_boxes_are_in_forward_order_and_drawn_left_to_right(network):
    picture = show_graph(network.loss)
    words, _ = boxes(picture)
    steps = [w.split()[0] for w in words if not w.startswith(("tensor", "constant"))]
    assert steps == ["matmul", "add", "tanh", "matmul", "add", "mean", "result"]
    assert picture.mermaid.startswith("flowchart LR")
    assert "rankdir=LR" in picture.dot


def test_names_come_from_attributes_containers_and_intermediate_tensors(network):
    module = SimpleNamespace(
        layers=[SimpleNamespace(weight=network.names["W1"], bias=network.names["b1"])],
        _parameters={"last": network.names["W2"]},
    )
    module.itself = module
    words, _ = boxes(show_graph(network.loss, [module, {"hidden": network.hidden}]))
    assert {"layers.0.weight 3 × 4", "layers.0.bias 4", "last 4 × 2", "tensor 2"} <= set(words)
    assert "tanh hidden: 5 × 4" in words
    words, _ = boxes(show_graph(network.loss, {"the loss": network.loss}))
    assert words[-2:] == ["mean scalar", "the loss scalar"]


def test_a_tensor_used_twice_has_one_box():
    w = parameter(2)
    _, arrows = boxes(show_graph((w * w + w).sum(), {"w": w}))
    assert arrows == [("w", "mul"), ("mul", "add"), ("w", "add"), ("add", "sum"), ("sum", "result")]


def test_constants_are_shown_if_the_rule_saved_them():
    w = parameter(2)
    words, _ = boxes(show_graph(w * np.array([1.0, 2.0]) * 3 / 2.5))
    assert "constant 2" in words
    assert {"mul 3 2", "div 2.5 2"} <= set(words)


def test_several_outputs_checkpoints_and_ops_without_a_rule():
    w = parameter(3, 3)
    y = checkpoint(lambda w: (w @ w, w + 1), w)
    total = y[0].sum() + y[1].sum() + np.setdiff1d(w, [0]).sum()
    words, arrows = boxes(show_graph(total, {"w": w}))
    assert sum("setdiff1d" in w for w in words) == 1
    assert sum(w.startswith("checkpoint") for w in words) == 1
    assert sum(a.startswith("checkpoint") for a, _ in arrows) == 2


def test_special_characters_are_escaped():
    w = parameter(2)
    picture = show_graph(w * 2, {'a<b> "c" & d': w})
    assert "a&lt;b&gt; #quot;c#quot; &amp; d" in picture.mermaid
    assert "a&lt;b&gt; &quot;c&quot; &amp; d" in picture.dot


def deep(layers):
    h, names = parameter(1, 2), {}
    for i in range(layers):
        names[f"w{i}"] = w = parameter(2, 2)
        h = np.tanh(h @ w)
    return h, names


def test_a_large_graph_is_truncated_and_shows_how_much():
    y, names = deep(100)
    picture = show_graph(y, names)
    words, arrows = boxes(picture)
    own = [w for w in words if not w.isdigit()]
    assert 55 <= len(own) <= 60
    operations = sum(w.startswith(("matmul", "tanh")) for w in own)
    assert f"… {200 - operations} earlier operations not shown" in own
    assert f"{200 - operations} earlier ones left out" in repr(picture)
    assert arrows[0] == (f"… {200 - operations} earlier operations", "tanh")
    assert "w99 2 × 2" in words
    assert len(boxes(show_graph(y, limit=10))[0]) <= 10
    assert "not shown" not in show_graph(y, limit=1000).mermaid


def test_a_long_graph_is_split_into_rows_connected_by_marks():
    y, names = deep(15)
    picture = show_graph(y, names)
    words, arrows = boxes(picture)
    rows = picture.mermaid.count("subgraph")
    assert rows == 3
    assert picture.dot.count("style=invis") == 1
    for mark in map(str, range(1, rows)):
        assert words.count(mark) == 2  # at the end of one row and the start of the next
        assert mark in [a for a, _ in arrows]
        assert mark in [b for _, b in arrows]
    assert "subgraph" not in show_graph(deep(5)[0]).mermaid


def test_a_graph_in_rows_has_all_its_arrows():
    x = parameter(2)
    first = h = np.sin(x)
    for _ in range(20):
        h = np.tanh(h)
    picture = show_graph(h * first * x, {"x": x})
    assert picture.mermaid.index("mul") > picture.mermaid.rindex("subgraph")
    _, arrows = boxes(picture)
    assert ("x", "sin") in arrows
    into = [a for a, b in arrows if b == "mul"]
    assert len(into) == 4


def test_the_graph_is_not_changed(network):
    seen = []
    network.hidden.register_hook(lambda g: seen.append("called"))
    network.hidden.retain_grad()
    show_graph(network.loss)
    assert seen == []
    assert network.hidden.grad is None
    network.loss.backward()
    assert seen == ["called"]
    assert network.names["b2"].grad is not None
    with pytest.raises(GraphFreedError):
        show_graph(network.loss)


def test_an_untracked_tensor_is_an_error():
    with pytest.raises(UntrackedError, match=r"show_graph\(\)"):
        show_graph(Tensor([1.0]))


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [("all", TypeError, "an integer, not 'all'"), (0, ValueError, "1 or more, not 0")],
)
def test_an_invalid_limit_is_an_error(network, limit, error, message):
    with pytest.raises(error, match=f"limit of show_graph must be {message}"):
        show_graph(network.loss, limit=limit)


def test_without_graphviz_a_notebook_shows_markdown(network, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    picture = show_graph(network.loss)
    bundle = picture._repr_mimebundle_()
    assert bundle["text/markdown"].startswith("```mermaid\nflowchart LR")
    assert "image/svg+xml" not in bundle
    assert picture._repr_mimebundle_(include=["text/plain"]) == {"text/plain": repr(picture)}
    assert "6 operations, 4 parameters" in repr(picture)
    picture.save(tmp_path / "net.mmd")
    picture.save(tmp_path / "net.dot")
    assert (tmp_path / "net.mmd").read_text("utf-8") == picture.mermaid
    assert (tmp_path / "net.dot").read_text("utf-8").startswith("digraph")
    with pytest.raises(RuntimeError, match="Graphviz"):
        picture.save(tmp_path / "net.svg")


@needs_dot
def test_graphviz_draws_it(network, tmp_path):
    picture = show_graph(network.loss, network.names)
    assert "</svg>" in picture._repr_mimebundle_()["image/svg+xml"]
    picture.save(tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RuntimeError, match="nonsense"):
        picture.save(tmp_path / "net.nonsense")


@needs_dot
def test_graphviz_lays_it_out_from_left_to_right_in_rows():
    import json

    from tinytorch_autograd.pictures.picture import draw

    y, names = deep(15)
    objects = json.loads(draw(show_graph(y, names).dot, "json"))["objects"]
    positions = {o["_gvid"]: tuple(map(float, o["pos"].split(","))) for o in objects if "pos" in o}
    edges = json.loads(draw(show_graph(y, names).dot, "json"))["edges"]
    visible = [e for e in edges if e.get("style") != "invis"]
    assert all(positions[e["tail"]][0] < positions[e["head"]][0] for e in visible)
    assert len({round(y / 20) for _, y in positions.values()}) >= 3


def test_a_file_without_suffix_is_refused(tmp_path):
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"has no suffix; use \.svg or \.png"):
        show_graph(x * 2).save(tmp_path / "net")
    assert not list(tmp_path.iterdir())
