"""XLA compiles with few optimizations in these tests, because that takes most of their time."""

import importlib.util
import os

import pytest

# XLA reads it once, before its first computation. Its newer compiler takes four times as long.
_FLAG = "--xla_cpu_use_fusion_emitters=false"
if _FLAG not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}".strip()


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
