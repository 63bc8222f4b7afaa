"""Train on a file that is larger than the memory that the program may use.

    python examples/larger_than_memory.py [--zarr]

The file is mapped into memory, and Dask divides it into chunks; with --zarr, the data are an array
of Zarr, which stores each chunk in a file. Forward and backward passes only plan the computation;
`optimizer.step()` runs it, chunk by chunk. It needs `dask[array]`, `zarr` for that option, and
Linux for the limit.
"""

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import Adam

FEATURES, CHUNK = 256, 16384


def used_memory() -> int:
    """Return the bytes of private memory that this process has reserved."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmData"))
    return int(size) * 1024


def write_into(data: Any) -> None:
    """Write examples, whose class will be the sign of their first feature, into an array."""
    random = np.random.default_rng(0)
    # The examples in between remain 0, which takes no time to write.
    for first in range(0, data.shape[0], CHUNK):
        rows = min(256, data.shape[0] - first)
        data[first : first + rows] = random.normal(size=(rows, FEATURES))


class Examples:
    """The examples in a file: an object with rows, because Dask would copy an ndarray."""

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, file: Path, rows: int) -> None:
        self.file, self.shape = file, (rows, FEATURES)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        return np.memmap(self.file, self.dtype, "r", shape=self.shape)[index]


def mapped(file: Path, rows: int) -> da.Array:
    """Return a file of examples as an array of Dask."""
    data = np.memmap(file, np.float32, "w+", shape=(rows, FEATURES))
    write_into(data)
    data.flush()
    return da.from_array(Examples(file, rows), chunks=(CHUNK, FEATURES))


def of_zarr(folder: Path, rows: int) -> da.Array:
    """Return a Zarr array of examples as an array of Dask."""
    import zarr

    # As for the chunks of Dask: each thread would need the memory of a chunk.
    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
    shape, chunks = (rows, FEATURES), (CHUNK, FEATURES)
    write_into(zarr.create_array(folder, shape=shape, chunks=chunks, dtype=np.float32))
    return da.from_zarr(folder)


def main(limit_megabytes: int, steps: int, create: Callable[[Path, int], da.Array]) -> None:
    # Chunks one after the other: each thread would need the memory of a chunk.
    dask.config.set(scheduler="synchronous")
    with tempfile.TemporaryDirectory() as folder:
        # Libraries reserve memory when they are first used.
        create(Path(folder, "few"), 4 * CHUNK).sum().compute()
        np.ones((500, 500)) @ np.ones((500, 500))
        limit = used_memory() + limit_megabytes * 2**20
        rows = 10 * limit // (4 * FEATURES)
        x = create(Path(folder, "examples"), rows)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        classes = (x[:, 0] > 0).astype(np.int64)
        print(f"limit {limit / 2**20:.0f} MB, data {x.nbytes / limit:.1f} times as large")

        layers = Linear(FEATURES, 8, generator=0), np.tanh, Linear(8, 2, generator=1)
        model = Sequential(*layers)
        optimizer, loss = Adam(model.parameters(), lr=0.05), CrossEntropyLoss(reduction="sum")
        for step in range(steps):
            optimizer.zero_grad()
            # A mean over class numbers would need all of them before the first gradient.
            value = loss(model(Tensor(x)), Tensor(classes)) / rows
            value.backward()
            optimizer.step()
            print(f"step {step + 1}: loss {value.item():.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=100, help="MB in addition to the libraries")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--zarr", action="store_true", help="keep the data in a Zarr array")
    options = parser.parse_args()
    main(options.limit, options.steps, of_zarr if options.zarr else mapped)
