"""tinytorch-distributed as a plugin: its op, and what remains when it is off."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_autograd import grad
from tinytorch_devkit import parametrize_with_checks
from tinytorch_distributed import DataParallel, SyncBatchNorm, all_reduce, run_threads
from tinytorch_layers import Linear


@parametrize_with_checks("distributed")
def test_conforms(check):
    check()


def test_the_sum_over_ranks_is_differentiated_to_second_order():
    def run(comm):
        x = Tensor(np.array([1.0, 2.0]) + comm.rank, requires_grad=True)
        total = all_reduce(x, comm)
        # The loss of rank r is (r + 1) Σ total³.
        (first,) = grad((total**3).sum() * (comm.rank + 1), [x], create_graph=True)
        (second,) = grad(first.sum(), [x])
        return total.tolist(), first.tolist(), second.tolist()

    # d/dx Σ_r (r + 1) total³ = 3 · 3 total², and the sum of both ranks' results of 2 · 9 total.
    assert run_threads(run, 2) == [([3.0, 5.0], [81.0, 225.0], [108.0, 180.0])] * 2


def test_without_the_plugin_only_its_op_is_missing():
    before = set(dir(Tensor))
    with plugins.disable("distributed"):
        assert set(dir(Tensor)) == before

        def run(comm):
            np.testing.assert_array_equal(all_reduce(np.ones(2), comm), [2, 2])
            with pytest.raises(AttributeError, match="'all_reduce'"):
                all_reduce(Tensor([1.0]), comm)
            with pytest.raises(AttributeError, match="'all_reduce'"):
                SyncBatchNorm(1, comm)(Tensor([[1.0]]))
            model = Linear(2, 1, generator=0)
            with DataParallel(comm).synchronize(model) as parallel:
                parallel.backward(model(np.ones((1, 2), np.float32)).sum(), 1)
            return model.bias.grad.tolist()

        assert run_threads(run, 2) == [[1.0], [1.0]]
