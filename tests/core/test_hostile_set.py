"""With many plugins installed that each break one rule, all else works, and each is reported."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from .hostile import A_CLASS, HOSTILE

TOLD = {name: plugin.told for name, plugin in HOSTILE.items() if plugin.told}
TOLD["names-a-class"] = "Plugin is a class, so its hooks lack their `self`"
INNOCENT = [name for name, plugin in HOSTILE.items() if plugin.told is None]
REMEDY = re.compile(
    r"\b(Mend|Reinstall|Uninstall|Name|Install|Correct|Mark|Leave|Add|Return|One of them|Turn)\b"
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
    for number, (name, plugin) in enumerate(HOSTILE.items()):
        site.install(
            name, plugin.code, module=f"hostile_{number}", distribution=f"hostile-{number}"
        )
    site.install("names-a-class", A_CLASS, module="a_class", value="a_class:Plugin")
    site.install("comes-twice", "", module="twice", distribution="hostile-twin")
    return site


@pytest.fixture(scope="module")
def program(hostile_site: Any) -> tuple[dict[str, str], list[str]]:
    """The state of each plugin, and the warnings."""
    import json

    done = hostile_site.run(PROGRAM)
    assert done.returncode == 0, done.stderr
    states, told = json.loads(done.stdout.splitlines()[-1])
    return states, told


@pytest.fixture(scope="module")
def listing(hostile_site: Any) -> subprocess.CompletedProcess[str]:
    return hostile_site.plugins()


def test_there_are_twenty() -> None:
    assert len(TOLD) >= 20


def test_the_core_and_the_good_plugins_work(program: Any) -> None:
    states, _ = program
    working = {"activations", "autograd", "losses", *INNOCENT}
    assert {name for name, state in states.items() if state == "on"} >= working
    assert {name for name, state in states.items() if state == "failed"} == set(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_each_is_reported_once_by_name_with_a_remedy(name: str, program: Any) -> None:
    (message,) = [text for text in program[1] if text.startswith(f"plugin {name!r} (")]
    assert TOLD[name] in message
    assert REMEDY.search(message.partition(TOLD[name])[2]), message


@pytest.mark.parametrize("name", TOLD)
def test_the_command_lists_it_and_says_why(name: str, listing: Any) -> None:
    row = next(line for line in listing.stdout.splitlines() if line.startswith(f"{name} "))
    assert " failed " in row
    assert TOLD[name] in listing.stdout
    assert listing.returncode == 1
    assert "Traceback" not in listing.stderr
