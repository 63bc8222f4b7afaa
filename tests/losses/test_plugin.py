"""The losses as a plugin: disabled, enabled, and without autograd."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

import tinytorch_losses as losses

from .cases import every_case

OPS = [
    "mse_loss",
    "l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "nll_loss",
    "cross_entropy",
    "kl_div",
]


def surface():
    return {name: inspect.getattr_static(Tensor, name) for name in dir(Tensor)}


def test_disabling_and_enabling_restores_the_surface():
    with plugins.disable("losses"):
        without = surface()
        assert not set(OPS) & set(Tensor._calls)
    with_losses = surface()
    assert set(OPS) <= set(Tensor._calls)
    with plugins.disable("losses"):
        assert surface() == without
    assert surface() == with_losses


def test_the_ops_are_not_methods_of_tensor():
    assert not [name for name in OPS if hasattr(Tensor, name)]


@pytest.mark.parametrize("name", OPS)
def test_when_disabled_losses_work_on_arrays_and_raise_for_tensors(name):
    x = np.full((2, 3), 0.5)
    target = [0, 2] if name in ("nll_loss", "cross_entropy") else x
    loss = getattr(losses, name)
    with plugins.disable("losses"):
        with pytest.raises(AttributeError, match=f"no active plugin provides the op '{name}'"):
            loss(Tensor(x), target)
        assert np.isfinite(loss(x, target))
        assert losses.log_softmax(Tensor(x)).shape == (2, 3)


@every_case
def test_values_do_not_depend_on_autograd(case):
    x, y = case.arrays()
    with plugins.only("losses"):
        loss = case.function(Tensor(x), Tensor(y), **case.options)
        assert not hasattr(loss, "grad_fn")
    np.testing.assert_array_equal(loss.data, case.function(x, y, **case.options))


def test_autograd_can_be_disabled_between_losses():
    pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    with plugins.disable("autograd"):
        untracked = losses.cross_entropy(x, [0, 1])
    tracked = losses.cross_entropy(x, [0, 1])
    assert untracked.grad_fn is None
    assert untracked.item() == tracked.item()
    tracked.backward()
    assert x.grad.shape == (2, 3)


PROGRAM = """
import sys
import tinytorch_losses
from tinytorch_core import Tensor, plugins
loss = tinytorch_losses.CrossEntropyLoss()(Tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]]), [0, 2])
print(round(loss.item(), 4), sorted(p.name for p in plugins.status() if p.on))
print([m for m in sys.modules if m.startswith(("tinytorch_autograd", "tinytorch_activations"))])
"""


def test_autograd_and_activations_are_not_imported():
    environment = os.environ | {"TINYTORCH_PLUGINS": "losses"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["0.2056 ['losses']", "[]"]


def test_importing_the_losses_first_does_not_import_a_disabled_autograd():
    environment = os.environ | {"TINYTORCH_PLUGINS": "no:autograd"}
    program = "import sys, tinytorch_losses; sys.exit('tinytorch_autograd' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", program], env=environment, check=True)
