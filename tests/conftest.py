"""Shared by all tests: Hypothesis without deadlines, and the frameworks to compare with."""

import functools
import gc
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


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Hide the objects of all tests from the garbage collector, which would search them in vain."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config, items):
    """Start the slowest tests first, and keep one test of each file to report what is skipped.

    So no process works alone at the end, and thousands of skipped tests take no time.
    """
    items.sort(key=lambda item: "test_the_plugin_passes_its_own_tests" not in item.name)
    skipped = {}
    for item in items:
        if missing := next(filter(is_missing, peers_of(item)), None):
            skipped.setdefault((item.path, missing), []).append(item)
    if not skipped or os.environ.get("TINYTORCH_REQUIRE_PEERS") == "1":
        return
    others = set()
    for (_, missing), (first, *rest) in skipped.items():
        reason = f"{missing} is not installed; the same holds for {len(rest)} more in this file"
        first.add_marker(pytest.mark.skip(reason=reason))
        others.update(rest)
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def peers_of(item):
    """Return the packages that a test marked `peers` needs: torch, or those the marker names."""
    marker = item.get_closest_marker("peers")
    return (marker.args or ("torch",)) if marker else ()


@functools.cache
def is_missing(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return True
    return False


def pytest_runtest_setup(item):
    """Fail if a package that a comparison needs is missing, and the variable requires it."""
    for name in filter(is_missing, peers_of(item)):
        pytest.fail(f"{name} is required and missing", pytrace=False)


@pytest.fixture(scope="session")
def torch():
    """Return PyTorch, limited to one thread; for tests marked `peers`."""
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module


@pytest.fixture(autouse=True, scope="session")
def empty_working_directory(tmp_path_factory):
    """Let programs that tests start import the installed packages, not those of an sdist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


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
