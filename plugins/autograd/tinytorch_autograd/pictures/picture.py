"""show_graph: a picture of the graph behind a tensor, for slides and notebooks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_autograd.pictures import text as formats
from tinytorch_autograd.pictures.boxes import Diagram, diagram_of
from tinytorch_autograd.pictures.rows import longest_path, split_into_rows


def show_graph(y: Any, names: Any = None, *, limit: int = 60) -> GraphPicture:
    """Return a picture of the graph behind a tensor, drawn forward from left to right.

    It shows each operation with the shape of its result, the tensors that require grad, and other
    tensors that have names. A long graph is broken into rows, connected by numbered marks. To find
    the shapes, the function runs one backward pass, which keeps the graph and all gradients.

    Args:
        y: a tracked tensor.
        names: names of tensors: a dict from names to tensors, a module or another object with
            tensors as attributes, at any depth, or a list of several of these.
        limit: the largest number of boxes. Of a larger graph, the latest operations are shown, and
            a box shows the number of the others.

    Returns:
        A picture, which displays itself in a notebook.

    Raises:
        UntrackedError: the tensor does not require grad.
        GraphFreedError: a backward pass has freed the graph.
        TypeError, ValueError: `limit` is not an integer, or is less than 1.

    >>> from tinytorch_core import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> print(show_graph((w * 3).sum(), {"weights": w}).mermaid)
    flowchart LR
        n0["<b>weights</b><br/>2"]:::parameter
        n1("<b>mul 3</b><br/>2"):::operation
        n2("<b>sum</b><br/>scalar"):::operation
        n3(["<b>result</b><br/>scalar"]):::result
        n0 --> n1
        n1 --> n2
        n2 --> n3
        ...
    """
    if not isinstance(limit, int | np.integer):
        raise TypeError(f"limit of show_graph must be an integer, not {limit!r}")
    if limit < 1:
        raise ValueError(f"limit of show_graph must be 1 or more, not {limit}")
    return GraphPicture(diagram_of(y, names, limit))


class GraphPicture:
    """A picture of a graph.

    Attributes:
        mermaid: the text for Mermaid, which GitHub and notebooks render in Markdown.
        dot: the text for Graphviz.
    """

    def __init__(self, diagram: Diagram) -> None:
        self._diagram = diagram
        straight = longest_path(diagram)
        rows = split_into_rows(diagram)
        self.mermaid = formats.mermaid(diagram, rows)
        self.dot = formats.dot(diagram, rows, straight)

    def save(self, file: str | Path) -> None:
        """Write the picture to a file, in the format of its suffix.

        Args:
            file: `*.mmd` or `*.dot` for the text; `*.svg`, `*.png`, `*.pdf` or another format that
                the program `dot` of Graphviz can write.

        Raises:
            ValueError: the name has no suffix.
            RuntimeError: `dot` is needed and not installed, or cannot write the format.
        """
        path = Path(file)
        if not path.suffix:
            raise ValueError(f"the name of the file {str(file)!r} has no suffix; use .svg or .png")
        if path.suffix in (".mmd", ".dot"):
            text = self.mermaid if path.suffix == ".mmd" else self.dot
            path.write_text(text, encoding="utf-8")
        else:
            path.write_bytes(draw(self.dot, path.suffix.removeprefix(".")))

    def __repr__(self) -> str:
        counts = [
            f"{count} {noun}{'' if count == 1 else 's'}"
            for noun in ("operation", "parameter", "input", "constant")
            if (count := sum(box.kind == noun for box in self._diagram.boxes))
        ]
        rest = f"; {self._diagram.left_out} earlier ones left out" if self._diagram.left_out else ""
        return f"<GraphPicture of {', '.join(counts)}{rest}: .mermaid, .dot, .save(file)>"

    def _repr_svg_(self) -> str | None:
        try:
            return draw(self.dot, "svg").decode("utf-8")
        except RuntimeError:
            return None

    def _repr_markdown_(self) -> str:
        return f"```mermaid\n{self.mermaid}```"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        svg = self._repr_svg_()
        bundle = {"text/plain": repr(self)}
        if svg is None:
            bundle["text/markdown"] = self._repr_markdown_()
        else:
            bundle["image/svg+xml"] = svg
        wanted = set(bundle if include is None else include) - set(exclude or ())
        return {kind: text for kind, text in bundle.items() if kind in wanted}


def draw(dot: str, suffix: str) -> bytes:
    """Return a Graphviz graph rendered in a format."""
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "the program `dot` of Graphviz, which draws the picture, was not found; install it "
            "(apt install graphviz, brew install graphviz), or use the text: .mermaid, .dot"
        )
    options = ["-Gdpi=200"] if suffix == "png" else []
    process = subprocess.run(
        [program, f"-T{suffix}", *options], input=dot.encode("utf-8"), capture_output=True
    )
    if process.returncode:
        raise RuntimeError(f"Graphviz cannot write {suffix!r}: {process.stderr.decode().strip()}")
    return process.stdout
