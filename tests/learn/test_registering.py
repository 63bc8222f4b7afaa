"""`plug_in` registers a plugin again, as a notebook does whose cells run more than once."""

from __future__ import annotations

import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins

from tinytorch_learn import plug_in


def plugin(name, value, needs=()):
    """Return a plugin that adds the attribute `name`."""

    class Adding:
        tinytorch_needs = needs

        @hookimpl
        def tinytorch_extend_tensor(self, tensor):
            tensor.add(name, value)

    return Adding()


@pytest.fixture(autouse=True)
def unregister_plugins():
    yield
    for name in ("upper", "middle", "lower"):
        if name in {status.name for status in plugins.status()}:
            plugins.unregister(name)


def test_the_new_plugin_takes_the_place_of_the_earlier_one():
    plug_in("lower", plugin("lowest", 1))
    plug_in("lower", plugin("lowest", 2))
    assert Tensor(0.0).lowest == 2


def test_plugins_that_need_it_stay_on():
    for _ in range(2):
        plug_in("lower", plugin("lowest", 1))
        plug_in("middle", plugin("mid", 1, ("lower",)))
        plug_in("upper", plugin("highest", 1, ("middle",)))
    plug_in("lower", plugin("lowest", 2))
    assert (Tensor(0.0).lowest, Tensor(0.0).mid, Tensor(0.0).highest) == (2, 1, 1)


def test_a_plugin_that_fails_leaves_the_earlier_one_unregistered():
    plug_in("lower", plugin("lowest", 1))
    plug_in("middle", plugin("mid", 1, ("lower",)))
    with pytest.raises(PluginError):
        plug_in("lower", plugin("shape", 1))  # the name belongs to the core
    assert not hasattr(Tensor, "lowest")
    assert not hasattr(Tensor, "mid")


def test_the_name_of_an_installed_plugin_is_refused():
    with pytest.raises(ValueError, match="is installed"):
        plug_in("losses", plugin("lowest", 1))
    assert "losses" in plugins.active()
