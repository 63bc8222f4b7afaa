"""Training on several processes, with MPI or torch.distributed, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_distributed.averages import mean
    from tinytorch_distributed.collectives import all_reduce
    from tinytorch_distributed.draws import rank_generator
    from tinytorch_distributed.engine import Engine, Work
    from tinytorch_distributed.errors import RankError
    from tinytorch_distributed.gloo_engine import GlooEngine, gloo
    from tinytorch_distributed.mpi_engine import MPIEngine, mpi
    from tinytorch_distributed.normalization import SyncBatchNorm
    from tinytorch_distributed.parallel import DataParallel
    from tinytorch_distributed.sharding import shard
    from tinytorch_distributed.threads import ThreadEngine, run_threads

__version__ = "0.1.0"

__all__ = [
    "DataParallel",
    "Engine",
    "GlooEngine",
    "MPIEngine",
    "RankError",
    "SyncBatchNorm",
    "ThreadEngine",
    "Work",
    "all_reduce",
    "gloo",
    "mean",
    "mpi",
    "rank_generator",
    "run_threads",
    "shard",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "averages": "mean",
        "collectives": "all_reduce",
        "draws": "rank_generator",
        "engine": "Engine Work",
        "errors": "RankError",
        "gloo_engine": "GlooEngine gloo",
        "mpi_engine": "MPIEngine mpi",
        "normalization": "SyncBatchNorm",
        "parallel": "DataParallel",
        "sharding": "shard",
        "threads": "ThreadEngine run_threads",
    },
)
