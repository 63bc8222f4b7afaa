"""SyncBatchNorm: the values and gradients of BatchNorm on the batches of all ranks."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_distributed import SyncBatchNorm, run_threads
from tinytorch_layers import BatchNorm1d, BatchNorm2d, Linear, Module, Sequential

RNG = np.random.default_rng(0)
# The ranks have 3, 2 and no examples.
ENDS = (0, 3, 5, 5)


def outcome(layer, x, weights):
    """Return values, first and second derivatives of a sum in which all values depend on all."""
    x = Tensor(x, requires_grad=True)
    y = layer(x)
    (first,) = grad((y * y * weights).sum(), [x], create_graph=True)
    (second,) = grad((first * first * first).sum(), [x])
    return [np.array(each.data) for each in (y, first, second)]


@pytest.mark.parametrize("shape", [(5, 2), (5, 2, 3), (5, 2, 3, 2)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_equals_batch_norm_on_the_whole_batch(shape, momentum):
    x, weights = RNG.normal(size=shape), RNG.normal(size=shape)
    kind = BatchNorm2d if len(shape) == 4 else BatchNorm1d
    whole = kind(2, momentum=momentum, dtype=np.float64)
    expected = outcome(whole, x, weights)

    def run(comm):
        layer = SyncBatchNorm(2, comm, momentum=momentum, dtype=np.float64)
        own = slice(ENDS[comm.rank], ENDS[comm.rank + 1])
        found = outcome(layer, x[own], weights[own])
        assert layer.eval()(x[own]).shape == x[own].shape
        return found, layer.state_dict()

    found = run_threads(run, 3)
    for i, whole_array in enumerate(expected):
        parts = np.concatenate([arrays[i] for arrays, _ in found])
        np.testing.assert_allclose(parts, whole_array, atol=1e-10)
    for _, state in found:
        assert state.keys() == whole.state_dict().keys()
        for name, array in whole.state_dict().items():
            np.testing.assert_allclose(state[name], array, atol=1e-12)


def test_float16_is_computed_in_float32():
    def run(comm):
        out = SyncBatchNorm(1, comm, affine=False)(np.full((2, 1), 300 * comm.rank, np.float16))
        return out.dtype, out.tolist()

    assert run_threads(run, 2)[1] == (np.float16, [[1.0], [1.0]])


def test_inputs_that_cannot_be_normalized():
    def run(comm):
        layer = SyncBatchNorm(2, comm)
        with pytest.raises(ValueError, match=r"shape \(N, 2\) or \(N, 2, ...\), not \(3, 4\)"):
            layer(np.ones((3, 4)))
        with pytest.raises(ValueError, match="the ranks together have 1; use a larger batch"):
            layer(np.ones((1 - comm.rank, 2)))

    run_threads(run, 2)


class Nested(Module):
    def __init__(self) -> None:
        self.first = BatchNorm2d(3)
        self.others = [BatchNorm1d(2), {"a": [BatchNorm1d(4)]}]
        self.network = Sequential(Linear(2, 2), BatchNorm1d(2))


def test_conversion_keeps_parameters_and_names():
    def run(comm):
        model = Nested()
        before, names = dict(model.named_parameters()), [n for n, _ in model.named_modules()]
        assert SyncBatchNorm.convert_sync_batchnorm(model, comm) is model
        layers = [m for m in model.modules() if isinstance(m, BatchNorm1d | BatchNorm2d)]
        assert [type(layer) for layer in layers] == [SyncBatchNorm] * 4
        assert [n for n, _ in model.named_modules()] == names
        assert all(p is before[name] for name, p in model.named_parameters())
        single = SyncBatchNorm.convert_sync_batchnorm(BatchNorm1d(3), comm)
        assert isinstance(single, SyncBatchNorm)
        copied = copy.deepcopy(single)
        assert copied.weight is not single.weight
        return copied(np.arange(6.0).reshape(2, 3)).shape

    assert run_threads(run, 2) == [(2, 3)] * 2
