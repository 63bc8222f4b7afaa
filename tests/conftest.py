"""Shared by all tests: Hypothesis without deadlines, and the frameworks to compare with."""

import importlib
import os

import pytest
from hypothesis import settings

from tinytorch_core import registry

from tests.whole import untested_errors

# The time that an example takes depends on the machine.
settings.register_profile("tinytorch", deadline=None)
settings.load_profile("tinytorch")


def pytest_configure(config):
    config.pluginmanager.register(untested_errors)


def pytest_collection_modifyitems(items):
    """Start the slowest tests first, so that no process works alone at the end."""
    items.sort(key=lambda item: "test_the_plugin_passes_its_own_tests" not in item.name)


def pytest_runtest_setup(item):
    """Skip a test marked `peers` if torch, or the packages that the marker names, are missing."""
    marker = item.get_closest_marker("peers")
    for name in (marker.args or ("torch",)) if marker else ():
        try:
            importlib.import_module(name)
        except ImportError as error:
            if os.environ.get("TINYTORCH_REQUIRE_PEERS") == "1":
                pytest.fail(f"{name} is required and missing: {error}", pytrace=False)
            pytest.skip(f"{name} is not installed: {error}")


@pytest.fixture(scope="session")
def torch():
    """Return PyTorch, limited to one thread; for tests marked `peers`."""
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module


@pytest.fixture(autouse=True, scope="session")
def machine_code(tmp_path_factory):
    """Keep compiled code out of the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYTORCH_COMPILE_CACHE", str(tmp_path_factory.mktemp("machine_code")))
        yield


@pytest.fixture(autouse=True)
def restore_overrides():
    """Undo what a test has toggled or configured."""
    before = registry.overrides
    yield
    if registry.overrides != before:
        registry.activate(before)
