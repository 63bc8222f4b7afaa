"""DataParallel: several ranks compute what one process computes."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_distributed import (
    DataParallel,
    RankError,
    SyncBatchNorm,
    mean,
    run_threads,
    shard,
)
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Module, Sequential
from tinytorch_losses import MSELoss
from tinytorch_training import SGD, Callback, NonFiniteError, Trainer, clip_grad_norm, lr_find

from . import runs

X = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)
T = X.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def one_process():
    return runs.train()


@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_training_equals_one_process(size, one_process):
    """With accumulation, clipping, BatchNorm, Dropout, Adam and, with 6, an empty last batch."""
    found = run_threads(runs.train, size)
    for other in found[1:]:
        runs.assert_equal(other, found[0])
    runs.assert_close(found[0], one_process)


@pytest.mark.parametrize("explodes_on", [None, 0, 1])
def test_lr_find_equals_one_process(explodes_on):
    """A rank whose loss is NaN ends the trial on all ranks, at the same rate."""
    seen = []

    class Watch(Callback):
        def on_step_start(self, trainer, batches):
            seen.append(trainer)

    def find(comm=None):
        run = runs.trainer(comm)
        run.callbacks.append(Watch())
        loss, calls = run.loss, []

        def poisoned(output, target):
            calls.append(1)
            own = explodes_on is not None and (comm is None or comm.rank == explodes_on)
            return loss(output, target) * (np.nan if own and len(calls) == 9 else 1.0)

        run.loss = poisoned
        before = runs.result(run)
        loader = runs.data() if comm is None else shard(runs.data(), comm)
        found = lr_find(run, loader, 1e-3, 1.0, steps=10)
        runs.assert_equal(runs.result(run), before)
        return found

    expected = find()
    assert len(expected.losses) == (10 if explodes_on is None else 4)
    found = run_threads(find, 2)
    assert found[0] == found[1]
    assert found[0].rates == expected.rates
    np.testing.assert_allclose(found[0].losses, expected.losses, rtol=1e-5)
    assert not seen


def network():
    return Sequential(Linear(3, 8, generator=0), np.tanh, Dropout(0.5, generator=1), Linear(8, 1))


def loop(comm=None):
    """Train in a plain loop, with two batches for each step."""
    model = Sequential(
        Linear(3, 8, generator=0), Dropout(0.5, generator=1), Linear(8, 1, generator=2)
    )
    optimizer, loss = SGD(model.parameters(), 0.1, momentum=0.9), MSELoss()
    losses = []
    if comm is None:
        for _ in range(3):
            optimizer.zero_grad()
            for rows in (slice(0, 5), slice(5, 10)):
                (loss(model(Tensor(X[rows])), Tensor(T[rows])) / 2).backward()
            clip_grad_norm(model.parameters(), 0.1)
            optimizer.step()
        return model.state_dict(), losses
    batches = [(Tensor(X[rows]), Tensor(T[rows])) for rows in (slice(0, 5), slice(5, 10))]
    with DataParallel(comm).synchronize(model) as parallel:
        for _ in range(3):
            optimizer.zero_grad()
            for i, (x, t) in enumerate(shard(batches, comm)):
                value = loss(model(x), t)
                parallel.backward(value / 2, examples=len(x), last=i == 1)
                losses.append(mean(value, len(x), comm))
            clip_grad_norm(model.parameters(), 0.1)
            optimizer.step()
    return model.state_dict(), losses


def test_a_loop_equals_one_process():
    expected, _ = loop()
    found = run_threads(loop, 3)
    assert found[0][1] == found[1][1]
    for state, _ in found:
        for name, array in expected.items():
            np.testing.assert_array_equal(state[name], found[0][0][name])
            np.testing.assert_allclose(state[name], array, atol=1e-6)


def gradients(comm, model, x):
    with DataParallel(comm, bucket_bytes=40).synchronize(model) as parallel:
        parallel.backward(model(x).sum(), examples=1)
    return [None if p.grad is None else p.grad.copy() for p in model.parameters()]


class Choosing(Module):
    """Uses one of its layers, another one on each rank, and never the last."""

    def __init__(self, rank: int) -> None:
        self.layers = [Linear(2, 1, bias=False, dtype=np.float64) for _ in range(3)]
        self.rank = rank

    def forward(self, x):
        return self.layers[self.rank](x)


def test_a_parameter_without_a_gradient_on_some_ranks():
    found = run_threads(lambda comm: gradients(comm, Choosing(comm.rank), np.ones((1, 2))), 2)
    for grads in found:
        np.testing.assert_array_equal(grads[0], [[0.5], [0.5]])
        np.testing.assert_array_equal(grads[1], [[0.5], [0.5]])
        assert grads[2] is None


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.complex128])
def test_gradients_of_every_dtype(dtype):
    class Product(Module):
        def __init__(self) -> None:
            from tinytorch_layers import Parameter

            self.weight = Parameter(np.ones(3, dtype))

        def forward(self, x):
            return (self.weight * x).real

    def run(comm):
        return gradients(comm, Product(), np.full(3, 1 + comm.rank, dtype))

    for (grad,) in run_threads(run, 2):
        assert grad.dtype == dtype
        np.testing.assert_array_equal(grad, np.full(3, 1.5, dtype))


def test_all_ranks_begin_with_the_model_of_rank_0():
    def run(comm):
        model = Sequential(Linear(2, 3, generator=comm.rank), BatchNorm1d(3))
        model[1].running_mean[:] = comm.rank
        model = SyncBatchNorm.convert_sync_batchnorm(model, comm)
        DataParallel(comm).synchronize(model).close()
        return {name: np.array(array) for name, array in model.state_dict().items()}

    first, second = run_threads(run, 2)
    runs.assert_equal(second, first)
    assert not first["1.running_mean"].any()


DIFFERENT = {
    "a shape": (
        lambda rank: Linear(2, 2 + rank),
        r"weight of shape \(2, \d\), float32, .* and weight of",
    ),
    "a parameter": (
        lambda rank: Linear(2, 2, bias=not rank),
        r"bias of shape .* and nothing|nothi",
    ),
    "frozen": (
        lambda rank: Linear(2, 2).requires_grad_(not rank),
        "True and weight .*=False|False",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_models_are_reported(name):
    create, message = DIFFERENT[name]

    def run(comm):
        DataParallel(comm).synchronize(create(comm.rank))

    with pytest.raises(
        RankError, match=rf"models of ranks \d and \d differ, first in .*({message})"
    ):
        run_threads(run, 2)


def test_nothing_is_left_behind():
    def run(comm):
        model = network()
        generator = model[2].generator
        with DataParallel(comm).synchronize(model):
            assert type(model[2].generator) is not np.random.Generator
            assert type(copy.deepcopy(model)[2].generator) is np.random.Generator
        assert model[2].generator is generator
        assert model.registered_hooks is None
        model(X).sum().backward()
        return all(np.isfinite(p.grad).all() for p in model.parameters())

    assert run_threads(run, 2) == [True, True]


def test_batch_norm_of_one_rank_causes_a_warning():
    def run(comm):
        DataParallel(comm).synchronize(Sequential(Linear(2, 2), BatchNorm1d(2))).close()

    with pytest.raises(UserWarning, match=r"1 is BatchNorm1d\(2\), .*\.convert_sync_batchnorm"):
        run_threads(run, 1)


def test_gradients_are_sent_before_the_backward_pass_ends():
    def run(comm):
        first, last = (Linear(4, 4, bias=False, generator=i) for i in (0, 1))
        model = Sequential(first, last)
        seen = []
        all_reduce = comm.all_reduce
        comm.all_reduce = lambda array: seen.append(array.size) or all_reduce(array)
        with DataParallel(comm, bucket_bytes=8).synchronize(model) as parallel:
            first.weight.register_hook(lambda grad: seen.append("the first layer"))
            parallel.backward(model(np.ones((2, 4), np.float32)).sum(), 2)
        return seen

    # The number of examples, the gradient of the last layer, and that of the first.
    assert run_threads(run, 2)[0] == [1, 17, "the first layer", 17]


class HooksLater(Callback):
    """Registers hooks on the parameters after the first epoch."""

    def on_epoch_end(self, trainer, numbers):
        for parameter in trainer.model.parameters():
            parameter.register_hook(lambda grad: grad.clip(-0.01, 0.01))


def test_hooks_that_are_registered_during_training_are_called_before_the_sum():
    def run(comm):
        model = Linear(3, 1, generator=0, dtype=np.float64)
        parallel = DataParallel(comm)
        trainer = Trainer(
            model, MSELoss(), SGD(model.parameters(), 0.1), callbacks=[parallel, HooksLater()]
        )
        trainer.fit(shard([(X.astype(float), T.astype(float))], comm), 2)
        return model.weight.data

    model = Linear(3, 1, generator=0, dtype=np.float64)
    for limit in (np.inf, 0.01):
        grads = []
        for rows in (slice(0, 5), slice(5, 10)):
            model.zero_grad()
            (MSELoss()(model(Tensor(X[rows].astype(float))), T[rows].astype(float)) / 2).backward()
            grads.append([p.grad.clip(-limit, limit) for p in model.parameters()])
        for p, *each in zip(model.parameters(), *grads, strict=True):
            p.data = p.data - 0.1 * sum(each)
    first, second = run_threads(run, 2)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, model.weight.data, atol=1e-15)


def test_a_loss_that_is_nan_on_one_rank_ends_all():
    messages = []

    def run(comm):
        model = Linear(3, 1, generator=0)
        parts = model, MSELoss(), SGD(model.parameters())
        x = np.array([X, X, X * np.nan])[comm.rank]
        with pytest.raises((NonFiniteError, RankError)) as raised:
            Trainer(*parts, callbacks=[DataParallel(comm)]).fit([(x, T)], 2)
        messages.append(str(raised.value))

    run_threads(run, 3)
    # The others find the sum of the gradients or the message, whichever arrives first.
    rank_2 = "the loss is nan at step 1, in epoch 1"
    starts = (
        rank_2,
        f"rank 2 failed: NonFiniteError: {rank_2}",
        "a gradient is not finite at step 1",
    )
    assert len(messages) == 3
    assert all(message.startswith(starts) for message in messages)


def test_ranks_must_have_the_same_number_of_batches():
    def run(comm):
        model = Linear(3, 1, generator=0)
        trainer = Trainer(model, MSELoss(), SGD(model.parameters()), callbacks=[DataParallel(comm)])
        trainer.fit(runs.data(4 + comm.rank), 1)

    with pytest.raises(RankError, match=r"rank 1 is at epoch 0, step 0 with 17 batches"):
        run_threads(run, 2)


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"must be an engine, such as mpi\(\) returns, not 3"):
        DataParallel(3)

    def run(comm):
        with pytest.raises(ValueError, match="bucket_bytes"):
            DataParallel(comm, bucket_bytes=0)
        parallel = DataParallel(comm)
        with pytest.raises(RuntimeError, match="synchronize"):
            parallel.backward(Tensor([1.0], requires_grad=True), 1)
        with parallel.synchronize(Linear(1, 1)):
            with pytest.raises(RuntimeError, match="create another one"):
                parallel.synchronize(Linear(1, 1))
            with pytest.raises(ValueError, match="examples"):
                parallel.backward(Tensor([1.0], requires_grad=True), -1)
        with pytest.raises(ValueError, match="at least one rank"):
            mean(1.0, 0, comm)

    run_threads(run, 1)
    assert threading.active_count() < 10
