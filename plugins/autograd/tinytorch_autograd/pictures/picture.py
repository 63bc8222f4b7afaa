"""show_graph: a picture of what a tensor was computed from, for slides and notebooks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_autograd.pictures import text
from tinytorch_autograd.pictures.boxes import Parts, parts_of
from tinytorch_autograd.pictures.rows import rows_of, spine


def show_graph(y: Any, names: Any = None, *, limit: int = 60) -> GraphPicture:
    """A picture of the graph behind a tensor, forward from left to right.

    It shows each operation with the shape of its result, the tensors that require grad, and other
    tensors that have names. A long graph goes on in further rows, from numbered marks. Shapes are
    found by walking the graph back once; it is kept.

    Args:
        y: a tracked tensor.
        names: what to call tensors: a dict from names to tensors, a module or any object with
            tensors for attributes, at any depth, or a list of several such.
        limit: how many boxes there are at most. Of a larger graph the latest operations are shown,
            and a box says how many were left out.

    Returns:
        A picture, which displays itself in a notebook.

    Raises:
        UntrackedError: the tensor does not require grad.
        GraphFreedError: a backward pass has freed the graph.
        TypeError, ValueError: `limit` is no integer, or less than 1.

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
    return GraphPicture(parts_of(y, names, limit))


class GraphPicture:
    """A picture of a graph.

    Attributes:
        mermaid: its text for Mermaid, which GitHub and notebooks draw in Markdown.
        dot: its text for Graphviz.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        straight = spine(parts)
        rows = rows_of(parts)
        self.mermaid = text.mermaid(parts, rows)
        self.dot = text.dot(parts, rows, straight)

    def save(self, file: str | Path) -> None:
        """Writes the picture to a file, in the format that its name ends in.

        Args:
            file: `*.mmd` or `*.dot` for the text; `*.svg`, `*.png`, `*.pdf` and whatever else the
                program `dot` of Graphviz can write.

        Raises:
            ValueError: the name has no ending.
            RuntimeError: `dot` is needed and not installed, or cannot write the format.
        """
        path = Path(file)
        if not path.suffix:
            raise ValueError(
                f"the name of the file {str(file)!r} has no ending; write .svg or .png"
            )
        if path.suffix in (".mmd", ".dot"):
            text = self.mermaid if path.suffix == ".mmd" else self.dot
            path.write_text(text, encoding="utf-8")
        else:
            path.write_bytes(_drawn(self.dot, path.suffix.removeprefix(".")))

    def __repr__(self) -> str:
        counts = [
            f"{count} {noun}{'' if count == 1 else 's'}"
            for noun in ("operation", "parameter", "input", "constant")
            if (count := sum(box.kind == noun for box in self._parts.boxes))
        ]
        rest = f"; {self._parts.left_out} earlier ones left out" if self._parts.left_out else ""
        return f"<GraphPicture of {', '.join(counts)}{rest}: .mermaid, .dot, .save(file)>"

    def _repr_svg_(self) -> str | None:
        try:
            return _drawn(self.dot, "svg").decode("utf-8")
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


def _drawn(dot: str, suffix: str) -> bytes:
    """What Graphviz makes of a graph."""
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "drawing this needs Graphviz, whose program `dot` was not found; install it "
            "(apt install graphviz, brew install graphviz), or use the text: .mermaid, .dot"
        )
    options = ["-Gdpi=200"] if suffix == "png" else []
    done = subprocess.run(
        [program, f"-T{suffix}", *options], input=dot.encode("utf-8"), capture_output=True
    )
    if done.returncode:
        raise RuntimeError(f"Graphviz cannot write {suffix!r}: {done.stderr.decode().strip()}")
    return done.stdout
