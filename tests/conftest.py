"""What all tests share: Hypothesis without deadlines, and the frameworks we compare with."""

import importlib
import os

import pytest
from hypothesis import settings

from tinytorch_core import registry

# How long an example takes says more about the machine than about the code.
settings.register_profile("tinytorch", deadline=None)
settings.load_profile("tinytorch")


def pytest_runtest_setup(item):
    """`@pytest.mark.peers` needs torch, `@pytest.mark.peers("jax")` the packages it names."""
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
    """PyTorch, on one thread; for tests marked `peers`."""
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module


@pytest.fixture(autouse=True)
def same_plugins():
    """What a test decides in code about plugins holds for this test alone."""
    before = registry.overrides
    yield
    if registry.overrides != before:
        registry.activate(before)
