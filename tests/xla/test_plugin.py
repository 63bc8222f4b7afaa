"""tinytorch-xla as a plugin: it toggles like any other, and needs JAX only when it is used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

WITHOUT_JAX = """
import sys
sys.modules["jax"] = None
from tinytorch_core import Tensor
import tinytorch_xla
assert Tensor([1.0]).device == "cpu"
from tinytorch_layers import Dropout
Dropout(0.5)(Tensor([1.0]))
try:
    tinytorch_xla.jit
except ModuleNotFoundError as error:
    print(error)
"""


def test_without_jax_the_error_names_the_extra():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JAX], capture_output=True, text=True, check=True
    )
    assert 'pip install "tinytorch-xla[jax]"' in done.stdout


def test_the_plugin_does_not_import_jax():
    program = "import sys, tinytorch_core; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_disabled_plugin_leaves_nothing_behind():
    def draw():
        return plugins.surface().ops["random_draw"].forward

    of_xla = draw()
    with plugins.disable("xla"):
        assert draw() is not of_xla
    assert draw() is of_xla


@pytest.mark.peers("jax")
def test_tensors_of_a_device_stay_usable_without_the_plugin():
    import tinytorch_xla as xla

    x = xla.device_put(Tensor([1.0, 2.0]))
    with plugins.disable("xla"):
        np.testing.assert_array_equal((x * 2).numpy(), [2.0, 4.0])


@pytest.mark.peers("jax")
def test_a_step_is_compiled_again_when_plugins_change():
    import tinytorch_xla as xla

    step = xla.jit(lambda x: x * 2)
    step(Tensor([1.0]))
    with plugins.disable("activations"):
        step(Tensor([1.0]))
    assert repr(step) == "<jit <lambda>: 2 programs>"
