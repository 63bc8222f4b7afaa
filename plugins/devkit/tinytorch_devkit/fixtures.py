"""pytest fixtures for tests of plugins.

Every pytest run imports this module, including runs that have nothing to do with tensors. So the
core, which starts the plugins and imports NumPy, is imported inside the fixtures.
PYTEST_DONT_REWRITE: this module contains no assertions.
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
    """The class Tensor, with all plugins off until the test ends."""
    from tinytorch_core import Tensor, plugins

    with plugins.only():
        yield Tensor


@pytest.fixture
def only_plugins() -> Iterator[Callable[..., None]]:
    """A function that turns on the given plugins, and turns off all others until the test ends.

    It takes plugin names and objects with hooks. Objects are registered until the test ends.
    """
    from tinytorch_core import plugins

    with ExitStack() as cleanup:

        def turn_on(*chosen: Any) -> None:
            names = []
            for plugin in chosen:
                if not isinstance(plugin, str):
                    name = getattr(plugin, "__name__", type(plugin).__name__)
                    plugins.register(plugin, name=name)
                    cleanup.callback(plugins.unregister, name)
                    plugin = name
                names.append(plugin)
            cleanup.enter_context(plugins.only(*names))

        yield turn_on


@pytest.fixture
def run_with_plugins(tmp_path: Path) -> Callable[..., str]:
    """A function that runs a program in a new process with only the named plugins on.

    It takes the text of the program and the names, and returns what the program prints. The test
    fails if the program or a plugin raises an error.
    """

    def run(program: str, *names: str) -> str:
        settings = {"TINYTORCH_PLUGINS": ",".join(names) or "none", "TINYTORCH_STRICT": "1"}
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            cwd=tmp_path,  # a folder without configuration files
            env={**os.environ, **path, **settings},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.fail(
                f"the program failed with {', '.join(names) or 'no plugins'}\n{done.stderr}"
            )
        return done.stdout

    return run
