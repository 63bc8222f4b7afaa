"""The exercises: for each number a check and a solution."""

from __future__ import annotations

import importlib
import inspect
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from tinytorch_core import Tensor

from tinytorch_learn.report import Wrong

# The modules of checks, in the order of the chapters.
CHAPTERS = ("tensor", "ops", "rules", "engine", "activations", "layers", "optimizers", "package")
_CHECKS = Path(__file__).parent / "checks"
# The folders of code that the author of an answer did not write.
_LIBRARIES = (
    Path(__file__).parent,
    Path(inspect.getfile(Tensor)).parent,
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")),
)


class Exercise(NamedTuple):
    """One exercise.

    Attributes:
        number: the chapter and the exercise, such as "5.1".
        check: a function that raises an exception if the answer it gets is wrong.
        solution: the solution.
    """

    number: str
    check: Callable[[Any], None]
    solution: Any

    def problem_with(self, answer: Any) -> str | None:
        """Return what is wrong with an answer, or None if it is right."""
        if callable(self.solution) and not callable(answer):
            return f"not right yet\n{_not_callable(answer, self.solution)}"
        try:
            with redirect_stdout(StringIO()):  # an answer may print while its author searches
                self.check(answer)
        except NotImplementedError:
            return "not done yet"
        except Wrong as wrong:
            return f"not right yet\n{wrong}"
        except Exception as error:
            return f"not right yet\n{_described(error)}"
        return None


# What `check` found, by the number of the exercise: None if the answer is right.
results: dict[str, str | None] = {}


def exercises() -> dict[str, Exercise]:
    """Return all exercises, by their numbers.

    >>> list(exercises())[:3]
    ['1.1', '1.2', '1.3']
    """
    found = {}
    for chapter, name in enumerate(CHAPTERS, 1):
        module = importlib.import_module(f"tinytorch_learn.checks.{name}")
        for i, (test, solution) in enumerate(module.EXERCISES, 1):
            number = f"{chapter}.{i}"
            found[number] = Exercise(number, test, solution)
    return found


def check(number: str | float, answer: Any) -> Any:
    """Print whether the answer to an exercise is right, and if not, what to look at.

    Call it as often as you like.

    Args:
        number: the number of the exercise, such as "5.1" or 5.1.
        answer: the function, class or text that you wrote.

    Returns:
        The answer if it is right, otherwise the solution, with which the chapter continues.

    Raises:
        ValueError: no exercise has this number.

    >>> def relu_rule(grad, out):
    ...     return grad
    >>> relu_rule = check("5.1", relu_rule)  # doctest: +ELLIPSIS
    Exercise 5.1: not right yet
    relu_rule(grad, out) with ...
    """
    known = exercises()
    number = str(number)
    if number not in known:
        raise ValueError(f"no exercise has the number {number}; they are {', '.join(known)}")
    problem = known[number].problem_with(answer)
    results[number] = problem
    print(f"Exercise {number}: {problem or 'passed'}")
    if problem is None:
        return answer
    print("The chapter continues with the solution.")
    return known[number].solution


def _not_callable(answer: Any, solution: Any) -> str:
    """Return what to pass instead of an object or a value."""
    kind = "class" if isinstance(solution, type) else "function"
    return (
        f"check expects the {kind} {solution.__name__}, but found an object of the class "
        f"{type(answer).__name__}.\nPass the {kind} itself, by its name without parentheses."
    )


def _described(error: Exception) -> str:
    """Return the error, and the line of the answer that raised it.

    If no line of the answer did, for example because it takes other arguments, return the line of
    the check that called it.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.line]
    checks = [frame for frame in frames if Path(frame.filename).parent == _CHECKS]
    answers = [frame for frame in frames if not _is_ours(frame.filename)]
    line = ""
    if answers:
        last = answers[-1]
        line = f"\n  in {last.name}, line {last.lineno}: {last.line}"
    elif checks:
        line = f"\n  when the check ran: {checks[-1].line}"
    return f"Your code raised {type(error).__name__}: {error}{line}"


def _is_ours(file: str) -> bool:
    """Return whether a file belongs to TinyTorch or to a library, or is generated."""
    generated = file.startswith(("tinytorch-", "<__array_function__"))
    return generated or any(Path(file).is_relative_to(folder) for folder in _LIBRARIES)
