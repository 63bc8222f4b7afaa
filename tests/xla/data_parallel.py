"""Trains on several devices and prints the result as JSON; a program for test_sharding.py.

    python -m tests.xla.data_parallel DEVICES [PROCESS PORT]

With PROCESS and PORT it is one of two processes, which train together.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

devices, *distributed = map(int, sys.argv[1:])
count = devices // 2 if distributed else max(devices, 1)
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402

if distributed:
    process, port = distributed
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, process, local_device_ids=None)

from tinytorch_core import Tensor  # noqa: E402

from tinytorch_activations import ReLU  # noqa: E402
from tinytorch_layers import BatchNorm1d, Linear, Sequential  # noqa: E402
from tinytorch_losses import CrossEntropyLoss  # noqa: E402
from tinytorch_training import SGD, Trainer, clip_grad_norm  # noqa: E402
from tinytorch_xla import XlaError, jit, shard  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 16, 5)).astype(np.float32)
Y = RNG.integers(0, 3, (6, 16))


def network():
    return Sequential(Linear(5, 8, generator=0), BatchNorm1d(8), ReLU(), Linear(8, 3, generator=1))


def trained(model):
    """Return the losses of some steps."""
    loss, optimizer = CrossEntropyLoss(), SGD(model.parameters(), lr=0.1, momentum=0.9)

    @jit
    def step(x, y):
        optimizer.zero_grad()
        out = loss(model(x), y)
        out.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        return out

    return [step(Tensor(X[i]), Y[i]).item() for i in range(6)]


def main():
    model = network()
    if not devices:
        losses = trained(model)
        print(json.dumps({"losses": losses, "state": state_of(model)}))
        return
    with shard(devices, batch="data"):
        losses = trained(model)
        found = {"losses": losses, "state": state_of(model)}
        found["devices"] = len(model[0].weight.data.value.devices())
        if not distributed:
            found |= further()
    print(json.dumps(found))


def further():
    """Return the result of a Trainer, which needs no change, and the error for uneven batches."""
    model = network()
    trainer = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1), progress=False)
    history = trainer.fit(X.reshape(-1, 5), Y.reshape(-1), epochs=2, batch_size=16, generator=0)
    try:
        jit(lambda x: x + 1)(X[0, :3])
        error = ""
    except XlaError as raised:
        error = str(raised)
    return {"history": history["loss"], "step": repr(trainer._steps.train), "error": error}


def state_of(model):
    return {name: array.tolist() for name, array in model.state_dict().items()}


main()
