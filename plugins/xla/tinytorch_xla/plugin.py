"""The hooks of tinytorch-xla."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd", "layers")


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    """Describe nothing: this plugin adds no ops."""
