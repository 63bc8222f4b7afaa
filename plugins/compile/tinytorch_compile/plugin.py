"""The hooks of tinytorch-compile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl

if TYPE_CHECKING:
    from tinytorch_devkit import Checks, Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    """Describe nothing: this plugin adds no ops."""


@hookimpl
def tinytorch_register_checks(checks: Checks) -> None:
    from tinytorch_compile.conformance import add_to  # only checks of plugins need it

    add_to(checks)
