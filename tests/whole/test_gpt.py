"""A GPT with PyTorch's weights follows PyTorch's for 30 steps of AdamW with clipping."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from . import gpt

TOLERANCES = {"float64": 1e-10, "float32": 1e-6}
every_dtype = pytest.mark.parametrize("dtype", gpt.DTYPES)


@every_dtype
def test_losses_equal_the_stored_ones_of_pytorch(dtype: str) -> None:
    found, expected = gpt.losses(dtype), json.loads(gpt.FILE.read_text("utf-8"))[dtype]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCES[dtype])
    assert found[-1] < found[0] - 0.5


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@every_dtype
def test_losses_equal_those_of_pytorch(dtype: str, torch: Any) -> None:
    expected = gpt.losses_of_pytorch(torch, dtype)
    np.testing.assert_allclose(gpt.losses(dtype), expected, rtol=0, atol=TOLERANCES[dtype])
