"""Errors of modules and parameters that are not about state or hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinytorch_modules import Module, Parameter, Sequential


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Sequential().append(3), TypeError, "layer 0 of Sequential must be a module"),
        (lambda: Sequential().append(Module), TypeError, "not the class Module; create"),
        (
            lambda: Module().register_forward_pre_hook(3),
            TypeError,
            "a hook of Module must be a function",
        ),
        (lambda: Parameter([[1.0], [1.0, 2.0]]), ValueError, "cannot become a Tensor"),
    ],
)
def test_invalid_arguments_raise(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
