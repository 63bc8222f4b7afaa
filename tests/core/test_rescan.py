"""`plugins.rescan` finds what pip has done since the start of the program."""

from __future__ import annotations

from typing import Any

import pytest

# A program can install, upgrade and remove distributions in the folder of its packages.
PIP = """
import shutil, sys
from pathlib import Path
from tinytorch_core import Tensor, plugins

packages = next(Path(p) for p in sys.path if Path(p, "sitecustomize.py").exists())

def install(name, code="def tinytorch_register_ops(ops): ops.add({name!r}, abs, inputs=['x'])",
            version="1.0", module=None):
    module = module or f"{name}_module"
    hook = "from tinytorch_core import hookimpl\\n@hookimpl\\n"
    packages.joinpath(f"{module}.py").write_text(hook + code.format(name=name))
    uninstall(name)
    folder = packages / f"{name}_dist-{version}.dist-info"
    folder.mkdir()
    folder.joinpath("METADATA").write_text(f"Name: {name}-dist\\nVersion: {version}\\n")
    folder.joinpath("entry_points.txt").write_text(f"[tinytorch]\\n{name} = {module}\\n")

def uninstall(name):
    for folder in packages.glob(f"{name}_dist-*"):
        shutil.rmtree(folder)
"""


@pytest.fixture
def run(site: Any) -> Any:
    def run(code: str, **variables: str) -> list[str]:
        done = site.run(PIP + code, **variables)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_without_changes(run: Any) -> None:
    assert run(
        "before = plugins.active(); print(plugins.rescan(), plugins.active() == before)"
    ) == ["No plugin was installed, updated or removed. True"]


def test_a_plugin_that_was_installed_is_turned_on(run: Any) -> None:
    code = """
install("new")
print(plugins.rescan())
print("new" in plugins.active(), plugins.surface().ops["new"].provider)
print(plugins.rescan())
with plugins.disable("new"):
    print("new" in plugins.active())
"""
    assert run(code) == [
        "now on: new (new-dist 1.0)",
        "True plugin 'new' (new-dist 1.0)",
        "No plugin was installed, updated or removed.",
        "False",
    ]


def test_the_settings_apply(run: Any, site: Any) -> None:
    code = """
install("new")
Path("tinytorch.toml").write_text("[plugins]\\nnew = false\\n")
print(plugins.rescan())
install("newer")
with plugins.only():
    print(plugins.rescan())
print("newer" in plugins.active(), "new_module" in sys.modules)
"""
    first, second, third = run(code)
    file = site.work / "tinytorch.toml"
    assert first == (
        f"not on: new, which is off, set by {file}:2. Enable it: plugins.enable('new')"
    )
    assert second.startswith("not on: newer, which is off, set by code (")
    assert third == "True False"


def test_a_plugin_that_was_not_imported_is_updated_or_removed(run: Any) -> None:
    code = """
install("other")
plugins.rescan()
install("new")
with plugins.disable("other"):
    with plugins.only("autograd"):
        plugins.rescan()
        install("new", version="2.0")
        print(plugins.rescan().restart, plugins.find("new").version)
        uninstall("new")
        print(plugins.rescan(), plugins.rescan())
        try:
            plugins.enable("new")
        except LookupError as error:
            print(type(error).__name__)
"""
    assert run(code) == [
        "() 2.0",
        "removed: new (new-dist 2.0) No plugin was installed, updated or removed.",
        "UnknownPluginError",
    ]


def test_a_plugin_that_is_in_use_needs_a_restart(run: Any) -> None:
    code = """
install("new")
plugins.rescan()
install("new", version="2.0")
for i in range(2):
    result = plugins.rescan()
    print(result)
print(result.on, plugins.find("new").origin, "new" in plugins.active())
uninstall("new")
print(plugins.rescan())
with plugins.disable("new"):
    pass
print("new" in plugins.active(), [s.version for s in plugins.status() if s.name == "new"])
"""
    in_use = "restart Python: new (new-dist 1.0) has been imported, and "
    assert run(code) == [
        f"{in_use}new-dist 2.0 is installed now",
        f"{in_use}new-dist 2.0 is installed now",
        "() new-dist 1.0 True",
        f"{in_use}it is not installed now",
        "True ['1.0']",
    ]


def test_an_update_of_the_core_needs_a_restart(run: Any) -> None:
    code = """
folder = packages / "tinytorch_core-99.0.dist-info"
folder.mkdir()
folder.joinpath("METADATA").write_text("Name: tinytorch-core\\nVersion: 99.0\\n")
(reason,) = plugins.rescan().restart
print(reason.endswith(" has been imported, and 99.0 is installed now"))
"""
    assert run(code) == ["True"]


def test_a_plugin_that_failed_is_tried_again(run: Any) -> None:
    code = """
import warnings
install("new", "import missing_library")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(plugins.rescan())
    print(len(caught))
    packages.joinpath("missing_library.py").touch()
    packages.joinpath("new_module.py").write_text(
        "import missing_library\\nfrom tinytorch_core import hookimpl\\n"
        "@hookimpl\\ndef tinytorch_register_ops(ops): pass"
    )
    print(plugins.rescan())
    print(len(caught))
"""
    found = run(code)
    assert found[0].startswith("not on: new, which failed: importing new_module raised")
    assert found[1:] == ["1", "now on: new (new-dist 1.0)", "1"]


@pytest.mark.parametrize(
    ("trouble", "error", "strict"),
    [
        ("Path('tinytorch.toml').write_text('x = 1')", "ConfigError", ""),
        ("install('bad', 'def tinytorch_register_ops(ops): 1 / 0')", "PluginError", "1"),
    ],
)
def test_an_error_changes_nothing(trouble: str, error: str, strict: str, run: Any) -> None:
    code = f"""
install("new")
before = plugins.active(), Tensor.__bases__, plugins.status()
{trouble}
try:
    plugins.rescan()
except Exception as error:
    print(type(error).__name__)
print((plugins.active(), Tensor.__bases__, plugins.status()) == before)
"""
    assert run(code, TINYTORCH_STRICT=strict) == [error, "True"]


def test_a_plugin_of_the_same_name_that_was_registered_stays(run: Any) -> None:
    code = """
from types import SimpleNamespace
from tinytorch_core import hookimpl
@hookimpl
def tinytorch_register_ops(ops): pass
plugins.register(SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops), name="new")
install("new")
print(plugins.rescan())
print(plugins.find("new").origin)
"""
    assert run(code) == [
        "No plugin was installed, updated or removed.",
        "registered from code",
    ]


def test_a_configuration_that_names_a_plugin_before_it_is_installed(run: Any, site: Any) -> None:
    (site.work / "tinytorch.toml").write_text("[plugins]\nnew = true\n")
    code = """
try:
    plugins.active()
except Exception as error:
    print(type(error).__name__)
install("new")
plugins.rescan()
print("new" in plugins.active())
"""
    assert run(code) == ["ConfigError", "True"]
