"""The page of the reference on `Tensor`: its attributes, by the plugins that add them."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tinytorch_core import Tensor, plugins

from docs.website.docstrings import to_markdown

PAGE = "reference/tinytorch_core.Tensor.md"

INTRODUCTION = """\
# Tensor

The class `tinytorch_core.Tensor`, with the attributes that the core and the plugins of TinyTorch
add. Every other public function of an ndarray is available as a NumPy function: `np.sin(x)`.
The operators `+`, `-`, `*`, `/`, `//`, `%`, `**`, `@`, `&`, `|`, `^`, `~` and the comparisons work
as on arrays, and so do `x[index]`, `len(x)` and `abs(x)`.

## Tensor(data, dtype=None) {{ #tinytorch_core.Tensor }}

{doc}

Plugins add keywords: {keywords}.
"""


def attributes() -> dict[str, dict[str, Any]]:
    """Return the public attributes of tensors by the title of their provider, and by name."""
    surface = plugins.surface()
    plain = next(cls for cls in Tensor.__mro__ if cls.__name__ == "TensorBase")
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in vars(plain).items():
        if not name.startswith("_") and name not in surface.providers:
            found["the plain Tensor"][name] = value
    for name, provider in surface.providers.items():
        if not name.startswith("_"):
            found[provider][name] = surface.namespace[name]
    return found


def markdown() -> str:
    """Return the page."""
    surface = plugins.surface()
    keywords = [f"`{name}={word.default!r}`" for name, word in surface.keywords.items()]
    parts = [INTRODUCTION.format(doc=_doc(Tensor), keywords=", ".join(keywords))]
    for provider, found in attributes().items():
        plugin = re.fullmatch(r"plugin '(\w+)' \((\S+) .*\)", provider)
        parts.append(f"## Added by {plugin[2]}" if plugin else "## The plain Tensor")
        parts += [_entry(name, found[name]) for name in sorted(found, key=str.lower)]
    return "\n\n".join(parts) + "\n"


def names() -> Iterator[str]:
    """Yield the full name of each attribute."""
    for found in attributes().values():
        yield from (f"tinytorch_core.Tensor.{name}" for name in found)


def _entry(name: str, value: Any) -> str:
    call = f"x.{name}" + (_parameters(value) if callable(value) else "")
    heading = f"### {name} {{ #tinytorch_core.Tensor.{name} }}"
    return f"{heading}\n\n```python\n{call}\n```\n\n{_doc(value)}"


def _parameters(method: Any) -> str:
    signature = inspect.signature(method)
    kept = [p.replace(annotation=p.empty) for p in list(signature.parameters.values())[1:]]
    return str(signature.replace(parameters=kept, return_annotation=signature.empty))


def _doc(value: Any) -> str:
    return to_markdown(inspect.getdoc(value) or "")
