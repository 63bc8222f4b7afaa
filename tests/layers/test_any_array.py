"""Every layer, forward and backward, works on the arrays of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import Module

from .cases import CASES, Case, find, mixed


def with_strict_arrays(layer: Module) -> Module:
    """Return the layer with strict arrays as parameters and buffers."""
    for parameter in layer.parameters():
        parameter.data = StrictArray(parameter.data)
    for name, buffer in list(layer.named_buffers()):
        owner, last = find(layer, name)
        setattr(owner, last, StrictArray(buffer))
    return layer


def compute(case: Case, layer: Module, kind: Any, steps: int = 2) -> dict[str, Any]:
    """Return the output, the gradients and the buffers after some training steps."""
    for _ in range(steps):
        x = Tensor(kind(case.x()), requires_grad=case.floating)
        out = layer(x)
        out.backward(kind(mixed(out.shape, 0.5, 1.5)))
    found = {"output": out.data, "input": x.grad if case.floating else None}
    found |= {f"the gradient of {name}": p.grad for name, p in layer.named_parameters()}
    return {name: a for name, a in (found | dict(layer.named_buffers())).items() if a is not None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_layers_agree_with_ndarrays(case: Case) -> None:
    expected = compute(case, case.layer(), np.asarray)
    found = compute(case, with_strict_arrays(case.layer()), StrictArray)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert type(found[name]) is StrictArray, name
        assert found[name].dtype == array.dtype, name
        np.testing.assert_allclose(
            values_of(found[name]), array, rtol=1e-12, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("case", [c for c in CASES if c.floating], ids=lambda case: case.id)
def test_only_the_input_may_belong_to_another_library(case: Case) -> None:
    expected = case.layer()(Tensor(case.x()))
    found = case.layer()(Tensor(StrictArray(case.x())))
    np.testing.assert_allclose(values_of(found.data), expected.data, rtol=1e-12, atol=1e-12)
