"""Programs in the style of the course's milestones run, and reach the course's accuracy."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).with_name("programs")


def run(name: str) -> dict[str, Any]:
    return runpy.run_path(str(PROGRAMS / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize(
    ("program", "lowest", "highest"),
    [
        ("perceptron", 0.93, 1.0),
        ("xor_crisis", 0.25, 0.75),
        ("xor_solved", 1.0, 1.0),
        ("digits_mlp", 0.79, 1.0),
        ("digits_cnn", 0.82, 1.0),
        ("attention_proof", 0.99, 1.0),
    ],
)
@pytest.mark.usefixtures("course")
def test_a_milestone_reaches_the_accuracy_of_the_course(
    program: str, lowest: float, highest: float
) -> None:
    assert lowest <= run(program)["accuracy"] <= highest


@pytest.mark.usefixtures("course")
def test_one_layer_does_not_even_approach_xor() -> None:
    losses = run("xor_crisis")["losses"]
    assert losses[-1] > 0.69  # log 2, the loss of guessing


@pytest.mark.usefixtures("course")
def test_a_gpt_answers_questions() -> None:
    names = run("tiny_talks")
    assert names["losses"][-1] < 0.1 < names["losses"][0]
    assert names["answer"] == "Q: ice? A: cold."
