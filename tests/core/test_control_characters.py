"""Escape codes in metadata, names and errors are printed as text by every command and warning."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tinytorch_core import ConfigError, PluginError, plugins
from tinytorch_core.config import RESERVED

RED = "\x1b[31m"
OTHERS = "\x9b2J\x07\u202e"


@pytest.fixture(scope="module")
def painted(make_site: Any) -> Any:
    site = make_site()
    explains = f"return {{'colour' + {RED!r}: {OTHERS!r}}}"
    site.install(
        "painted",
        "from tinytorch_core import hookimpl\n"
        "def painted(x): return x\n"
        f"painted.__doc__ = {RED + OTHERS!r}\n"
        "@hookimpl\n"
        "def tinytorch_register_ops(ops): ops.add('painted', painted, method=True)\n"
        f"@hookimpl\ndef tinytorch_explain_op(op): {explains}\n",
    )
    site.install("fails", f"raise ValueError({RED + OTHERS!r})")
    site.install(f"named{RED}", "", module="named")
    site.install("twice", "", module="one", distribution="one")
    site.install("twice", "", module="two", distribution="two")
    for folder in site.packages.glob("*.dist-info"):
        metadata = folder / "METADATA"
        text = metadata.read_text("utf-8").replace("-dist\n", f"-dist{RED}{OTHERS}\n")
        text = text.replace("Version: 1.0", f"Version: 1.0{RED}{OTHERS}")
        metadata.write_text(text, "utf-8")
    return site


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "tinytorch_core", "plugins"),
        ("-m", "tinytorch_core", "plugins", "fails", "painted", "twice"),
        ("-m", "tinytorch_core", "plugins", "--json"),
        ("-m", "tinytorch_core", "ops"),
        ("-m", "tinytorch_core", "ops", "painted"),
        ("-m", "tinytorch_core", "ops", "--json"),
        ("-m", "tinytorch_core", "doctor"),
        ("-m", "tinytorch_core", "doctor", "--json"),
        ("-m", "tinytorch_core", "disable", f"x{RED}"),
        ("-m", "tinytorch_core", "plugins", f"x{RED}"),
        ("-m", "tinytorch_core", f"x{RED}"),
        ("-c", "import tinytorch_core"),
        ("-c", "from tinytorch_core import plugins; plugins.enable('fails')"),
    ],
    ids=lambda command: " ".join(command[2:])[:20] or command[0],
)
def test_no_command_prints_them(command: tuple[str, ...], painted: Any) -> None:
    done = painted.start(*command, PYTHONIOENCODING="utf-8", PYTHONWARNINGS="default")
    printed = done.stdout + done.stderr
    # Python prints the exception that is the cause of an error as it is.
    printed = printed.partition("The above exception was the direct cause")[2] or printed
    assert not set("\x1b\x9b\x07\u202e").intersection(printed)
    assert printed
    if command[-1] == "--json":
        json.loads(done.stdout)


def test_errors_show_them_as_text() -> None:
    error = PluginError("p", f"it {RED}", distribution=f"d {OTHERS}", remedy="Fix it.")
    assert str(error) == ("plugin 'p' (d \\u009b2J\\u0007\\u202e): it \\u001b[31m. Fix it.")
    assert error.reason == "it \\u001b[31m"
    assert str(ConfigError("a\n\tb é 漢 🙂 \udce9")) == "a\n\tb é 漢 🙂 \\udce9"


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused(name: str, site: Any) -> None:
    with pytest.raises(ValueError, match=f"{name!r} has another meaning in the configuration"):
        plugins.register(object(), name=name)
    site.install(name, "print('imported')", module="reserved")
    done = site.plugins()
    assert "imported" not in done.stdout
    assert (
        f"plugin {name!r} ({name}-dist 1.0): the name {name!r} has another meaning in the "
        "configuration. Name the entry point differently."
    ) in done.stdout
