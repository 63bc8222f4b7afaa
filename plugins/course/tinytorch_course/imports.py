"""install and uninstall: the finder that provides the modules of the course."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType

from tinytorch_core import plugins

from tinytorch_course import plugin

_PACKAGE = "tinytorch"
_PLUGIN = "course"
_LAYERS = (
    "layers",
    "activations",
    "losses",
    "spatial",
    "embeddings",
    "attention",
    "transformer",
)
_CORE = (*_LAYERS, "autograd", "optimizers", "training", "dataloader", "tokenization")

# For each module of the course, the modules of this package whose names it has.
MODULES: dict[str, tuple[str, ...]] = {
    "tinytorch": ("tensor", *_CORE),
    "tinytorch.core": (),
    "tinytorch.core.tensor": ("tensor",),
    **{f"tinytorch.core.{name}": ("tensor", name) for name in _CORE},
    "tinytorch.nn": ("tensor", *_LAYERS),
    "tinytorch.data": ("dataloader",),
    "tinytorch.data.loader": ("tensor", "dataloader"),
    "tinytorch.text": ("embeddings", "tokenization"),
    "tinytorch.text.embeddings": ("tensor", "embeddings"),
    "tinytorch.text.tokenization": ("tokenization",),
    "tinytorch.models": ("transformer",),
    "tinytorch.models.transformer": ("tensor", "transformer"),
}


class CourseLoader(Loader):
    """Fills a module of the course with names of this package."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        names: list[str] = []
        for source in MODULES[module.__name__]:
            imported = importlib.import_module(f"tinytorch_course.{source}")
            names += imported.__all__
            vars(module).update({name: getattr(imported, name) for name in imported.__all__})
        module.__doc__ = f"{module.__name__} of the TinyTorch course, from tinytorch-course."
        vars(module)["__all__"] = sorted(set(names))
        # So that `tinytorch.core.tensor` can be used after `import tinytorch`.
        for name in MODULES:
            if name.startswith(f"{module.__name__}."):
                importlib.import_module(name)


class CourseFinder(MetaPathFinder):
    """Finds the modules of the course, last, so that installed packages and files come first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        if fullname != _PACKAGE and not _is_ours(sys.modules[_PACKAGE]):
            return None  # a module that is missing in another package of this name
        is_package = any(name.startswith(f"{fullname}.") for name in MODULES)
        return ModuleSpec(fullname, CourseLoader(), is_package=is_package)


_FINDER = CourseFinder()


class Installation:
    """The result of `install`; at the end of a `with` block it calls `uninstall`.

    A block does not end an installation that is older than the block.
    """

    def __init__(self, is_new: bool) -> None:
        self._is_new = is_new

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_new:
            uninstall()


def is_installed() -> bool:
    """Return whether `import tinytorch` imports the modules of the course from this package."""
    return _FINDER in sys.meta_path


def install() -> Installation:
    """Provide the import paths of the course: `import tinytorch`, `tinytorch.core.tensor`, ...

    The modules exist only in memory. Tensor gets the attribute `_grad_fn`, and arithmetic with
    arrays computes in float32, until `uninstall` is called. Further calls do nothing.

    Returns:
        An object for a `with` statement, at whose end the modules are removed.

    Raises:
        ImportError: a package, a module or a folder named `tinytorch` would be imported. It stays
            as it is, and nothing has changed.
        PluginError: a plugin that the course needs is disabled or missing.

    >>> with install():
    ...     from tinytorch.core.layers import Linear
    >>> Linear(2, 3).weight.shape
    (2, 3)
    """
    if is_installed():
        return Installation(is_new=False)
    if (found := _found_elsewhere()) is not None:
        raise ImportError(
            f"`import tinytorch` imports {found}, which tinytorch-course never replaces. To use "
            "tinytorch-course, uninstall that package, or rename or move the file or folder; to "
            "use the other one, run the program without tinytorch-course"
        )
    plugins.register(plugin, name=_PLUGIN)
    sys.meta_path.append(_FINDER)
    return Installation(is_new=True)


def uninstall() -> None:
    """Remove what `install` added; do nothing if the course is not installed.

    What a program has imported already keeps working, except for `_grad_fn`.
    """
    if not is_installed():
        return
    sys.meta_path.remove(_FINDER)
    for name in MODULES:
        if name in sys.modules and _is_ours(sys.modules[name]):
            del sys.modules[name]
    plugins.unregister(_PLUGIN)


def _is_ours(module: ModuleType) -> bool:
    return isinstance(getattr(module.__spec__, "loader", None), CourseLoader)


def _found_elsewhere() -> str | None:
    """Return where `import tinytorch` finds a module without this package, or None."""
    imported = sys.modules.get(_PACKAGE)
    spec = imported.__spec__ if imported else importlib.util.find_spec(_PACKAGE)
    if spec is None:
        return "a module that the program has created" if imported else None
    folders = ", ".join(spec.submodule_search_locations or ())
    return (spec.origin if spec.has_location else None) or folders or repr(spec)
