"""A plugin that fails is left out with one warning that names the reason; the rest works."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins

IMPORT = "from tinytorch_core import hookimpl\n"

# Plugins that fail: the source of the module, and a part of the message.
BROKEN = {
    "cannot_be_imported": ("import nowhere_to_be_found", "raised ModuleNotFoundError: No module"),
    "is_not_python": ("def def", "raised SyntaxError"),
    "exits": ("import sys; sys.exit(3)", "raised SystemExit: 3"),
    "is_empty": ("", "it does not implement a hook. Mark its functions with @hookimpl"),
    "forgets_the_marker": (
        "def tinytorch_register_ops(ops): pass",
        "tinytorch_register_ops has no @hookimpl of tinytorch_core",
    ),
    "takes_another_marker": (
        """
        import pluggy
        hookimpl = pluggy.HookimplMarker("pytest")
        @hookimpl
        def tinytorch_register_ops(ops): pass
        """,
        "has no @hookimpl of tinytorch_core",
    ),
    "misspells_a_hook": (
        IMPORT + "@hookimpl\ndef tinytorch_register_op(ops): pass",
        "unknown hook 'tinytorch_register_op'. Did you mean 'tinytorch_register_ops'",
    ),
    "misspells_an_argument": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(opps): pass",
        "Argument(s) {'opps'} are declared in the hookimpl but can not be found",
    ),
    "has_a_default_argument": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(ops=None): pass",
        "in tinytorch_register_ops: its argument 'ops' has a default",
    ),
    "takes_any_arguments": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(*ops): pass",
        "in tinytorch_register_ops: it takes *ops, to which pluggy would never pass anything",
    ),
    "takes_any_keywords": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(ops, **more): pass",
        "it takes **more",
    ),
    "wraps_other_plugins": (
        IMPORT + "@hookimpl(wrapper=True)\ndef tinytorch_register_ops(ops): yield",
        "marked wrapper=True, to run around the hooks of other plugins",
    ),
    "raises_when_it_adds_hooks": (
        IMPORT + "@hookimpl\ndef tinytorch_add_hookspecs(manager): 1 / 0",
        "in tinytorch_add_hookspecs: ZeroDivisionError",
    ),
    "raises_when_it_is_configured": (
        IMPORT + "@hookimpl\ndef tinytorch_configure(config): raise ValueError('digits: too few')",
        "in tinytorch_configure: ValueError: digits: too few",
    ),
    "raises_when_it_adds_ops": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(ops): raise KeyError('x')",
        "in tinytorch_register_ops: KeyError: 'x'",
    ),
    "raises_when_it_extends": (
        IMPORT + "@hookimpl\ndef tinytorch_extend_tensor(tensor): tensor.nope()",
        "in tinytorch_extend_tensor: AttributeError",
    ),
    "raises_when_it_wraps": (
        IMPORT + "@hookimpl\ndef tinytorch_wrap_op(op, call): raise RuntimeError(op.name)",
        "in tinytorch_wrap_op: RuntimeError: add",
    ),
    "exits_in_a_hook": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(ops): raise SystemExit(1)",
        "in tinytorch_register_ops: SystemExit: 1",
    ),
    "takes_a_name_that_is_taken": (
        IMPORT + "@hookimpl\ndef tinytorch_register_ops(ops): ops.add('exp', lambda x: x)",
        "op 'exp' is already provided by tinytorch-core; choose another name",
    ),
}

GOOD = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_extend_tensor(tensor):
    tensor.add("good", True)
"""


@pytest.fixture(scope="module")
def broken_site(make_site: Any) -> Any:
    site = make_site()
    for name, (code, _) in BROKEN.items():
        site.install(name, code)
    site.install("a_good_one", GOOD)
    site.install("zz_good", GOOD.replace('"good"', '"better"'))
    return site


@pytest.fixture(scope="module")
def program(broken_site: Any) -> Any:
    return broken_site.run(
        """
        from tinytorch_core import Tensor, plugins
        import tinytorch_core
        assert Tensor.good and Tensor.better
        assert repr(Tensor([1.0]) * 2) == "Tensor([2.])"
        x = Tensor([2.0], requires_grad=True)
        (x * x).backward()
        assert x.grad == 4
        with plugins.disable("a_good_one"):
            assert not hasattr(Tensor, "good") and Tensor.better
        print(*plugins.active())
        """
    )


@pytest.fixture(scope="module")
def listing(broken_site: Any) -> Any:
    return broken_site.plugins()


def test_the_core_and_other_plugins_keep_working(program: Any) -> None:
    assert program.returncode == 0, program.stderr
    assert {"a_good_one", "autograd", "zz_good"} <= set(program.stdout.split())
    assert not set(BROKEN) & set(program.stdout.split())


@pytest.mark.parametrize("name", BROKEN)
def test_one_warning_names_the_plugin_and_the_reason(name: str, program: Any) -> None:
    (line,) = [line for line in program.stderr.splitlines() if f"plugin '{name}'" in line]
    assert f"PluginWarning: plugin '{name}' ({name}-dist 1.0)" in line
    assert BROKEN[name][1] in program.stderr
    assert program.stderr.count("It is left out; everything else works.") == len(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_the_command_lists_the_plugin_as_failed_with_the_reason(name: str, listing: Any) -> None:
    (row,) = [line for line in listing.stdout.splitlines() if line.startswith(f"{name} ")]
    assert row.split() == [name, f"{name}-dist", "1.0", "failed", "installed"]
    (why,) = [part for part in listing.stdout.split("\n\n") if f"plugin '{name}' (" in part]
    assert BROKEN[name][1] in why


def test_the_command_exits_with_1_and_prints_no_warnings(listing: Any) -> None:
    assert listing.returncode == 1
    assert listing.stderr == ""


@pytest.mark.parametrize("name", ["is_empty", "exits", "raises_when_it_wraps"])
def test_a_disabled_plugin_does_not_fail(name: str, broken_site: Any) -> None:
    others = ",".join(f"no:{n}" for n in BROKEN if n != name)
    again = broken_site.run("import tinytorch_core", TINYTORCH_PLUGINS=f"{others},no:{name}")
    assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize("name", ["exits", "misspells_a_hook", "raises_when_it_extends"])
def test_strict_mode_raises_the_error(name: str, broken_site: Any) -> None:
    only = {"TINYTORCH_PLUGINS": f"autograd,a_good_one,{name}", "TINYTORCH_STRICT": "1"}
    done = broken_site.run("import tinytorch_core; print('imported')", **only)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"PluginError: plugin '{name}' ({name}-dist 1.0)" in done.stderr
    assert BROKEN[name][1] in done.stderr


def test_strict_mode_does_not_stop_the_command(broken_site: Any) -> None:
    done = broken_site.plugins(TINYTORCH_STRICT="1")
    assert done.returncode == 1
    assert BROKEN["exits"][1] in done.stdout
    assert done.stderr == ""


def test_strict_mode_changes_nothing_if_no_plugin_fails(broken_site: Any) -> None:
    done = broken_site.run(
        "from tinytorch_core import plugins; print(*plugins.active())",
        TINYTORCH_PLUGINS="a_good_one",
        TINYTORCH_STRICT="1",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a_good_one\n", "")


def test_strict_mode_raises_again_at_the_next_import(broken_site: Any) -> None:
    done = broken_site.run(
        """
        for attempt in range(2):
            try:
                import tinytorch_core
            except Exception as error:
                print(type(error).__name__)
        """,
        TINYTORCH_PLUGINS="exits",
        TINYTORCH_STRICT="1",
    )
    assert done.stdout == "PluginError\n" * 2, done.stderr


def test_a_warning_turned_into_an_error_ends_the_import(broken_site: Any) -> None:
    done = broken_site.start(
        "-W", "error", "-c", "import tinytorch_core", TINYTORCH_PLUGINS="a_good_one,exits"
    )
    assert done.returncode == 1
    assert "PluginWarning: plugin 'exits'" in done.stderr


def test_enabling_a_failed_plugin_raises_its_error_again(broken_site: Any) -> None:
    done = broken_site.run(
        """
        import warnings
        warnings.simplefilter("ignore")
        from tinytorch_core import PluginError, Tensor, plugins
        before = Tensor.__bases__, plugins.active()
        for name in ("exits", "raises_when_it_wraps"):
            try:
                plugins.enable(name)
            except PluginError as error:
                print(error)
            assert (Tensor.__bases__, plugins.active()) == before
        states = {p.name: (p.state, p.error) for p in plugins.status()}
        assert states["exits"][0] == "failed" and "SystemExit: 3" in states["exits"][1]
        plugins.disable("exits")
        states = {p.name: (p.state, p.error) for p in plugins.status()}
        assert states["exits"] == ("off", None)
        """
    )
    assert done.returncode == 0, done.stderr
    assert "raised SystemExit: 3" in done.stdout
    assert "in tinytorch_wrap_op: RuntimeError: add" in done.stdout


# Failures that involve two plugins or other metadata.


def test_two_distributions_with_a_plugin_of_the_same_name_are_refused(site: Any) -> None:
    site.install("twin", GOOD, distribution="first-dist", module="first_module")
    site.install("twin", GOOD, distribution="second-dist", module="second_module")
    done = site.run("from tinytorch_core import Tensor; print(hasattr(Tensor, 'good'))")
    assert done.stdout == "False\n"
    assert "several distributions provide a plugin of this name" in done.stderr
    assert "(first-dist 1.0, second-dist 1.0)" in done.stderr
    assert "pip uninstall second-dist" in done.stderr
    assert "twin" in site.plugins().stdout


def test_the_second_plugin_that_adds_an_attribute_fails(site: Any) -> None:
    site.install("first", GOOD)
    site.install("second", GOOD)
    done = site.plugins()
    table = done.stdout.partition("\n\n")[0]
    states = {line.split()[0]: line.split()[3] for line in table.splitlines()}
    assert (states["first"], states["second"]) == ("on", "failed")
    assert "plugin 'second' (second-dist 1.0) in tinytorch_extend_tensor" in done.stdout
    assert "Tensor.good is already provided by plugin 'first' (first-dist 1.0)" in done.stdout
    repaired = site.plugins(TINYTORCH_PLUGINS="no:first")
    assert repaired.returncode == 0


def test_a_class_is_refused_and_an_instance_is_accepted(site: Any) -> None:
    code = """
    from tinytorch_core import hookimpl
    class Plugin:
        @hookimpl
        def tinytorch_extend_tensor(self, tensor):
            tensor.add("good", True)
    plugin = Plugin()
    """
    site.install("kind", code)
    points = next(site.packages.glob("*.dist-info")) / "entry_points.txt"
    points.write_text("[tinytorch]\nkind = kind_module:Plugin\n")
    assert "Plugin is a class, so its hooks would be called without `self`" in site.plugins().stdout
    points.write_text(
        "[console_scripts]\nx = y:z\n[tinytorch]\n# it\nkind = kind_module : plugin [extra]\n"
    )
    assert site.plugins().returncode == 0
    points.write_text("[tinytorch]\nkind = kind_module:plugins\n")
    assert (
        "AttributeError: module 'kind_module' has no attribute 'plugins'" in site.plugins().stdout
    )


def failing_in(hook: str) -> Any:
    """Return a plugin with every hook, one of which raises."""

    class Plugin:
        @hookimpl
        def tinytorch_configure(self, config: Any) -> None:
            self.fail_in("tinytorch_configure")

        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            ops.add("halved", lambda x: x / 2, method=True)
            self.fail_in("tinytorch_register_ops")

        @hookimpl
        def tinytorch_wrap_op(self, op: Any, call: Any) -> Any:
            if op.name == "halved":
                self.fail_in("tinytorch_wrap_op")
            return lambda *a, **k: call(*a, **k)

        @hookimpl
        def tinytorch_extend_tensor(self, tensor: Any) -> None:
            tensor.add("half", 0.5)
            self.fail_in("tinytorch_extend_tensor")

        def fail_in(self, here: str) -> None:
            if here == hook:
                raise RuntimeError("half-way")

    return Plugin()


@pytest.mark.parametrize(
    "hook",
    [
        "tinytorch_configure",
        "tinytorch_register_ops",
        "tinytorch_wrap_op",
        "tinytorch_extend_tensor",
    ],
)
def test_a_plugin_that_fails_in_a_later_hook_changes_nothing(hook: str) -> None:
    x = Tensor([1.0])
    inspect.getmembers(Tensor)  # Python 3.14 adds the annotations when they are first read
    before = inspect.getmembers(Tensor), plugins.status()
    with pytest.raises(PluginError, match=f"{hook}: RuntimeError: half-way") as caught:
        plugins.register(failing_in(hook), name="half")
    after = inspect.getmembers(Tensor), plugins.status()
    assert after == before
    assert (caught.value.plugin, caught.value.hook) == ("half", hook)
    assert caught.value.distribution == "registered from code"
    assert "plugins.disable('half')" in caught.value.remedy
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert repr(x * 2) == "Tensor([2.])"


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (SimpleNamespace(), "it does not implement a hook"),
        (SimpleNamespace(tinytorch_wrap_op=lambda op, call: None), "has no @hookimpl"),
        (type(failing_in("")), "Plugin is a class"),
        (3, "it does not implement a hook"),
    ],
)
def test_objects_without_usable_hooks_are_refused(plugin: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        plugins.register(plugin, name="useless")
    assert "useless" not in [p.name for p in plugins.status()]


# Import order.

ONE_FILE = """
import numpy as np
from tinytorch_core import Tensor, hookimpl
{at_import}
@hookimpl
def tinytorch_register_ops(ops):
    ops.add("swish", lambda x: x / (1 + np.exp(-x)), method=True)
"""


def test_a_plugin_may_be_imported_before_the_core(site: Any) -> None:
    site.install("swish", ONE_FILE.format(at_import=""))
    done = site.run(
        """
        import swish_module
        from tinytorch_core import Tensor, plugins
        assert round(Tensor([1.0]).swish().item(), 3) == 0.731
        assert "swish" in plugins.active()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = site.run(
        "import swish_module; from tinytorch_core import plugins; print(plugins.active())"
    )
    assert "swish" in done.stdout


def test_a_disabled_plugin_may_be_imported_before_the_core(site: Any) -> None:
    site.install("swish", ONE_FILE.format(at_import=""))
    done = site.run(
        """
        import swish_module
        from tinytorch_core import Tensor, plugins
        assert not hasattr(Tensor([1.0]), "swish")
        plugins.enable("swish")
        assert Tensor([0.0]).swish().item() == 0
        """,
        TINYTORCH_PLUGINS="no:swish",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_subclass_defined_before_the_start_is_complete(site: Any) -> None:
    site.install("swish", ONE_FILE.format(at_import=""))
    done = site.run(
        """
        import swish_module
        from tinytorch_core import Tensor
        lengths = []
        class Zeros(Tensor):
            def __init__(self, length):
                lengths.append(length)
                super().__init__([0.0] * length)
        assert repr(Zeros(2).swish()) == "Tensor([0., 0.])"
        assert lengths == [2]
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plugin_may_create_a_tensor_while_it_is_imported(site: Any) -> None:
    site.install("swish", ONE_FILE.format(at_import="Tensor([1.0]) * 2"))
    for first in ("import swish_module", "import tinytorch_core"):
        done = site.run(f"{first}\nfrom tinytorch_core import Tensor\nprint(Tensor([0.0]).swish())")
        assert (done.stdout, done.stderr) == ("Tensor([0.])\n", "")


@pytest.mark.parametrize("first", ["tinytorch_autograd", "tinytorch_autograd.plugin"])
def test_autograd_may_be_imported_before_the_core(first: str, site: Any) -> None:
    done = site.run(
        f"""
        import {first}
        from tinytorch_core import Tensor
        x = Tensor([3.0], requires_grad=True)
        (x * x).backward()
        print(x.grad)
        """
    )
    assert (done.stdout, done.stderr) == ("[6.]\n", "")
