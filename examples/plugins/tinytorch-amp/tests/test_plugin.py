"""The plugin: the conformance kit, and what it wraps."""

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("amp")
def test_conforms(check):
    check()


def test_it_wraps_only_the_ops_that_autocast_casts():
    with plugins.only("amp", "autograd", "losses"):
        wrappers = plugins.surface().wrappers
    assert wrappers["matmul"] == wrappers["cross_entropy"] == ["autograd", "amp"]
    assert wrappers["mul"] == ["autograd"]


def test_without_autograd_everything_works_forward_only():
    from tinytorch_amp import autocast, quantize

    with plugins.disable("autograd"), autocast():
        x = Tensor([[1.0, 2.0]])
        assert (x @ x.T).dtype == np.float16
        assert quantize(x, bits=2).tolist() == [[0.0, 2.0]]
