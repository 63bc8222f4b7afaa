"""Train one network on a core, compiled, on devices of JAX, or on several processes.

    python examples/from_laptop_to_cluster.py                              # one core
    python examples/from_laptop_to_cluster.py --compile numpy              # or native, or xla
    python examples/from_laptop_to_cluster.py --devices 2                  # of JAX
    mpiexec -n 2 python examples/from_laptop_to_cluster.py --engine mpi    # several processes

Only the options differ: the model, the loss, the optimizer and the data are the same, and so are
the losses, up to rounding. docs/from-laptop-to-cluster.md describes each way, and how fast it is.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from tinytorch_activations import ReLU
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import Adam, DataLoader, TensorDataset, Timing, Trainer

FEATURES, CLASSES = 64, 10


def dataset(examples: int) -> TensorDataset:
    """Return examples whose class is the largest of some weighted sums of their features."""
    random = np.random.default_rng(0)
    x = random.standard_normal((examples, FEATURES)).astype(np.float32)
    return TensorDataset(x, (x @ random.standard_normal((FEATURES, CLASSES))).argmax(axis=1))


def network(width: int) -> Sequential:
    return Sequential(
        Linear(FEATURES, width, generator=0),
        ReLU(),
        Linear(width, width, generator=1),
        ReLU(),
        Linear(width, CLASSES, generator=2),
    )


def train(options: argparse.Namespace, comm: Any = None) -> tuple[list[float], float]:
    """Return the loss of each epoch, and the seconds of a step.

    Args:
        options: the options of the command line.
        comm: the engine that connects this process with others, or None.
    """
    loader: Any = DataLoader(
        dataset(options.examples), options.batch_size, shuffle=True, drop_last=True, generator=3
    )
    model, timing = network(options.width), Timing()
    callbacks: list[Any] = [timing]
    if comm is not None:
        from tinytorch_distributed import DataParallel, shard

        loader = shard(loader, comm)
        callbacks.append(DataParallel(comm))
    trainer = Trainer(
        model,
        CrossEntropyLoss(),
        Adam(model.parameters(), lr=0.001),
        compile=options.compile or False,
        callbacks=callbacks,
        progress=False,
    )
    losses = trainer.fit(loader, options.epochs)["loss"]
    # The first epoch compiles.
    return losses, min(epoch["seconds_per_step"] for epoch in timing.epochs[-3:])


def main(arguments: Sequence[str] | None = None) -> list[float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", choices=["numpy", "native", "xla"], help="the compiler")
    parser.add_argument("--devices", type=int, help="devices of JAX that share each batch")
    parser.add_argument("--engine", choices=["mpi", "gloo"], help="what connects the processes")
    parser.add_argument("--width", type=int, default=256, help="units of a layer")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--examples", type=int, default=8192)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        comm = None
        if options.engine is not None:
            import tinytorch_distributed

            comm = stack.enter_context(getattr(tinytorch_distributed, options.engine)())
        if options.devices is not None:
            import tinytorch_xla

            stack.enter_context(tinytorch_xla.shard(options.devices))
        losses, seconds = train(options, comm)
    if comm is None or comm.rank == 0:
        print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}, {seconds * 1e3:.3g} ms for a step")
    return losses


if __name__ == "__main__":
    main()
