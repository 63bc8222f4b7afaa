"""The run that tests repeat with several engines and numbers of ranks."""

from __future__ import annotations

import numpy as np

from tinytorch_distributed import DataParallel, SyncBatchNorm, shard
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import Adam, DataLoader, TensorDataset, Trainer, accuracy, over_epoch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(85, 6)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)


def data(batch_size=8, **options):
    return DataLoader(TensorDataset(X, Y), batch_size, shuffle=True, generator=3, **options)


def validation():
    return DataLoader(TensorDataset(X[:30], Y[:30]), 7)


def network(comm=None):
    model = Sequential(
        # Without a bias: BatchNorm makes its gradient 0, and Adam would divide rounding errors.
        Linear(6, 16, bias=False, generator=0),
        BatchNorm1d(16),
        np.tanh,
        Dropout(0.3, generator=7),
        Linear(16, 2, generator=1),
    )
    return model if comm is None else SyncBatchNorm.convert_sync_batchnorm(model, comm)


@over_epoch
def first_target(output, target):
    return float((target * np.arange(len(target))).sum())


def trainer(comm=None, model=None, **options):
    model = network(comm) if model is None else model
    return Trainer(
        model,
        CrossEntropyLoss(),
        Adam(model.parameters(), lr=0.01),
        metrics={"accuracy": accuracy, "first_target": first_target},
        accumulate=2,
        max_grad_norm=0.3,
        progress=False,
        callbacks=[] if comm is None else [DataParallel(comm, bucket_bytes=200)],
        **options,
    )


def result(run):
    """Return the parameters and buffers of a run, and its history."""
    return {name: np.array(a) for name, a in run.model.state_dict().items()}, run.history


def train(comm=None, epochs=9, **options):
    """Train for 54 steps, with a last batch of 5 examples in each epoch."""
    run = trainer(comm)
    loaders = data(), validation()
    if comm is not None:
        loaders = [shard(loader, comm) for loader in loaders]
    run.fit(loaders[0], epochs, loaders[1], **options)
    return result(run)


def assert_equal(found, expected):
    """Check that two runs have the same bits."""
    np.testing.assert_equal(found, expected)


def assert_close(found, expected):
    """Check that two runs agree up to rounding."""
    for name, array in expected[0].items():
        np.testing.assert_allclose(found[0][name], array, rtol=0, atol=1e-6, err_msg=name)
    for name, values in expected[1].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-5, err_msg=name)
