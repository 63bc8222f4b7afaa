"""The ops of the plugins in examples/plugins run on XLA, at orders 1 and 2."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

import tinytorch_xla as xla
from tinytorch_devkit import cases_of
from tinytorch_layers import Linear
from tinytorch_training import Adam

from .agreement import assert_same_on_xla

pytestmark = pytest.mark.peers("jax")

FOLDER = Path(__file__).parents[2] / "examples" / "plugins"
MODULES = {"swish": "tinytorch_swish"}
# Ops whose functions of JAX are less exact in float32 than those of SciPy.
SINGLE = ("special_beta", "special_betaln", "special_gamma", "special_digamma", "special_ndtri")


@pytest.fixture
def active(request, monkeypatch):
    """Turn on a plugin of the folder, whether or not it is installed."""
    name = request.param
    if name in {status.name for status in plugins.status()}:
        yield name
        return
    monkeypatch.syspath_prepend(FOLDER / f"tinytorch-{name}")
    before = set(sys.modules)
    plugins.register(
        importlib.import_module(MODULES.get(name, f"tinytorch_{name}.plugin")), name=name
    )
    yield name
    plugins.unregister(name)
    for module in set(sys.modules) - before:
        if module.startswith(f"tinytorch_{name}"):
            del sys.modules[module]


@pytest.mark.parametrize("active", ["amp", "special", "swish"], indirect=True)
def test_their_ops(active):
    for case in cases_of(active, checks=["takes_any_array"]):
        if case.op.name != "special_odeint":  # see below
            # A program of XLA for each op takes long, so double precision is enough for most.
            assert_same_on_xla(case.op, single=active != "special" or case.op.name in SINGLE)


@pytest.mark.parametrize("active", ["special"], indirect=True)
def test_a_differential_equation_needs_values(active):
    from tinytorch_special.integrate import odeint

    with pytest.raises(xla.TracedValueError, match="no values yet"):
        xla.jit(lambda y: odeint(lambda y, t: -y, y, np.array([0.0, 1.0])))(Tensor(np.ones(1)))


@pytest.mark.parametrize("active", ["named"], indirect=True)
def test_names_of_axes(active):
    def f(x):
        x = x.rename("row", "column")
        return (x * x).sum("row"), np.exp(x).names

    x = Tensor(np.arange(6.0).reshape(2, 3))
    total, names = xla.jit(f)(x)
    np.testing.assert_allclose(np.asarray(total.data), f(x)[0].data)
    assert names == ("row", "column")


@pytest.mark.parametrize("active", ["profiler"], indirect=True)
def test_a_profile_of_a_step(active):
    from tinytorch_profiler import profile

    model = Linear(2, 1, generator=0)
    optimizer = Adam(model.parameters(), lr=0.1)

    @xla.jit
    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    step(Tensor(np.ones((4, 2), np.float32)))
    with profile() as found:
        step(Tensor(np.ones((4, 2), np.float32)))
    assert "linear" in found.table()
