"""Checks that the tests of several modules use."""

from __future__ import annotations

from typing import Any

import numpy as np


def close(value: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Check a tensor or an array: its values, and that they are float32."""
    array = getattr(value, "data", value) if not isinstance(value, np.ndarray) else value
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance)
