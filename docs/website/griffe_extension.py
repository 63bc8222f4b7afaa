"""The extension of griffe, which reads the docstrings for the reference."""

from __future__ import annotations

from typing import Any

import griffe

from docs.website.docstrings import prepared


class Docstrings(griffe.Extension):  # type: ignore[misc]
    """Fences the examples in docstrings, and splits joint entries."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of an object that was loaded."""
        if obj.docstring is not None and not obj.is_alias:
            starred = {}
            if obj.is_function or obj.is_class:
                starred = {p.name.lstrip("*"): p.name for p in obj.parameters}
            obj.docstring.value = prepared(obj.docstring.value, starred)
