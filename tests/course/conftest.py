"""Tests run while the course is installed, and with the same random numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import tinytorch_course

# Programs of the course, which the tests run.
collect_ignore = ["programs"]


@pytest.fixture
def course() -> Iterator[None]:
    state = np.random.get_state()
    np.random.seed(7)
    with tinytorch_course.install():
        yield
    np.random.set_state(state)
