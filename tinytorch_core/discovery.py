"""Find installed plugins and commands without importing them, and import only what is used.

`importlib.metadata` gives the same answer, but importing it takes about 30 ms. So this module reads
the metadata files itself: plain text in a documented format (PyPA, "Entry points specification").
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, NamedTuple

from tinytorch_core.errors import printable

# The groups of entry points: plugins, and commands of `tinytorch`.
PLUGINS = "tinytorch"
COMMANDS = "tinytorch.commands"
# Attributes that a plugin adds to Tensor, each with the plugin's name. With it, the error for a
# missing attribute can name a plugin that has never been imported.
ATTRIBUTES = "tinytorch.attributes"


class EntryPoint(NamedTuple):
    """One line `name = module:attribute` in the metadata of an installed distribution.

    `folder` is the folder with the metadata. `headers` is the text of METADATA if the distribution
    is in a zip file or a frozen program, and empty otherwise.
    """

    name: str
    folder: str
    value: str
    attributes: frozenset[str] = frozenset()
    headers: str = ""

    @property
    def distribution(self) -> str:
        """The distribution's name; read on request, because few callers need it."""
        return _header(self, "Name") or normalised(self._folder_name[0])

    @property
    def version(self) -> str:
        """The distribution's version."""
        return _header(self, "Version") or self._folder_name[1] or "unknown"

    @property
    def _folder_name(self) -> tuple[str, str]:
        """The distribution and the version in the folder's name; pip may have deleted the files."""
        name = os.path.basename(self.folder).removesuffix(".dist-info").removesuffix(".egg-info")
        distribution, _, version = printable(name).partition("-")
        return distribution, version.partition("-")[0]


def entry_points(
    group: str, path: Sequence[str] | None = None
) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group on `path`, by name; those of one name by distribution.

    In the working directory and in the program's folder, a distribution counts only if an installer
    put it there, as `pip install --target` does; metadata of a source tree is skipped. If a
    distribution occurs twice, the first on the path counts, as for imports. The default path is
    `sys.path`, and then importers of frozen programs are asked too.
    """
    found: dict[str, list[EntryPoint]] = {}
    # A program in a zip file has no folder, and its metadata is that of installed distributions.
    own = {_identity(f) for f in (os.curdir, _program_folder()) if os.path.isdir(f)}
    for folder in map(os.path.abspath, sys.path if path is None else path):
        try:
            names = os.listdir(folder)
        except NotADirectoryError:
            _add_without_files(found, group, own, [folder])
            continue
        except OSError:  # the folder does not exist
            continue
        metadata = sorted(n for n in names if n.endswith((".dist-info", ".egg-info")))
        if metadata and _identity(folder) in own:
            metadata = [n for n in metadata if os.path.isfile(os.path.join(folder, n, "RECORD"))]
        for name in metadata:
            distribution = normalised(name.removesuffix(".egg-info").partition("-")[0])
            if distribution not in found:
                file = os.path.join(folder, name)
                text = _read(os.path.join(file, "entry_points.txt"))
                found[distribution] = _entry_points_in(text, file, group)
    finders = [f for f in sys.meta_path if f is not PathFinder and hasattr(f, "find_distributions")]
    if finders and path is None:
        _add_without_files(found, group, own, None)
    groups: dict[str, tuple[EntryPoint, ...]] = {}
    for distribution in sorted(found):
        for point in found[distribution]:
            groups[point.name] = (*groups.get(point.name, ()), point)
    return dict(sorted(groups.items()))


def _add_without_files(
    found: dict[str, list[EntryPoint]], group: str, own: set[object], path: list[str] | None
) -> None:
    """Add the distributions in zip files on `path`, or those of all importers if it is None.

    Those in the folders `own` have been examined.
    """
    # Imported here, because most programs have all distributions in folders.
    from importlib.metadata import distributions

    for distribution in distributions() if path is None else distributions(path=path):
        headers = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        name = _field(headers, "Name") or ""
        try:
            location = str(distribution.locate_file(""))
        except Exception:  # an importer without files may have no location
            location = "frozen"
        if normalised(name) not in found and _identity(location) not in own:
            text = distribution.read_text("entry_points.txt") or ""
            folder = os.path.join(location, name)
            found[normalised(name)] = _entry_points_in(text, folder, group, headers)


def _identity(folder: str) -> object:
    """Return what two names of one folder have in common, or None if it does not exist."""
    try:
        status = os.stat(folder or os.curdir)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _program_folder() -> str:
    """Return the folder that Python puts into `sys.path`: the program's or the working directory.

    It is the working directory for `python -m`, `python -c` and interactive use.
    """
    # A process that multiprocessing has started runs the program under another name.
    main = sys.modules.get("__mp_main__") or sys.modules.get("__main__")
    file: str | None = getattr(main, "__file__", None)
    spec: ModuleSpec | None = getattr(main, "__spec__", None)
    if file is None or (spec is not None and spec.name != "__main__"):
        return os.curdir
    return os.path.dirname(os.path.realpath(file))


def _entry_points_in(text: str, folder: str, group: str, headers: str = "") -> list[EntryPoint]:
    if f"[{group}]" not in text:
        return []
    attributes = list(_section(text, ATTRIBUTES)) if group == PLUGINS else []
    return [
        EntryPoint(
            name, folder, value, frozenset(a for a, owner in attributes if owner == name), headers
        )
        for name, value in _section(text, group)
    ]


def _section(text: str, name: str) -> Iterator[tuple[str, str]]:
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == name and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield printable(key.strip()), "".join(value.partition("[")[0].split())


def keep_metadata(points: Sequence[EntryPoint]) -> tuple[EntryPoint, ...]:
    """Return entry points that stay complete if their metadata is deleted, and read others anew."""
    kept = [
        point._replace(headers=f"Name: {point.distribution}\nVersion: {point.version}\n")
        for point in points
    ]
    _header.cache_clear()
    return tuple(kept)


@functools.cache
def _header(point: EntryPoint, name: str) -> str | None:
    file = "PKG-INFO" if point.folder.endswith(".egg-info") else "METADATA"
    return _field(point.headers or _read(os.path.join(point.folder, file)), name)


def _field(headers: str, name: str) -> str | None:
    found = re.search(rf"^{name}:(.*)", headers.partition("\n\n")[0], re.MULTILINE)
    return found and printable(found[1].strip())


def _read(file: str) -> str:
    try:
        # Reading unbuffered bytes takes half as long as reading text.
        with open(file, "rb", buffering=0) as stream:
            return stream.read().decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def normalised(name: str) -> str:
    """Return a distribution's name in the form in which names are compared (PEP 503)."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def superfluous(points: Sequence[EntryPoint], ours: str) -> str:
    """Return which of the distributions that provide one name to uninstall: never `ours`."""
    names = [point.distribution for point in points]
    return next((name for name in reversed(names) if normalised(name) != ours), names[-1])


def lazy_names(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose names are imported on first use.

    `names` has for each module of the package the names to import from it, separated by spaces; the
    name of the module itself stands for the module. A module that begins with "tinytorch_" is one
    of another package. Type checkers need the same imports below `if TYPE_CHECKING`.
    """
    modules = {name: module for module, found in names.items() for name in found.split()}

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = modules[name]
        prefix = "" if found.startswith("tinytorch_") else f"{package}."
        module = importlib.import_module(prefix + found)
        value = module if name == found else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return __getattr__, __dir__


def import_installed(point: EntryPoint) -> ModuleType:
    """Import the module of an entry point, never a file next to the program.

    Python puts the program's folder or the working directory first in `sys.path`. A file there
    that happens to have the name of a plugin's package must not run in its place.

    Raises:
        ImportError: the package is not installed, or another file was imported under its name.
    """
    module = point.value.partition(":")[0]
    package = module.partition(".")[0]
    finder = _InstalledFinder(package, os.path.dirname(point.folder))
    if package in sys.modules:
        finder.check_imported(sys.modules[package])
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(module)
    finally:
        sys.meta_path.remove(finder)


class _InstalledFinder:
    """Finds one package as Python does, but not in the folder that Python adds to `sys.path`.

    If its distribution is installed in that folder, it is searched like the others.
    """

    def __init__(self, package: str, installed: str) -> None:
        self.package = package
        self.own = _identity(_program_folder())
        if self.own == _identity(installed):
            self.own = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.package:
            return None
        if (spec := self._find(target)) is None:
            raise ModuleNotFoundError(f"No module named {name!r} is installed", name=name)
        return spec

    def check_imported(self, module: ModuleType) -> None:
        """Raise ImportError if the package was imported from a file next to the program."""
        file = getattr(module, "__file__", None)
        if file is None or self.own is None:
            return
        # A package is a file in a folder of its name.
        folder = os.path.dirname(os.path.dirname(file) if hasattr(module, "__path__") else file)
        if _identity(folder) != self.own:
            return
        spec = self._find(module)
        installed = spec.origin if spec else None
        if installed is None or _identity(installed) != _identity(file):
            raise ImportError(
                f"{file} was imported as {self.package!r}, in place of the installed "
                f"{installed or 'module, which is missing'}; rename {file}",
                name=self.package,
                path=file,
            )

    def _find(self, target: ModuleType | None) -> ModuleSpec | None:
        folders = list(sys.path)
        # Only the first: a folder that is listed again was added on purpose, for example by an
        # editable install.
        for folder in folders if self.own else ():
            if _identity(folder) == self.own:
                folders.remove(folder)
                break
        for finder in sys.meta_path:
            if finder is not self:
                path = folders if finder is PathFinder else None
                if (spec := finder.find_spec(self.package, path, target)) is not None:
                    return spec
        return None
