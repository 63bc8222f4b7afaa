"""What tests share: a check that a test leaves Tensor as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tinytorch_core import Tensor, plugins

from .toggling import surface

# Programs that tests run, which the search for doctests would import.
collect_ignore = ["scipy_functions.py", "typed"]


@pytest.fixture
def unchanged_tensor() -> Iterator[None]:
    """Check that the test leaves Tensor unchanged."""
    identity, before, active = id(Tensor), surface(), plugins.active()
    yield
    assert id(Tensor) == identity
    assert plugins.active() == active
    assert surface() == before
