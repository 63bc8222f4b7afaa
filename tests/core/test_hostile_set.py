"""Many plugins that each break one rule: everything else works, and each is reported."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tinytorch_core.cli import make_parser

from .hostile import A_CLASS, HOSTILE

MESSAGES = {name: plugin.message for name, plugin in HOSTILE.items() if plugin.message}
MESSAGES["names-a-class"] = "Plugin is a class, so its hooks would be called without `self`"
WORKING = [name for name, plugin in HOSTILE.items() if plugin.message is None]
REMEDY = re.compile(
    r"\b(Fix|Reinstall|Uninstall|Use|Name|Install|Correct|Mark|Leave|Add|Return|Enable|Choose)\b"
    r"|\bOne of them\b"
)

PROGRAM = """
import json, sys, warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from tinytorch_core import Tensor, plugins
x = Tensor([1.0, 2.0], requires_grad=True)
(np.add(x, x) * x).reshape(2).sum().backward()
assert x.grad.tolist() == [4.0, 8.0], x.grad
assert x.relu().tolist() == [1.0, 2.0]
assert np.add(1, 2) == 3
with plugins.disabled():
    assert (Tensor([3.0]) * 2).item() == 6
states = {p.name: p.state for p in plugins.status()}
print(json.dumps([states, [str(w.message) for w in caught]]))
"""


@pytest.fixture(scope="module")
def hostile_site(make_site: Callable[[], Any]) -> Any:
    site = make_site()
    site.replace_pip()
    for number, (name, plugin) in enumerate(HOSTILE.items()):
        site.install(
            name, plugin.code, module=f"hostile_{number}", distribution=f"hostile-{number}"
        )
    site.install("names-a-class", A_CLASS, module="a_class", value="a_class:Plugin")
    site.install("comes-twice", "", module="twice", distribution="hostile-twin")
    return site


@pytest.fixture(scope="module")
def program(hostile_site: Any) -> tuple[dict[str, str], list[str]]:
    """Return the state of each plugin, and the warnings."""
    done = hostile_site.run(PROGRAM)
    assert done.returncode == 0, done.stderr
    states, warnings = json.loads(done.stdout.splitlines()[-1])
    return states, warnings


@pytest.fixture(scope="module")
def listing(hostile_site: Any) -> subprocess.CompletedProcess[str]:
    return hostile_site.plugins()


@pytest.fixture(scope="module")
def findings(hostile_site: Any) -> list[dict[str, str]]:
    """Return the findings of `tinytorch doctor`."""
    done = hostile_site.start("-m", "tinytorch_core", "doctor", "--json", OPENBLAS_CORETYPE="")
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)["findings"]


def test_at_least_twenty_plugins_fail() -> None:
    assert len(MESSAGES) >= 20


def test_the_core_and_the_good_plugins_work(program: Any) -> None:
    states, _ = program
    working = {"activations", "autograd", "losses", *WORKING}
    assert {name for name, state in states.items() if state == "on"} >= working
    assert {name for name, state in states.items() if state == "failed"} == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_is_reported_once_by_name_with_a_remedy(name: str, program: Any) -> None:
    (message,) = [text for text in program[1] if text.startswith(f"plugin {name!r} (")]
    assert MESSAGES[name] in message
    assert REMEDY.search(message.partition(MESSAGES[name])[2]), message


@pytest.mark.parametrize("name", MESSAGES)
def test_the_command_lists_it_with_its_error(name: str, listing: Any) -> None:
    row = next(line for line in listing.stdout.splitlines() if line.startswith(f"{name} "))
    assert " failed " in row
    assert MESSAGES[name] in listing.stdout
    assert listing.returncode == 1
    assert "Traceback" not in listing.stderr


@pytest.mark.parametrize("name", MESSAGES)
def test_the_doctor_reports_it_with_a_remedy(name: str, findings: Any) -> None:
    (found,) = [f for f in findings if repr(name) in f["what"].partition(" failed")[0]]
    assert found["why"]
    assert MESSAGES[name] in found["what"] or name == "comes-twice"
    assert REMEDY.search(found["remedy"].capitalize()), found


# The exit status of each and its whole output on stdout, where no plugin may print.
COMMANDS = {
    "plugins adds-an-op": (0, "adds-an-op\n.*ops added +wanted_by_two\n.*"),
    "plugins raises-wrapping": (1, "raises-wrapping\n.*error .*tinytorch_wrap_op: .*"),
    "ops": (0, "OP +PROVIDER .*\nwanted_by_two +adds-an-op .*"),
    "ops wanted_by_two": (0, "wanted_by_two\n.*"),
    "stubs": (0, "typings/.*: .*adds-an-op.*\n"),
    "check adds-an-op --only is_documented": (0, "plugin 'adds-an-op' .*"),
    "check raises-wrapping": (2, ""),
    "new-plugin gauss": (0, ".*tinytorch-gauss/.*"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(command: str, hostile_site: Any) -> None:
    status, printed = COMMANDS[command]
    done = hostile_site.start("-m", "tinytorch_core", *command.split())
    assert done.returncode == status, done.stderr
    assert re.fullmatch(printed, done.stdout, re.DOTALL), done.stdout
    assert "Traceback" not in done.stderr


def test_a_failing_plugin_can_be_disabled_and_enabled(hostile_site: Any) -> None:
    for command, changed in (("disable", "false (new file)"), ("enable", "true (was false)")):
        done = hostile_site.start("-m", "tinytorch_core", command, "raises-wrapping")
        assert done.returncode == 0, done.stderr
        file = hostile_site.work / "tinytorch.toml"
        assert done.stdout == f"{file}:2: raises-wrapping = {changed}\n"
    file.unlink()


def test_every_command_is_tested() -> None:
    elsewhere = {"doctor", "disable", "enable"}
    tried = {command.split()[0] for command in COMMANDS} | elsewhere
    (commands,) = [a.choices for a in make_parser()._actions if a.metavar == "COMMAND"]
    assert tried == set(commands)


@pytest.mark.parametrize(("command", "status"), [("plugins", 1), ("ops", 0)])
def test_json_is_valid_although_a_plugin_prints(
    command: str, status: int, hostile_site: Any
) -> None:
    done = hostile_site.start("-m", "tinytorch_core", command, "--json")
    assert done.returncode == status
    assert len(json.loads(done.stdout)[command]) > len(HOSTILE)
    assert "printed at import" in done.stderr
