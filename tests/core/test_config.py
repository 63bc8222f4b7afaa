"""Which plugins are on: code, the variable, the files, the default."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import ConfigError
from tinytorch_core.cli import main
from tinytorch_core.config import (
    VARIABLE,
    Choice,
    Config,
    decisions,
    parse_variable,
    read_config,
    strict,
)
from tinytorch_core.config_file import ConfigFile
from tinytorch_core.overrides import Overrides
from tinytorch_core.plan import resolve

NAMES = ("a", "b", "c")


def on(config: Config) -> str:
    found = decisions(reversed(config), NAMES)
    return "".join(name for name in NAMES if found[name].on)


def decided(config: Config, name: str) -> tuple[bool, str]:
    """Return whether a plugin is on, and which setting decided it."""
    decision = decisions(reversed(config), [name])[name]
    return decision.on, decision.by


def settings(config: Config) -> Mapping[str, Any]:
    """Return the settings of each plugin, by its name."""
    return resolve(Overrides(), config, {}).settings


def read(folder: Path, variable: str = "") -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, variable)
        patch.chdir(folder)
        return read_config()


# The variable.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "abc"),
        ("  ", "abc"),
        ("all", "abc"),
        ("none", ""),
        ("a", "a"),
        ("a,c", "ac"),
        (" a , c ,", "ac"),
        ("no:a", "bc"),
        ("no:a,no:b", "c"),
        ("no: a", "bc"),
        ("none,b", "b"),
        ("b,none", "b"),
        ("all,no:c", "ab"),
        ("a,no:b", "a"),
    ],
)
def test_the_variable_selects_plugins(text: str, names: str, tmp_path: Path) -> None:
    assert on(read(tmp_path, text)) == names


@pytest.mark.parametrize("text", ["yes:a", "no:", "a:b", "all,:"])
def test_an_invalid_variable_is_an_error(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"is not valid here. Write plugin names, no:NAME, all or none"
    ):
        parse_variable(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, False), ("", False), ("0", False), ("False", False), ("1", True)]
)
def test_strict_mode_is_on_if_its_variable_is_true(
    value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINYTORCH_STRICT", raising=False)
    if value is not None:
        monkeypatch.setenv("TINYTORCH_STRICT", value)
    assert strict() is expected


# Files.


@pytest.mark.parametrize(
    ("file", "prefix"), [("tinytorch.toml", ""), ("pyproject.toml", "tool.tinytorch.")]
)
def test_a_file_selects_and_configures_plugins(file: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(
        f"[{prefix}plugins]\nb = false\n[{prefix}a]\ndigits = 3\nnested = {{deep = [1]}}\n"
    )
    config = read(tmp_path)
    assert on(config) == "ac"
    assert decided(config, "b") == (False, f"{tmp_path / file}:2")
    assert decided(config, "a") == (True, "installed")
    assert settings(config)["a"] == {"digits": 3, "nested": {"deep": [1]}}
    assert settings(config).keys() == {"a"}


def test_without_autoload_only_named_plugins_are_on(tmp_path: Path) -> None:
    (tmp_path / "tinytorch.toml").write_text("autoload = false\n[plugins]\nc = true\na = false\n")
    config = read(tmp_path)
    assert on(config) == "c"
    assert decided(config, "a") == (False, f"{tmp_path / 'tinytorch.toml'}:4")
    assert decided(config, "b") == (False, f"{tmp_path / 'tinytorch.toml'}:1")


def test_the_nearest_directory_with_a_configuration_applies(tmp_path: Path) -> None:
    deep = tmp_path / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    assert on(read(deep)) == "abc"
    (tmp_path / "tinytorch.toml").write_text("[plugins]\na = false\n")
    assert on(read(deep)) == "bc"
    # A pyproject.toml without a table [tool.tinytorch] does not count.
    (tmp_path / "project" / "src" / "pyproject.toml").write_text(
        "[project]\ndependencies = ['tinytorch-core']\n"
    )
    assert on(read(deep)) == "bc"
    (tmp_path / "project" / "pyproject.toml").write_text("[tool.tinytorch.plugins]\nb = false\n")
    assert on(read(deep)) == "ac"
    assert on(read(tmp_path)) == "bc"


def test_an_empty_table_ends_the_search(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "tinytorch.toml").write_text("autoload = false\n")
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.tinytorch]\n")
    assert on(read(tmp_path / "inner")) == "abc"


def test_the_variable_precedes_tinytorch_toml_and_that_precedes_pyproject_toml(
    tmp_path: Path,
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.tinytorch.plugins]\na = false\nb = false\nc = false\n"
        "[tool.tinytorch.a]\nx = 1\ny = 1\n"
    )
    (tmp_path / "tinytorch.toml").write_text("[plugins]\nb = true\nc = true\n[a]\ny = 2\n")
    config = read(tmp_path, "no:c")
    assert {name: decided(config, name) for name in (*NAMES, "d")} == {
        "a": (False, f"{tmp_path / 'pyproject.toml'}:2"),
        "b": (True, f"{tmp_path / 'tinytorch.toml'}:2"),
        "c": (False, VARIABLE),
        "d": (True, "installed"),
    }
    assert settings(config)["a"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\nplugins = 3", 2, "plugins must be a table, not 3"),
        ("[plugins]\na = 'no'", 2, "plugins.a must be true or false, not 'no'"),
        ("plugins.b = true\nplugins.a = 0", 2, "plugins.a must be true or false, not 0"),
        ("# it\nautoload = 'no'", 2, "autoload must be true or false, not 'no'"),
        ("autolaod = true", 1, r"unknown key 'autolaod'. Did you mean 'autoload'\?"),
        ("a = 3", 1, "unknown key 'a'.*Put a plugin's settings into a table with its name"),
        ("[a]\n[plugins", 2, "is not valid TOML: .*Expected.*Correct the file"),
        ("[a]\nx = [\n", 2, "is not valid TOML: .*end of document"),
        ("[a]\nx = 1\nx = 2\n", 3, "is not valid TOML: Cannot overwrite a value"),
        ("[a]\n\udcff", 2, "is not valid TOML"),
    ],
)
def test_an_invalid_file_is_an_error_with_its_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "tinytorch.toml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path)
    assert re.match(rf"{re.escape(str(file))}:{line}\b", str(caught.value))


@pytest.mark.parametrize("text", ["[tool]\ntinytorch = 3\n", "tool.tinytorch = 3"])
def test_tool_tinytorch_must_be_a_table(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    line = text.count("\n", 0, text.index("tinytorch")) + 1
    message = rf"pyproject.toml:{line}: tool.tinytorch must be a table, not 3"
    with pytest.raises(ConfigError, match=message):
        read(tmp_path)


def test_a_tool_key_that_is_not_a_table_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 'tinytorch'\n")
    assert on(read(tmp_path)) == "abc"


def test_a_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tinytorch.toml").touch()

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ConfigError, match=r"tinytorch.toml cannot be read: Permission denied"):
        read(tmp_path)


HUGE = "0x" + "9" * 5000
UNUSUAL = {
    "a byte order mark": ("\ufeff[plugins]\na = false\n", None),
    "a byte order mark and an error": ("\ufeffa = 3\n", r"toml:1: unknown key 'a'"),
    "UTF-16": ("\udcff\udcfe[\0p\0", r"toml is encoded as UTF-16. Save it as UTF-8"),
    "not UTF-8": ("[a]\nx = 1\ny = 'caf\udce9'", r"toml:3 is not UTF-8. Save the file as UTF-8"),
    "a name that is not UTF-8": ("[plugins]\n'\udce9' = false", r"toml:2 is not UTF-8"),
    "deep arrays": ("[a]\nx = " + "[" * 2000 + "]" * 2000, r"toml is nested too deeply"),
    "very deep arrays": ("[a]\nx = " + "[" * 50_000 + "]" * 50_000, r"toml:2 is nested too deeply"),
    "deep tables": ("x = " + "{a = " * 4000 + "1" + "}" * 4000, r"toml:1 is nested too deeply"),
    "a deep key": ("[a]\nx = 1\n" + ".".join("b" * 50_000) + " = 1", r"toml:3 is nested too deep"),
    "a deep header": ("[" + ".".join("b" * 50_000) + "]", r"toml:1 is nested too deeply"),
    "a huge number": ("[a]\nx = " + "9" * 5000, r"toml contains a number with too many digits"),
    "a huge hexadecimal number": (f"[a]\nx = {HUGE}", r"toml contains a number with too many"),
    "a huge number as a switch": (f"plugins.a = {HUGE}", r"toml contains a number with too many"),
    "a long switch": (f"plugins.a = '{'x' * 100_000}'", r"must be true or false, not 'x{30,60}\."),
    "control characters": ('plugins.a = "\\u001b[31m"', r"not '\\x1b\[31m'"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_file_is_read_or_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    text, message = UNUSUAL[name]
    (tmp_path / "tinytorch.toml").write_text(text, "utf-8", errors="surrogateescape")
    if message is None:
        config = read(tmp_path)
        assert (on(config), decided(config, "a")[1]) == ("bc", f"{tmp_path / 'tinytorch.toml'}:2")
        return
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path)
    error = str(caught.value)
    assert error.startswith(f"{tmp_path / 'tinytorch.toml'}")
    assert len(error) < 400
    assert error.isprintable()


def test_bytes_that_are_not_utf_8_may_be_in_comments(tmp_path: Path) -> None:
    text = "[plugins]\na = false  # caf\udce9\n"
    (tmp_path / "tinytorch.toml").write_text(text, "utf-8", errors="surrogateescape")
    assert on(read(tmp_path)) == "bc"


@pytest.mark.parametrize("file", ["tinytorch.toml", "pyproject.toml"])
@pytest.mark.parametrize("kind", ["dangling link", "link to itself", "directory", "pipe"])
def test_a_name_without_a_regular_file_is_an_error(kind: str, file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("needs named pipes")
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "link to itself" else tmp_path / "absent.toml")
    absent = re.escape(str(tmp_path / "absent.toml"))
    expected = {
        "dangling link": f"is a link to {absent}, which does not exist. Correct",
        "link to itself": "is a link to .*, which does not exist. Correct or remove the link",
        "directory": "is a directory. Remove or rename it",
        "pipe": "is not a regular file. Remove or rename it",
    }[kind]
    with pytest.raises(ConfigError, match=f"{re.escape(str(path))} {expected}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("begin", "line", "end"),
    [
        ("[a]\nx = [\n", "1,\n", "]\n"),
        ("[plugins]\n", "k{} = true\n", ""),
        ('[a]\nx = """\n', "[y]\n", '"""\n'),
    ],
    ids=["array", "keys", "string"],
)
def test_lines_are_found_in_linear_time(
    begin: str, line: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement is parsed once, however many keys are asked for."""
    text = begin + "".join(line.format(i) for i in range(3000)) + end
    parsed = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: (parsed.append(len(text)), loads(text))[1])
    file = ConfigFile("file", text=text + "[b]\nz = 1\n")
    last = text.count("\n") + 1
    for _ in range(10):
        assert file.where("b") == f"file:{last}"
        assert file.where("b", "z") == f"file:{last + 1}"
        assert file.where("c") == "file"
    assert sum(parsed) <= len(text) + 20


LINES = """\
# Keys that a text search would find in the wrong place.
autoload = true   # plugins = 1

"quoted key" = "[plugins]"
text = \"\"\"
[plugins]
a = false
\"\"\"
list = [
  "[plugins]",  # a = false
  [
    1,
  ],
]

[a.'b.c']
dotted.key = 1
inline = { b = true, c.d = [1] }
[ plugins ]

a = false
[[many]]
x = 1
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("autoload",), 2),
        (("quoted key",), 4),
        (("text",), 5),
        (("list",), 9),
        (("a",), 16),
        (("a", "b.c"), 16),
        (("a", "b.c", "dotted"), 17),
        (("a", "b.c", "dotted", "key"), 17),
        (("a", "b.c", "inline"), 18),
        (("a", "b.c", "inline", "b"), 18),
        (("a", "b.c", "inline", "c", "d"), 18),
        (("plugins",), 19),
        (("plugins", "a"), 21),
        (("many",), 22),
    ],
)
def test_where_returns_the_line_of_a_key(key: tuple[str, ...], line: int) -> None:
    for text in (LINES, LINES.replace("\n", "\r\n"), LINES.rstrip()):
        assert ConfigFile("file", text=text).where(*key) == f"file:{line}"
        assert ConfigFile("file", *key[:1], text=text).where(*key[1:]) == f"file:{line}"
    assert ConfigFile("file", text=LINES).where(*key, "missing") == "file"


def test_bytes_that_are_not_utf_8_in_a_comment_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "tinytorch.toml"
    file.write_bytes(b"[plugins]\nlosses = true  # gro\xdf\n")
    assert on(read(tmp_path)) == "abc"
    assert main(["disable", "losses"]) == 0
    assert file.read_bytes() == b"[plugins]\nlosses = false  # gro\xdf\n"


@pytest.mark.parametrize(
    "choice",
    [Choice("the file", {"losess": False}), Choice("the file", tables={"losess": {}})],
)
def test_an_unknown_name_is_an_error_with_the_nearest_names(choice: Choice) -> None:
    with pytest.raises(ConfigError, match=r"the file names .*'losess', .*Did you mean 'losses'\?"):
        raise next(Config((choice,)).wrong_names(["losses", "autograd"]))
    assert list(Config((choice,)).wrong_names(["losess"])) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[plugins]\nb = true\nlosess = false", ":3 names .*Did you mean 'losses'"),
        ("[b]\n\n[losess]\nx = 1", ":3 names .*Did you mean 'losses'"),
        ("[plugin]\nb = true", ":1 names the plugin 'plugin', .*Did you mean 'plugins'"),
    ],
)
def test_the_error_of_an_unknown_name_has_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tinytorch.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        raise next(read(tmp_path).wrong_names(["losses", "b"]))


# Programs with a valid and an invalid configuration.

PLUGIN = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_configure(config):
    if config.get("digits", 0) < 0:
        raise ValueError("digits must not be negative")
    print("configured", dict(config))

@hookimpl
def tinytorch_extend_tensor(tensor):
    tensor.add("{name}", True)
"""


@pytest.fixture(scope="module")
def configured(make_site: Any) -> Any:
    site = make_site()
    for name in ("one", "two"):
        site.install(name, PLUGIN.replace("{name}", name))
    return site


@pytest.fixture(autouse=True)
def _no_files_left(request: pytest.FixtureRequest) -> Any:
    yield
    if "configured" in request.fixturenames:
        for file in request.getfixturevalue("configured").work.iterdir():
            file.unlink()


def test_a_disabled_plugin_is_never_imported(configured: Any) -> None:
    code = """
        import sys
        from tinytorch_core import plugins
        plugins.status()
        assert "one_module" not in sys.modules
        assert "two_module" in sys.modules
        print(*(f"{p.name} {p.state} {p.decided_by}" for p in plugins.status()), sep=chr(10))
        """
    (configured.work / "tinytorch.toml").write_text("[plugins]\none = false\n")
    done = configured.run(code, TINYTORCH_PLUGINS="")
    assert done.returncode == 0, done.stderr
    assert f"one off {configured.work / 'tinytorch.toml'}:2" in done.stdout
    assert "two on installed" in done.stdout


def test_code_has_the_highest_precedence(configured: Any) -> None:
    (configured.work / "pyproject.toml").write_text("[tool.tinytorch]\nautoload = false\n")
    done = configured.run(
        """
        from tinytorch_core import Tensor, plugins
        assert not hasattr(Tensor, "one")
        with plugins.enable("one"):
            assert Tensor.one and not hasattr(Tensor, "two")
            print(plugins.active())
        assert not hasattr(Tensor, "one")
        """,
        TINYTORCH_PLUGINS="none",
    )
    assert done.returncode == 0, done.stderr
    assert "('one',)" in done.stdout


def test_a_plugin_receives_its_table_each_time_it_is_enabled(configured: Any) -> None:
    (configured.work / "tinytorch.toml").write_text("[one]\ndigits = 3\n")
    done = configured.run(
        """
        from tinytorch_core import plugins
        print("started")
        with plugins.disable("one"):
            print("off")
        """
    )
    assert done.stdout.splitlines() == [
        "configured {'digits': 3}",
        "configured {}",
        "started",
        "off",
        "configured {'digits': 3}",
    ]


def test_settings_in_code_override_a_file_until_the_block_ends(configured: Any) -> None:
    (configured.work / "tinytorch.toml").write_text("[one]\ndigits = 3\n")
    done = configured.run(
        """
        from tinytorch_core import PluginError, UnknownPluginError, plugins
        with plugins.configure("one", digits=5, sign="+"):
            for digits in (6, 7):
                plugins.configure("one", digits=digits)
            with plugins.disable("two"):
                pass
            for wrong in (("one", -1), ("oen", 1)):
                try:
                    plugins.configure(wrong[0], digits=wrong[1])
                except (PluginError, UnknownPluginError) as error:
                    print(type(error).__name__)
        """
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line != "configured {}"] == [
        "configured {'digits': 3}",
        "configured {'digits': 5, 'sign': '+'}",
        "configured {'digits': 6, 'sign': '+'}",
        "configured {'digits': 7, 'sign': '+'}",
        "PluginError",
        "UnknownPluginError",
        "configured {'digits': 3}",
    ]


def test_a_plugin_that_rejects_a_setting_stays_off(configured: Any) -> None:
    (configured.work / "tinytorch.toml").write_text("[one]\ndigits = -3\n")
    done = configured.run(
        "from tinytorch_core import Tensor; print(hasattr(Tensor, 'one'), Tensor.two)"
    )
    assert done.stdout.splitlines()[-1] == "False True"
    assert "in tinytorch_configure: ValueError: digits must not be negative" in done.stderr


WRONG = {
    "variable": ({}, {"TINYTORCH_PLUGINS": "no:too"}, "Did you mean 'two'?"),
    "grammar": ({}, {"TINYTORCH_PLUGINS": "not:two"}, "is not valid here"),
    "toml": ({"tinytorch.toml": "[plugins"}, {}, "not valid TOML"),
    "name": (
        {"pyproject.toml": "[tool.tinytorch.plugins]\noen = false"},
        {},
        "Did you mean 'one'?",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_configuration_raises_at_each_use(kind: str, configured: Any) -> None:
    files, variables, message = WRONG[kind]
    for file, text in files.items():
        (configured.work / file).write_text(text)
    # The import succeeds; each use raises the error.
    done = configured.run(
        """
        from tinytorch_core import ConfigError, Tensor, plugins
        for attempt in (lambda: Tensor([1.0]), lambda: Tensor(2), lambda: plugins.enable("one")):
            try:
                attempt()
            except ConfigError as error:
                print(error)
        print([p.state for p in plugins.status() if p.name in ("one", "two")])
        print(*{p.decided_by for p in plugins.status()})
        """,
        **variables,
    )
    *errors, states, decided = done.stdout.splitlines()
    assert len(errors) == 3, done.stderr
    assert all(message in line for line in errors)
    assert states == "['off', 'off']"
    assert decided == "wrong configuration"
    # The command still lists the plugins.
    listed = configured.plugins(**variables)
    assert listed.returncode == 1
    assert "one-dist" in listed.stdout
    assert message in listed.stderr
    # In strict mode the import itself fails.
    refused = configured.run("import tinytorch_core", TINYTORCH_STRICT="1", **variables)
    assert refused.returncode == 1
    assert "ConfigError" in refused.stderr


def test_a_program_can_correct_its_environment(configured: Any) -> None:
    done = configured.run(
        """
        import os
        from tinytorch_core import Tensor
        os.environ["TINYTORCH_PLUGINS"] = "two"
        assert Tensor([1.0]).two and not hasattr(Tensor, "one")
        """,
        TINYTORCH_PLUGINS="nope",
    )
    assert done.returncode == 0, done.stderr
