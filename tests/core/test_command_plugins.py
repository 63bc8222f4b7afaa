"""`tinytorch plugins`: the state of each plugin, what it adds, and why it failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import Tensor, __version__, plugins
from tinytorch_core.cli import main

GOOD = """
import time
time.sleep(0.03)
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("twice", lambda x: 2 * x, method=True)
    ops.add("half", lambda x: x / 2)

@hookimpl
def tinytorch_extend_tensor(tensor):
    tensor.add("good", True)
    tensor.add("_hidden", True)
    tensor.add_keyword("name", lambda t, value: None, lambda t: None, None)

@hookimpl
def tinytorch_wrap_op(op, call):
    return (lambda *a, **k: call(*a, **k)) if op.name in ("exp", "half") else None
"""


@pytest.fixture(scope="module")
def good(make_site: Any) -> Any:
    site = make_site()
    site.install("good", GOOD)
    return site


def listed(site: Any, name: str, **variables: str) -> dict[str, Any]:
    """Return the JSON record of one plugin."""
    done = site.start("-m", "tinytorch_core", "plugins", name, "--json", **variables)
    answer = json.loads(done.stdout)
    assert answer["core"] == __version__
    (record,) = answer["plugins"]
    return record


def row(site: Any, name: str, **variables: str) -> list[str]:
    (line,) = [x for x in site.plugins(**variables).stdout.splitlines() if x.startswith(f"{name} ")]
    return line.split()


def test_the_table_has_a_row_for_each_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "PLUGIN"
    assert [row.split()[0] for row in rows] == [p.name for p in plugins.status()]
    autograd = next(row for row in rows if row.startswith("autograd "))
    assert autograd.split()[1:5] == ["tinytorch-autograd", __version__, "on", "installed"]
    assert max(map(len, [header, *rows])) <= 100


def test_the_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    with plugins.disable("autograd"):
        main(["plugins"])
    header, *rows = capsys.readouterr().out.splitlines()
    for column in ("DISTRIBUTION", "VERSION", "STATE", "SETTING"):
        start = header.index(column)
        for row in rows:
            assert row[start - 1] == " "
            assert row[start] != " "
    for column in ("OPS", "WRAPS", "ATTRS"):
        end = header.index(column) + len(column)
        assert {row[end - 1] for row in rows if len(row) > end} <= {*"0123456789", " "}
    (autograd,) = [row.split() for row in rows if row.startswith("autograd ")]
    assert autograd[1:5] == ["tinytorch-autograd", __version__, "off", "code"]
    assert Path(__file__).name in autograd[5]


def test_without_plugins_it_explains_how_to_install_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "status", list)
    assert main(["plugins"]) == 0
    assert "No plugin is installed" in capsys.readouterr().out


def test_json_lists_what_a_plugin_adds(good: Any) -> None:
    record = listed(good, "good")
    assert record["import_seconds"] == pytest.approx(0.03)
    assert {key: record[key] for key in record if key != "import_seconds"} == {
        "name": "good",
        "state": "on",
        "distribution": "good-dist",
        "version": "1.0",
        "decided_by": "installed",
        "error": None,
        "place": None,
        "ops": ["twice", "half"],
        "wraps": ["exp", "half"],
        "attributes": ["_hidden", "good", "twice"],
        "keywords": ["name"],
    }
    cells = row(good, "good")
    assert cells[:8] == ["good", "good-dist", "1.0", "on", "installed", "2", "2", "2"]
    assert cells[8:10] == ["30", "ms"]


def test_naming_plugins_shows_their_details(good: Any) -> None:
    done = good.start("-m", "tinytorch_core", "plugins", "good", "autograd")
    first, second = done.stdout.split("\n\n")
    assert first.splitlines()[0] == "good"
    for line in (
        "distribution  good-dist 1.0",
        "state         on",
        "setting       installed",
        "ops added     twice, half",
        "ops wrapped   exp, half",
        "on Tensor     good, twice",
        "in Tensor()   name=",
    ):
        assert f"\n  {line}\n" in first
    assert second.startswith("autograd\n")
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    assert "requires_grad=" in second


def test_a_plugin_that_is_off_is_listed_without_being_imported(good: Any) -> None:
    assert row(good, "good", TINYTORCH_PLUGINS="no:good")[3:] == ["off", "TINYTORCH_PLUGINS"]
    record = listed(good, "good", TINYTORCH_PLUGINS="no:good")
    assert (record["state"], record["import_seconds"]) == ("off", None)
    assert "ops" not in record


def test_the_setting_in_a_file_is_shown_with_its_line(good: Any) -> None:
    file = good.work / "tinytorch.toml"
    file.write_text("# ours\n[plugins]\ngood = false\n")
    try:
        assert row(good, "good")[3:] == ["off", "tinytorch.toml:3"]
        assert listed(good, "good")["decided_by"] == f"{file}:3"
    finally:
        file.unlink()


def test_a_wrong_configuration_is_reported_next_to_the_list(good: Any) -> None:
    listed = good.plugins(TINYTORCH_PLUGINS="godo")
    assert listed.returncode == 1
    assert (
        "The configuration is wrong, so no plugin is on: TINYTORCH_PLUGINS names the plugin 'godo'"
        in listed.stderr
    )
    assert "Did you mean 'good'?" in listed.stderr
    assert "good-dist" in listed.stdout
    done = good.start("-m", "tinytorch_core", "plugins", "--json", TINYTORCH_PLUGINS="godo")
    assert "Did you mean 'good'?" in json.loads(done.stdout)["error"]


def test_an_unknown_name_is_an_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "autogard"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "no plugin 'autogard' is installed or registered. Did you mean 'autograd'?" in output.err


def test_the_command_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = Tensor.__bases__, plugins.status()
    main(["plugins", "--json"])
    assert (Tensor.__bases__, plugins.status()) == before


# The location of an error.

HOOK = "from tinytorch_core import hookimpl\n\n@hookimpl\ndef tinytorch_register_ops(ops):\n    "
LOCATIONS = {
    "in_its_module": ("\n\n1 / 0", 3),
    "in_another_module": ("import numpy as np\nnp.zeros(2).reshape(3)", 2),
    "in_a_hook": (HOOK + "{}['x']", 5),
    "in_an_op": (HOOK + "ops.add('exp', abs)", 5),
    "below_a_hook": ("def f():\n    raise ValueError\n" + HOOK + "f()", 2),
    "in_a_lambda": (HOOK + "sorted([1, 2], key=lambda x: x.y)", 5),
    "in_a_library": (HOOK + "__import__('json').loads('{')", 5),
    "in_its_syntax": ("x = 1\ndef def", 2),
    "in_a_signature": ("\n" + HOOK.replace("(ops)", "(ops=None)") + "pass", 4),
    "in_a_class": ("\nclass Plugin:\n    pass", 2),
    "without_hooks": ("", None),
    "needs_itself": ('tinytorch_needs = ("needs_itself",)\n' + HOOK + "pass", None),
}


@pytest.fixture(scope="module")
def failed(make_site: Any) -> Any:
    site = make_site()
    for name, (code, _) in LOCATIONS.items():
        site.install(name, code)
    points = next(site.packages.glob("in_a_class*.dist-info")) / "entry_points.txt"
    points.write_text("[tinytorch]\nin_a_class = in_a_class_module:Plugin\n")
    done = site.start("-m", "tinytorch_core", "plugins", "--json")
    records = {p["name"]: p for p in json.loads(done.stdout)["plugins"]}
    return site, records, site.plugins().stdout


@pytest.mark.parametrize("name", LOCATIONS)
def test_the_location_of_an_error(name: str, failed: Any) -> None:
    site, records, table = failed
    assert records[name]["state"] == "failed"
    file = site.packages / f"{name}_module.py"
    line = LOCATIONS[name][1]
    location = f"{file}:{line}" if line else str(file)
    assert records[name]["place"] == location
    assert f"\n  at {location}\n" in table


def test_the_line_of_the_plugin_is_preferred_to_one_of_a_library(site: Any) -> None:
    package = site.packages / "a_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text("import numpy as np\n\nnp.stack([])\n")
    site.install("packaged", value="a_package.plugin")
    assert listed(site, "packaged")["place"] == f"{package / 'plugin.py'}:3"


def test_an_error_may_have_no_location(site: Any) -> None:
    site.install("lost", "")
    (site.packages / "lost_module.py").unlink()
    record = listed(site, "lost")
    assert record["state"] == "failed"
    assert record["place"] is None


# --trace.


def steps(site: Any, *arguments: str, **variables: str) -> list[dict[str, Any]]:
    command = ("-m", "tinytorch_core", "plugins", "--trace", "--json", *arguments)
    return json.loads(site.start(*command, **variables).stdout)["trace"]


def test_the_trace_shows_imports_and_hooks_in_order_with_their_times(good: Any) -> None:
    found = steps(good)
    own = [step for step in found if step["plugin"] == "good"]
    assert [(s["what"], s["calls"], s["added"], s["error"]) for s in own] == [
        ("import", 1, 0, None),
        ("tinytorch_register_ops", 1, 2, None),
        ("tinytorch_wrap_op", own[2]["calls"], 0, None),
        ("tinytorch_extend_tensor", 1, 3, None),
    ]
    assert own[2]["wrapped"] == 2
    # The clock of these programs advances only in `sleep`.
    assert [s["seconds"] for s in own] == [pytest.approx(0.03), 0, 0, 0]
    rules = next(s for s in found if s["what"] == "tinytorch_register_backward")
    assert rules["added"] > 0
    assert found.index(own[0]) < found.index(own[1]) < found.index(own[2]) < found.index(own[3])
    assert steps(good, "good") == own


def test_the_trace_is_a_table_with_a_total(good: Any) -> None:
    done = good.start("-m", "tinytorch_core", "plugins", "--trace", "good")
    assert (done.returncode, done.stderr) == (0, "")
    table = done.stdout.partition("\n\n")[2].splitlines()
    assert table[0].split() == ["PLUGIN", "HOOK", "CALLS", "EFFECT", "MS"]
    assert table[1].split() == ["good", "import", "1", "30.00"]
    assert table[2].split() == ["good", "tinytorch_register_ops", "1", "2", "added", "0.00"]
    assert " 2 of " in table[3]
    assert " wrapped " in table[3]
    assert table[-1].split()[0] == "total"
    assert table[-1].split()[-1] == "30.00"


def test_the_time_of_a_hook_is_without_the_hooks_that_it_calls(site: Any) -> None:
    site.install(
        "outer",
        """
        import time
        from tinytorch_core import hookimpl, hookspec
        class Specs:
            @hookspec
            def tinytorch_inner(self, things): "Adds things."
        @hookimpl
        def tinytorch_add_hookspecs(manager): manager.add_hookspecs(Specs)
        @hookimpl
        def tinytorch_extend_tensor(tensor):
            time.sleep(0.2)
            tensor.surface.call_hook("tinytorch_inner", lambda plugin: {"things": []})
        """,
    )
    site.install(
        "inner",
        """
        import time
        from tinytorch_core import hookimpl
        @hookimpl(optionalhook=True)
        def tinytorch_inner(things):
            time.sleep(0.1)
            things += ["a", "b"]
        """,
    )
    found = {s["what"]: s for s in steps(site) if s["plugin"] in ("inner", "outer")}
    assert found["tinytorch_extend_tensor"]["seconds"] == pytest.approx(0.2)
    assert found["tinytorch_inner"]["seconds"] == pytest.approx(0.1)
    assert found["tinytorch_inner"]["added"] == 2


def test_the_trace_shows_plugins_that_fail(site: Any) -> None:
    site.install("fails-to-import", "import no_such_module", module="fails_to_import")
    site.install(
        "raises",
        "from tinytorch_core import hookimpl\n"
        "@hookimpl(trylast=True)\ndef tinytorch_register_ops(ops): raise KeyError(1)\n",
    )
    done = site.start("-m", "tinytorch_core", "plugins", "--trace")
    assert done.returncode == 1
    assert "fails-to-import  import" in done.stdout
    assert "failed: ModuleNotFoundError" in done.stdout
    assert "failed: KeyError" in done.stdout
    # The hooks of the others run again, without it.
    found = [s for s in steps(site) if s["what"] == "tinytorch_register_ops"]
    names = [s["plugin"] for s in found]
    assert names.count("raises") == 1
    assert names.count("activations") == 2
    assert names.index("raises") < len(names) - 1


def test_nothing_is_traced_without_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    assert "HOOK" not in capsys.readouterr().out
    # The plugins of this process have been started before.
    assert main(["plugins", "--trace"]) == 0
    assert capsys.readouterr().out.endswith("No plugin was imported and no hook ran.\n")
