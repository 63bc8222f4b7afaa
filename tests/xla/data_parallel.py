"""Trains on several devices and prints the result as JSON; a program for test_sharding.py.

    python -m tests.xla.data_parallel DEVICES [PROCESS PORT]

With PROCESS and PORT it is one of two processes, which train together.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations import ReLU
from tinytorch_layers import BatchNorm1d, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import SGD, Trainer, clip_grad_norm

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 16, 5)).astype(np.float32)
Y = RNG.integers(0, 3, (6, 16))


def network():
    return Sequential(Linear(5, 8, generator=0), BatchNorm1d(8), ReLU(), Linear(8, 3, generator=1))


def start(devices, process=None, port=None):
    """Give JAX its devices, before it is imported."""
    count = max(devices, 1) if process is None else devices // 2
    # XLA's newer compiler takes four times as long.
    flags = f"--xla_force_host_platform_device_count={count} --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = flags
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "true"  # compiling takes most of the time
    if process is not None:
        import jax

        jax.distributed.initialize(f"127.0.0.1:{port}", 2, process)


def trained(model):
    """Return the losses of some steps."""
    from tinytorch_xla import jit

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


def main(devices, *distributed):
    start(devices, *distributed)
    from tinytorch_xla import shard

    model = network()
    if not devices:
        losses = trained(model)
        print(json.dumps({"losses": losses, "state": state_of(model)}))
        return
    with shard(devices, batch="data"):
        losses = trained(model)
        found = {"losses": losses, "state": state_of(model)}
        found["devices"] = len(model[0].weight.data.value.devices())
        if devices == 8:
            found |= further()
    print(json.dumps(found))


def further():
    """Return the result of a Trainer, which needs no change, and the error for uneven batches."""
    from tinytorch_xla import XlaError, jit

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


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
