"""The error of a missing attribute names the plugin that provides it, and why it is not active."""

from __future__ import annotations

import pickle
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins
from tinytorch_core.hints import torch_names

ASK = """
from tinytorch_core import Tensor
for ask in (lambda: Tensor([1.0]).backward(), lambda: Tensor([1.0], requires_grad=True)):
    try:
        ask()
    except (AttributeError, TypeError) as error:
        print(error)
"""


class Wraps:
    """A plugin that wraps every op; Python 3.11 then explains attributes in another way."""

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any) -> Any:
        return lambda *args, **kwargs: call(*args, **kwargs)


@pytest.fixture(params=["plain ops", "wrapped ops"])
def _with_and_without_wrappers(request: pytest.FixtureRequest) -> Any:
    with plugins.only():
        if request.param == "wrapped ops":
            plugins.register(Wraps(), name="wraps")
        yield
        if request.param == "wrapped ops":
            plugins.unregister("wraps")


def error_of(name: str, owner: Any = None) -> str:
    """Return the message of the AttributeError."""
    with pytest.raises(AttributeError) as caught:
        getattr(Tensor([2.0]) if owner is None else owner, name)
    assert caught.value.name == name
    return str(caught.value)


@pytest.mark.usefixtures("_with_and_without_wrappers")
def test_the_error_names_the_plugin_and_the_setting_that_disabled_it() -> None:
    for name, plugin in (("backward", "autograd"), ("relu", "activations")):
        message = error_of(name)
        assert message.startswith(f"'Tensor' object has no attribute '{name}'. ")
        assert f"The plugin '{plugin}' provides it, which is off, set by code (" in message
        assert message.endswith(f"Enable it: plugins.enable('{plugin}').")


def test_the_error_of_a_keyword_names_the_disabled_plugin() -> None:
    message = r"no keyword 'requires_grad'\. The plugin 'autograd' provides it, which is off"
    with plugins.only(), pytest.raises(TypeError, match=message):
        Tensor([2.0], requires_grad=True)


@pytest.mark.usefixtures("_with_and_without_wrappers")
def test_hasattr_and_dir_do_not_show_a_missing_attribute() -> None:
    x = Tensor([2.0])
    assert not hasattr(x, "backward")
    assert not hasattr(Tensor, "backward")
    assert "backward" not in dir(x)
    assert getattr(x, "backward", 3) == 3
    x.relu = "mine"
    assert x.relu == "mine"
    assert pickle.loads(pickle.dumps(x)).relu == "mine"


@pytest.mark.usefixtures("_with_and_without_wrappers")
def test_an_unknown_name_gives_a_plain_attribute_error() -> None:
    assert error_of("no_such_thing") == "'Tensor' object has no attribute 'no_such_thing'"


@pytest.mark.usefixtures("_with_and_without_wrappers")
@pytest.mark.parametrize(("name", "instead"), torch_names().items())
def test_the_error_of_a_name_of_pytorch_says_what_to_write_instead(name: str, instead: str) -> None:
    assert error_of(name).endswith(f" In place of PyTorch's {name}, use {instead}.")
    for owner, attribute in re.findall(r"\b(np|x|x\.data|np\.linalg)\.(\w+)", instead):
        holder = {"x": Tensor, "x.data": np.ndarray, "np": np, "np.linalg": np.linalg}[owner]
        assert hasattr(holder, attribute)


def test_the_error_names_a_registered_plugin_that_was_disabled() -> None:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add("marker_attribute", 1)

    plugin = SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)
    with plugins.only():
        plugins.register(plugin, name="fleeting")
        plugins.disable("fleeting")
        assert "The plugin 'fleeting' provides it, which is off" in error_of("marker_attribute")
        plugins.unregister("fleeting")


def test_the_error_explains_how_to_install_the_plugin(site: Any) -> None:
    done = site.start("-I", "-S", "-c", f"import sys; sys.path[:0] = {site.bare()!r}\n{ASK}")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        assert "The plugin 'autograd' provides it, which is not installed" in line
        assert line.endswith("Install it: pip install tinytorch-autograd.")


def test_the_error_names_the_variable_or_the_file_that_disabled_it(site: Any) -> None:
    done = site.run(ASK, TINYTORCH_PLUGINS="no:autograd")
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        assert "which is off, set by TINYTORCH_PLUGINS. Enable it" in line
    (site.work / "tinytorch.toml").write_text("[plugins]\nautograd = false\n")
    done = site.run(ASK)
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        assert "tinytorch.toml" in line


@pytest.mark.parametrize("state", ["off", "failed"])
def test_attributes_in_a_plugins_metadata_are_explained(state: str, site: Any) -> None:
    site.install("zipper", "1 / 0", attributes=["zip_up"])
    program = """
    import warnings
    warnings.simplefilter("ignore")
    from tinytorch_core import Tensor, plugins
    with plugins.disabled("autograd"):
        Tensor([1.0]).zip_up()
    """
    done = site.run(program, TINYTORCH_PLUGINS="no:zipper" if state == "off" else "")
    error = done.stderr.splitlines()[-1]
    assert "The plugin 'zipper' provides it, which " in error
    expected = {
        "off": "is off, set by TINYTORCH_PLUGINS. Enable it: plugins.enable('zipper').",
        "failed": "failed: importing zipper_module raised ZeroDivisionError: division by zero. "
        "Reinstall or fix it, or disable it: TINYTORCH_PLUGINS=no:zipper.",
    }
    assert error.endswith(expected[state])


def test_a_plugin_that_fails_when_registered_raises_its_error() -> None:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        raise RuntimeError("out of order")

    plugin = SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)
    with pytest.raises(PluginError, match="out of order"):
        plugins.register(plugin, name="broken")
