"""The compilers that plugins add for the steps of a Trainer, by name."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

from tinytorch_core import NameTakenError, plugins
from tinytorch_core.extend import SurfaceBuilder

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]

# What to install for the compilers of our own plugins, by the module that adds them.
_REQUIREMENTS = {"xla": ("tinytorch_xla", 'pip install "tinytorch-xla[jax]"')}


class StepCompiler(NamedTuple):
    """A compiler of steps.

    Attributes:
        compile: returns a compiled step.
        is_in_force: returns whether this compiler is to be used for every Trainer now; or None.
        provider: the title of the plugin that adds it.
    """

    compile: Compile
    is_in_force: Callable[[], bool] | None
    provider: str


class StepCompilers:
    """The table that `tinytorch_register_step_compilers` fills for one plugin.

    Args:
        known: the compilers of all plugins, by name.
        provider: the title of the plugin.
    """

    def __init__(self, known: dict[str, list[StepCompiler]], provider: str) -> None:
        self._known, self._provider = known, provider

    def add(
        self, name: str, compile: Compile, is_in_force: Callable[[], bool] | None = None
    ) -> None:
        """Add a compiler, which `Trainer(compile=name)` uses.

        If another plugin adds the same name, `Trainer(compile=name)` raises `NameTakenError`.

        Args:
            name: its name.
            compile: takes a step, a function of batches, and returns a function that does the
                same. It is called when a Trainer is created or changed, so import here what the
                compiler needs.
            is_in_force: returns whether every Trainer uses this compiler now, for example in a
                `with` block. It is called before each step, and must be fast.
        """
        compiler = StepCompiler(compile, is_in_force, self._provider)
        self._known.setdefault(name, []).append(compiler)


def _collected(surface: SurfaceBuilder) -> dict[str, list[StepCompiler]]:
    known: dict[str, list[StepCompiler]] = {}
    surface.call_hook(
        "tinytorch_register_step_compilers",
        lambda plugin: {"compilers": StepCompilers(known, plugin.title)},
    )
    return known


def _in_blocks(surface: SurfaceBuilder) -> tuple[tuple[str, Callable[[], bool]], ...]:
    found = surface.once(_collected).items()
    every = ((name, compiler.is_in_force) for name, compilers in found for compiler in compilers)
    return tuple((name, is_in_force) for name, is_in_force in every if is_in_force is not None)


def backend_in_force(compile: bool | str) -> bool | str:
    """Return the backend of the block in which the program is, or else `compile`."""
    for name, is_in_force in plugins.surface().once(_in_blocks):
        if is_in_force():
            return name
    return compile


def compiler(backend: bool | str) -> Compile:
    """Return the function that compiles a step.

    Args:
        backend: the name of a compiler that a plugin adds, or of a backend of tinytorch-compile;
            True for its default.

    Raises:
        ModuleNotFoundError: the package is not installed.
        NameTakenError: two plugins add a compiler of this name.
        ValueError: the plugin is installed and not active.
    """
    known = plugins.surface().once(_collected)
    if isinstance(backend, str) and backend in known:
        first, *others = known[backend]
        if others:
            what = f"the compiler {backend!r} of steps, which {others[0].provider} adds,"
            raise NameTakenError(what, first.provider, remedy="disable one of the two plugins")
        return first.compile
    if backend in _REQUIREMENTS:
        raise _missing(str(backend))
    # Imported here because tinytorch-compile is optional.
    try:
        from tinytorch_compile import compile
    except ModuleNotFoundError as error:
        if error.name != "tinytorch_compile":
            raise
        raise ModuleNotFoundError(
            f"Trainer(compile={backend!r}) requires tinytorch-compile: "
            "pip install tinytorch-compile",
            name=error.name,
        ) from error
    return functools.partial(compile, backend=backend) if isinstance(backend, str) else compile


def _missing(backend: str) -> Exception:
    module, command = _REQUIREMENTS[backend]
    what = f"Trainer(compile={backend!r}) requires {module.replace('_', '-')}"
    try:
        is_installed = importlib.util.find_spec(module) is not None
    except ValueError:  # its place in sys.modules is taken
        is_installed = False
    if not is_installed:
        return ModuleNotFoundError(f"{what}: {command}", name=module)
    return ValueError(f"{what}, whose plugin is not active; enable it: tinytorch enable {backend}")
