"""Fixtures for tests of plugins, which pytest finds wherever tinytorch-core is installed.

A module outside of the package, because every run of pytest imports it, also one that has nothing
to do with tensors: importing the package would start the plugins, and import NumPy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinytorch_core import Tensor


@pytest.fixture
def clean_core() -> Iterator[type[Tensor]]:
    """The class Tensor, with no plugin on until the test ends."""
    from tinytorch_core import Tensor, plugins

    with plugins.only():
        yield Tensor


@pytest.fixture
def only_plugins() -> Iterator[Callable[..., None]]:
    """A function that switches on the plugins it is given, and no others, until the test ends.

    It takes names, and objects with hooks, which are registered meanwhile.
    """
    from tinytorch_core import plugins

    with ExitStack() as at_the_end:

        def switch(*chosen: Any) -> None:
            names = []
            for plugin in chosen:
                if not isinstance(plugin, str):
                    name = getattr(plugin, "__name__", type(plugin).__name__)
                    plugins.register(plugin, name=name)
                    at_the_end.callback(plugins.unregister, name)
                    plugin = name
                names.append(plugin)
            at_the_end.enter_context(plugins.only(*names))

        yield switch


@pytest.fixture
def run_with_plugins(tmp_path: Path) -> Callable[..., str]:
    """A function that runs a program in a fresh process, with the plugins named and no others.

    It takes the program's text and the names, and returns what the program prints. A program, or
    a plugin, that fails makes the test fail.
    """

    def run(program: str, *names: str) -> str:
        settings = {"TINYTORCH_PLUGINS": ",".join(names) or "none", "TINYTORCH_STRICT": "1"}
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            cwd=tmp_path,  # where no configuration lies
            env={**os.environ, **path, **settings},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.fail(f"the program failed with {', '.join(names) or 'no plugin'}\n{done.stderr}")
        return done.stdout

    return run
