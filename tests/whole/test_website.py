"""What the documentation site is made of: the reference, the directory, the gallery, its links."""

from __future__ import annotations

import importlib
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from tinytorch_core import Tensor

from docs.website import diagrams, directory, gallery, links, reference, tensor_page
from docs.website.docstrings import prepared, to_markdown
from docs.website.repository import ROOT, distributions, relink

MODULES = {module.path: module for module in reference.modules()}
OWN = {distribution.name: distribution for distribution in distributions()}


@pytest.mark.parametrize(
    "package", [d.package for d in OWN.values() if d.reference and not d.is_example]
)
def test_the_reference_has_every_public_name(package: str) -> None:
    names = {name.name for name in MODULES[package].names}
    assert names == set(importlib.import_module(package).__all__)
    page = reference.markdown(MODULES[package])
    for name in names:
        assert f"::: {package}.{name}\n" in page or f"### {name}" in page


def test_the_reference_has_the_names_of_public_modules() -> None:
    assert set(MODULES) > {"tinytorch_core.extend", "tinytorch_layers.init", "tinytorch_special"}
    for path in ("tinytorch_core.plugins", "tinytorch_core.extend", "tinytorch_autograd.func"):
        names = {name.name for name in MODULES[path].names}
        assert names == set(importlib.import_module(path).__all__)


def test_the_page_on_tensor_has_what_plugins_add() -> None:
    page = tensor_page.markdown()
    assert "\n## Added by tinytorch-autograd\n" in page
    assert "x.backward(gradient=None, retain_graph=False)" in page
    assert "`requires_grad=False`" in page
    for name in ("backward", "grad", "relu", "reshape", "sum", "shape"):
        assert hasattr(Tensor([1.0]), name)
        assert f"### {name} {{ #tinytorch_core.Tensor.{name} }}" in page


def test_the_directory_has_every_plugin_of_the_repository() -> None:
    listed = {entry.distribution: entry.name for entry in directory.entries()}
    for distribution in OWN.values():
        for name in distribution.entry_points.get("tinytorch", ()):
            assert listed[distribution.name] == name


@pytest.mark.parametrize("entry", directory.entries(), ids=lambda entry: entry.name)
def test_an_entry_of_the_directory_is_true(entry: directory.Entry) -> None:
    if entry.distribution not in OWN:
        assert entry.url.startswith("https://")
        return
    distribution = OWN[entry.distribution]
    folder = distribution.folder.relative_to(ROOT).as_posix()
    name, _, extra = entry.install.removeprefix("pip install ").strip('"').partition("[")
    assert name == (folder if distribution.is_example else entry.distribution)
    if extra:
        assert f"\n{extra.rstrip(']')} = [" in (distribution.folder / "pyproject.toml").read_text()
    code = "".join(file.read_text("utf-8") for file in distribution.folder.rglob("*.py"))
    named = set(re.findall(r"`(\w+)", " ".join(entry.adds))) - {"Tensor"}
    assert [name for name in named if name not in code] == []
    assert f"### {entry.name}\n" in directory.markdown()


def test_an_entry_with_a_misspelt_key_is_an_error() -> None:
    with pytest.raises(TypeError, match="adss"):
        directory.Entry(name="a", distribution="b", install="c", summary="d", adss=[])


def test_the_gallery_has_every_example() -> None:
    assert {e.name for e in gallery.EXAMPLES} == {f.stem for f in ROOT.glob("examples/*.py")}
    assert all(f"[{example.title}]" in gallery.index() for example in gallery.EXAMPLES)


def test_the_page_of_an_example_has_its_picture_and_its_program() -> None:
    example = next(e for e in gallery.EXAMPLES if e.name == "newton")
    page = gallery.page(example, gallery.Run("python newton.py --steps 3", "done\n", b""))
    assert "](newton.png)" in page
    assert "$ python newton.py --steps 3\ndone\n```" in page
    assert gallery.source(example) in page
    assert "    python examples/newton.py" not in page.partition("## The program")[0]


def test_links_to_files_outside_docs_lead_to_their_pages() -> None:
    text = "[a](../examples/gpt.py), [b](../plugins/autograd), [c](layers.md#state), [d](#e)"
    found = relink(text, "docs/training.md", "training.md")
    assert found == (
        "[a](gallery/gpt.md), [b](packages/tinytorch-autograd.md), [c](layers.md#state), [d](#e)"
    )
    readme = relink("[a](../../docs/xla.md)", "plugins/xla/README.md", "packages/x.md")
    assert readme == "[a](../xla.md)"


def test_a_page_shows_the_graph_of_its_program_as_a_picture() -> None:
    text = (ROOT / "docs" / "graph-pictures.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec("".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)), names)
    assert f"```mermaid\n{names['picture'].mermaid}```" in text
    page = diagrams.with_pictures(text)
    assert "flowchart" not in page
    (svg,) = re.findall(r"^<div class=\"diagram\">(<svg.*</svg>)</div>$", page, re.MULTILINE)
    elements = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    boxes = [element.text for element in elements]
    assert boxes[:4] == ["W1", "784 × 128", "x", "64 × 784"]
    assert boxes[-2:] == ["result", "scalar"]


def test_a_flowchart_with_an_unknown_line_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"cannot draw the line 'subgraph a'"):
        diagrams.svg("flowchart LR\n    subgraph a\n")


def test_a_docstring_is_prepared_for_griffe() -> None:
    text = (
        "Add.\n\nArgs:\n    x, y: two\n        arrays.\n    args: more.\n\n"
        ">>> add(1)\n[1\n 2]\n\nEnd."
    )
    assert prepared(text, {"args": "*args"}) == (
        "Add.\n\nArgs:\n    x: two\n        arrays.\n    y: two\n        arrays.\n"
        "    *args: more.\n\n```pycon\n>>> add(1)\n[1\n 2]\n```\n\nEnd."
    )
    assert "**Parameters:**\n\n- `x, y`: two\narrays.\n- `args`: more.\n" in to_markdown(text)


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ('<a href="../b/#there">', None),
        ('<a href="../b/">', None),
        ('<a href="#here">', None),
        ('<a href="../b/#nowhere">', "links to"),
        ('<a href="../c/">', "links to"),
        ('<img src="c.png">', "links to"),
        ('<script src="https://example.org/a.js">', "loads"),
        ('<a href="https://example.org">', None),
    ],
)
def test_broken_links_of_the_site_are_found(tmp_path, link: str, problem: str | None) -> None:
    for name, text in (("a", f'<p id="here">{link}'), ("b", '<p id="there">')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(text)
    broken = links.check(tmp_path).broken
    assert not broken if problem is None else problem in broken[0]


def test_links_to_other_sites_are_listed(tmp_path) -> None:
    (tmp_path / "index.html").write_text('<a href="https://example.org">')
    assert list(links.main(str(tmp_path))) == ["https://example.org"]
