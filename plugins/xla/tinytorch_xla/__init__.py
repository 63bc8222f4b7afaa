"""Run programs on CPUs, GPUs and TPUs through JAX and XLA, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_xla.arguments import Array
    from tinytorch_xla.devices import device_put, to_numpy
    from tinytorch_xla.errors import TracedValueError, XlaError
    from tinytorch_xla.jax_functions import from_jax
    from tinytorch_xla.sharding import shard
    from tinytorch_xla.step import Jitted, jit
    from tinytorch_xla.vmapping import vmap

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Jitted",
    "TracedValueError",
    "XlaError",
    "device_put",
    "from_jax",
    "jit",
    "shard",
    "to_numpy",
    "vmap",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "arguments": "Array",  # the module that imports all that the class needs
        "devices": "device_put to_numpy",
        "errors": "TracedValueError XlaError",
        "jax_functions": "from_jax",
        "sharding": "shard",
        "step": "Jitted jit",
        "vmapping": "vmap",
    },
)
