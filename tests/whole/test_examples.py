"""The programs in examples/ do what they promise."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def program(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_digits_are_learned_and_shown(capsys):
    accuracy = program("digits_mlp").main()
    shown = capsys.readouterr().out
    assert accuracy >= 0.97
    assert f"{accuracy:.2%}" in shown
    assert "read as" in shown
    assert "tinytorch plugins" in shown
