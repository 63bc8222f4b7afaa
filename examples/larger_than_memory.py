"""Train on a file that is larger than the memory that the program may use.

    python examples/larger_than_memory.py

The file is mapped into memory, and Dask divides it into chunks. Forward and backward passes only
plan the computation; `optimizer.step()` runs it, chunk by chunk. It needs `dask[array]`, and Linux
for the limit.
"""

import argparse
import resource
import tempfile
from pathlib import Path

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


def write_data(file: Path, size: int) -> int:
    """Write examples whose class is the sign of their first feature; return their number."""
    rows = size // (4 * FEATURES)
    data = np.memmap(file, np.float32, "w+", shape=(rows, FEATURES))
    random = np.random.default_rng(0)
    # The examples in between remain 0, which takes no time to write.
    for first in range(0, rows, CHUNK):
        data[first : first + 256] = random.normal(size=data[first : first + 256].shape)
    data.flush()
    return rows


class Examples:
    """The examples in a file: an object with rows, because Dask would copy an ndarray."""

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, file: Path, rows: int) -> None:
        self.file, self.shape = file, (rows, FEATURES)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        return np.memmap(self.file, self.dtype, "r", shape=self.shape)[index]


def main(limit_megabytes: int, steps: int) -> None:
    # Chunks one after the other: each thread would need the memory of a chunk.
    dask.config.set(scheduler="synchronous")
    np.ones((500, 500)) @ np.ones((500, 500))  # the library of products reserves its memory
    limit = used_memory() + limit_megabytes * 2**20
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "examples")
        rows = write_data(file, 10 * limit)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        data = Examples(file, rows)
        x = da.from_array(data, chunks=(CHUNK, FEATURES))
        classes = (x[:, 0] > 0).astype(np.int64)
        print(
            f"limit {limit / 2**20:.0f} MB, data {file.stat().st_size / limit:.1f} times as large"
        )

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
    options = parser.parse_args()
    main(options.limit, options.steps)
