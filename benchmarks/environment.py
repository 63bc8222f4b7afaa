"""The process settings that every framework is measured with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# With these, OpenBLAS, and therefore NumPy, would not use the kernels for this processor. The
# libraries of the peers ignore them.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def prepare(threads: int) -> str:
    """Set up this process and its children for a fair comparison; return a description.

    Call this before NumPy or any framework is imported: they read these variables once.

    Args:
        threads: the number of cores, and of BLAS threads, that each framework may use.
    """
    for variable in _THREADS:
        os.environ[variable] = str(threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    removed = {name: os.environ.pop(name) for name in UNSET if name in os.environ}
    was = ", ".join(f"{name} was {value!r}" for name, value in removed.items())
    return (
        f"{_restrict_cores(threads)}, {_count(threads, 'BLAS thread')}, "
        f"{' and '.join(UNSET)} unset{f' ({was})' if was else ''}"
    )


def _restrict_cores(wanted: int) -> str:
    """Restrict this process to `wanted` cores where the system supports that."""
    if not hasattr(os, "sched_setaffinity"):
        return f"any of {_count(os.cpu_count() or 1, 'core')}"
    # The last cores: the system's own work often runs on the first.
    cores: Sequence[int] = sorted(os.sched_getaffinity(0))[-wanted:]
    os.sched_setaffinity(0, cores)
    return _count(len(cores), "core")


@contextmanager
def all_cores() -> Iterator[None]:
    """Let this process and its children use all cores in the block."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
