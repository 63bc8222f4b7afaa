"""Data for error messages: what well-known plugins add to Tensor, and PyTorch's other names."""

from __future__ import annotations

import functools
import os


@functools.cache
def well_known(kind: str) -> dict[str, str]:
    """Return the plugin that adds each of the well-known `attributes` or `keywords` of Tensor."""
    rows = map(str.split, _lines("hints.txt"))
    return {name: plugin for row_kind, plugin, *names in rows if row_kind == kind for name in names}


def is_first_party(plugin: str, distribution: str) -> bool:
    """Return whether a plugin of a distribution is part of TinyTorch itself."""
    return plugin in well_known("plugins") and distribution == f"tinytorch-{plugin}"


@functools.cache
def torch_names() -> dict[str, str]:
    """Return what to write in place of the methods that only PyTorch's tensors have."""
    return dict(line.split(maxsplit=1) for line in _lines("torch_names.txt"))


def _lines(name: str) -> list[str]:
    try:
        with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
            return file.read().splitlines()
    except (NameError, OSError):  # in a zip file or a frozen program
        from importlib.resources import files  # here, because importing it takes 10 ms
    try:
        return files(__package__).joinpath(name).read_text("utf-8").splitlines()
    except OSError:  # a frozen program may leave the file out
        return []


def well_known_provider(name: str) -> str | None:
    """Return the distribution of the well-known plugin that adds `name` to Tensor, or None.

    >>> well_known_provider("relu")
    'tinytorch-activations'
    """
    plugin = {**well_known("keywords"), **well_known("attributes")}.get(name)
    return plugin and f"tinytorch-{plugin}"
