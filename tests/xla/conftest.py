"""XLA compiles with few optimizations in these tests, because that takes most of their time."""

import importlib.util

import pytest


@pytest.fixture(autouse=True, scope="package")
def fast_compilation():
    if importlib.util.find_spec("jax") is None:
        yield
        return
    import jax

    name = "jax_disable_most_optimizations"
    before = jax.config.read(name)
    jax.config.update(name, True)
    yield
    jax.config.update(name, before)
