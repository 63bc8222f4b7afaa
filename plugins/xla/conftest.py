"""Leave the doctests out where JAX is not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("jax") else ["tinytorch_xla/*"]
