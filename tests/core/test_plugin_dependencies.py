"""Plugin dependencies: `tinytorch_needs`, `tinytorch_uses` and `tinytorch_api`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tinytorch_core import PLUGIN_API, PluginError, PluginWarning, UnmetNeedError, hookimpl, plugins


def plugin(**statements: Any) -> SimpleNamespace:
    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        pass

    named = {f"tinytorch_{name}": value for name, value in statements.items()}
    return SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops, **named)


@pytest.fixture(autouse=True)
def _no_other_plugins() -> Any:
    with plugins.only():
        try:
            yield
        finally:
            mine = [p.name for p in plugins.status() if p.distribution == "registered from code"]
            plugins.disable(*mine)
            for name in mine:
                plugins.unregister(name)


def test_a_need_that_is_not_installed_is_an_error() -> None:
    message = (
        r"plugin 'upper' .*: it needs the plugin 'lower', which is not installed\. "
        r"Install it: pip install tinytorch-lower, or disable 'upper' as well\."
    )
    with pytest.raises(UnmetNeedError, match=message):
        plugins.register(plugin(needs=("lower",)), name="upper")
    assert plugins.active() == ()


def test_disabling_a_needed_plugin_names_the_plugin_that_needs_it() -> None:
    plugins.register(plugin(), name="lower")
    plugins.register(plugin(needs=("lower",)), name="upper")
    before = plugins.active()
    message = r"plugin 'upper' .*: it needs the plugin 'lower', which is off, set by code \(.*\)"
    with pytest.raises(UnmetNeedError, match=message):
        plugins.disable("lower")
    assert plugins.active() == before == ("lower", "upper")
    with plugins.disable("lower", "upper"):
        assert plugins.active() == ()
    assert plugins.active() == before


def test_enabling_a_plugin_without_its_need_names_what_to_enable() -> None:
    plugins.register(plugin(), name="lower")
    plugins.register(plugin(needs=("lower",)), name="upper")
    with plugins.only():
        with pytest.raises(UnmetNeedError, match=r"Enable it: plugins.enable\('lower'\)"):
            plugins.enable("upper")
        plugins.enable("upper", "lower")
        assert plugins.active() == ("lower", "upper")


def test_a_plugin_comes_after_those_it_needs_and_uses() -> None:
    plugins.register(plugin(), name="z")
    plugins.register(plugin(uses=("absent", "z")), name="b")
    plugins.register(plugin(needs=("b",)), name="a")
    plugins.register(plugin(), name="c")
    active = plugins.active()
    assert [name for name in active if name != "c"] == ["z", "b", "a"]
    assert "c" in active


@pytest.mark.parametrize("word", ["needs", "uses"])
def test_a_circle_of_needs_or_uses_is_refused(word: str) -> None:
    plugins.register(plugin(uses=("b",)), name="a")
    with pytest.raises(PluginError, match=r"in a cycle: (a <- b <- a|b <- a <- b)\. One of them"):
        plugins.register(plugin(**{word: ("a",)}), name="b")
    assert plugins.active() == ("a",)


@pytest.mark.parametrize("supported", [(1, PLUGIN_API), (PLUGIN_API, PLUGIN_API + 3)])
def test_a_plugin_that_supports_this_plugin_api_is_accepted(supported: tuple[int, int]) -> None:
    plugins.register(plugin(api=supported), name="fits")
    assert "fits" in plugins.active()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ({"api": (8, 9)}, f"supports the plugin API 8 to 9, and tinytorch-core has {PLUGIN_API}"),
        ({"api": (0, 0)}, f"supports the plugin API 0, and tinytorch-core has {PLUGIN_API}"),
        ({"api": 1}, r"tinytorch_api is 1. Write .* tinytorch_api = \(1, 1\)"),
        ({"api": "1"}, r"tinytorch_api is '1'"),
        ({"needs": "lower"}, "tinytorch_needs is 'lower'. Write the names of plugins as a tuple"),
        ({"uses": (1,)}, r"tinytorch_uses is \(1,\)"),
        ({"needs": ("lower>>2",)}, r"tinytorch_needs has 'lower>>2', which is not a name with"),
        (
            {"uses": ("lower>=two",)},
            r"uses has 'lower>=two', .* tinytorch_uses = \(\"layers\", \"lo",
        ),
        ({"uses": ("lower 2",)}, "tinytorch_uses has 'lower 2', which"),
        ({"needs": ("lower[fast]>=2",)}, r"tinytorch_needs has 'lower\[fast\]>=2', which"),
        ({"need": ("lower",)}, r"tinytorch_need = \('lower',\).* Did you mean 'tinytorch_needs'"),
    ],
)
def test_wrong_settings_of_a_plugin_are_refused(statements: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        plugins.register(plugin(**statements), name="odd")
    assert plugins.active() == ()


@pytest.mark.parametrize("word", ["needs", "uses"])
def test_a_plugin_registered_from_code_has_no_version(word: str) -> None:
    plugins.register(plugin(), name="lower")
    message = (
        r"plugin 'upper' .*: it requires lower>=0\.2, and 'lower' was registered from code, so it "
        r"has no version\. Require 'lower' without versions, or disable 'upper'\."
    )
    with pytest.raises(UnmetNeedError, match=message):
        plugins.register(plugin(**{word: ("lower>=0.2",)}), name="upper")
    assert plugins.active() == ("lower",)


def test_the_version_of_a_plugin_that_is_only_used_may_be_missing() -> None:
    plugins.register(plugin(uses=("absent>=1",)), name="upper")
    assert plugins.active() == ("upper",)
    assert plugins.find("upper").uses == ("absent",)


def test_a_block_ends_with_a_warning_if_a_need_was_unregistered_inside() -> None:
    plugins.register(plugin(), name="lower")
    plugins.register(plugin(), name="other")
    plugins.register(plugin(needs=("lower",)), name="upper")
    message = "'upper' .* needs the plugin 'lower', which is not installed"
    with pytest.warns(PluginWarning, match=message), plugins.only():
        plugins.unregister("lower")
    assert plugins.active() == ("other",)
    with plugins.only():
        pass
    assert plugins.active() == ("other",)
    plugins.register(plugin(), name="lower")
    assert plugins.active() == ("lower", "other", "upper")


INSTALLED = """
from tinytorch_core import hookimpl
{statement}
@hookimpl
def tinytorch_register_ops(ops): pass
"""


def test_a_plugin_without_its_need_is_left_out_at_the_start(site: Any) -> None:
    site.install("lower", INSTALLED.format(statement=""))
    site.install("upper", INSTALLED.format(statement="tinytorch_needs = ('lower',)"))
    program = "from tinytorch_core import plugins; print(*plugins.active())"
    done = site.run(program, TINYTORCH_PLUGINS="lower,upper")
    assert (done.stdout, done.stderr) == ("lower upper\n", "")
    done = site.run(program, TINYTORCH_PLUGINS="upper")
    assert done.stdout == "\n"
    assert "it needs the plugin 'lower', which is off, set by TINYTORCH_PLUGINS" in done.stderr
    done = site.run(program, TINYTORCH_PLUGINS="upper", TINYTORCH_STRICT="1")
    assert "UnmetNeedError: plugin 'upper' (upper-dist 1.0): it needs the plugin 'l" in done.stderr
    # Enabling the need activates the plugin too.
    program = "from tinytorch_core import plugins; plugins.enable('lower'); print(plugins.active())"
    done = site.run(program, TINYTORCH_PLUGINS="upper", PYTHONWARNINGS="ignore")
    assert done.stdout == "('lower', 'upper')\n"


@pytest.mark.parametrize("word", ["needs", "uses"])
@pytest.mark.parametrize("versions", [">=1", ">=0.5, <2", "==1.*", "~=1.0", "!=0.9"])
def test_an_installed_version_that_fits_is_accepted(word: str, versions: str, site: Any) -> None:
    site.install("lower", INSTALLED.format(statement=""))
    site.install("a", INSTALLED.format(statement=f"tinytorch_{word} = ('lower{versions}',)"))
    program = """
from tinytorch_core import plugins
print(*plugins.active(), plugins.find("a").needs, plugins.find("a").uses)
"""
    done = site.run(program, TINYTORCH_PLUGINS="a,lower")
    names = "('lower',) ()" if word == "needs" else "() ('lower',)"
    assert (done.stdout, done.stderr) == (f"lower a {names}\n", "")


@pytest.mark.parametrize("word", ["needs", "uses"])
def test_an_installed_version_that_does_not_fit_is_an_error(word: str, site: Any) -> None:
    site.install("lower", INSTALLED.format(statement=""))
    site.install("upper", INSTALLED.format(statement=f"tinytorch_{word} = ['lower>=1.1,<2']"))
    program = "from tinytorch_core import plugins; print(*plugins.active())"
    done = site.run(program, TINYTORCH_PLUGINS="lower,upper")
    assert done.stdout == "lower\n"
    message = (
        "plugin 'upper' (upper-dist 1.0): it requires lower<2,>=1.1, and lower-dist 1.0 is "
        "installed. Install one that fits: pip install \"lower-dist<2,>=1.1\", or disable 'upper'."
    )
    assert message in done.stderr
    done = site.run(program, TINYTORCH_PLUGINS="lower,upper", TINYTORCH_STRICT="1")
    assert "UnmetNeedError: plugin 'upper'" in done.stderr


def test_packaging_is_imported_only_for_versions(site: Any) -> None:
    site.install("lower", INSTALLED.format(statement=""))
    site.install("upper", INSTALLED.format(statement="tinytorch_needs = ('lower',)"))
    program = "import sys, tinytorch_core; print('packaging' in sys.modules)"
    assert site.run(program, TINYTORCH_PLUGINS="lower,upper").stdout == "False\n"
