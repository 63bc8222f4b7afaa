"""Leave the doctests of a package out where the framework that it is for is not installed."""

import importlib.util

NEEDED = {"xla": "jax", "torch": "torch"}

collect_ignore_glob = [
    f"{folder}/tinytorch_{folder}/*"
    for folder, package in NEEDED.items()
    if importlib.util.find_spec(package) is None
]
