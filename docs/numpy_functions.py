"""Writes numpy-functions.md: every NumPy function, its rule, and what was tested of it.

    python -m docs.numpy_functions

Rules are read from where they are written: the formula of a lambda, the first line of the
docstring of a function, the comment above.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_autograd.rules import FAMILIES
from tinytorch_autograd.rules.on_demand import families, family_of

PAGE = Path(__file__).with_name("numpy-functions.md")
MODULES = (np, np.linalg, np.fft)

# The kinds of functions.
DIFFERENTIABLE, NOT_DIFFERENTIABLE, OTHER = "differentiable", "not differentiable", "other"

VERSION = ".".join(np.__version__.split(".")[:2])

INTRODUCTION = """\
# NumPy functions with derivatives

{count} functions of NumPy {version}, under {names} names, work on tensors and have a derivative;
{flat} are declared to have none.

```python
import numpy as np
from tinytorch_core import Tensor

x = Tensor([3.0, 1.0, 2.0], requires_grad=True)
np.cumsum(np.sort(x))[1].backward()  # the sum of the two smallest
print(x.grad)  # [0. 1. 1.]
```

Any other function works too, and raises an error that names it when it is walked back through: no
gradient is lost silently. So does an option that a rule cannot serve, such as `where=` of a ufunc.

```python
y = np.setdiff1d(x, [2.0]).sum()
try:
    y.backward()
except RuntimeError as error:
    print(str(error)[:12])  # np.setdiff1d
```

The methods of ufuncs are differentiable where the ufunc is: `np.add.reduce`, `np.multiply.outer`,
`np.maximum.accumulate`, `np.add.reduceat`. `at` writes into a tensor, which is refused while
tracked tensors take part, as are `out=`, `np.put` and the like.

## Where a derivative does not exist

- Equal elements share the gradient equally: in `max`, `min`, `maximum`, `sort`, `partition`,
  `median`, `quantile`, `ptp`, `unique` and their relatives.
- |x| has the slope 0 at 0, and so have `hypot`, `arctan2` and norms at the origin, and `std` where
  the spread is 0.
- Where a division by 0 makes a slope infinite, as that of `sqrt` at 0, so is the gradient; but a
  gradient of 0 that comes in stays 0. So a branch of `where` that was not taken has the gradient 0
  behind a root, a logarithm or a quotient too.
- x**y has the gradient 0 with respect to x where y is 0, and with respect to y where x is 0.
- `clip` passes the gradient on at its bounds. `interp` has the slope to the right of a given point.
- `prod` and `cumprod` are exact where elements are 0.
- A NaN that a function passes over, such as `nanmean`, has the gradient 0.

## The functions

A rule in code takes `grad`, the gradient of the output, to that of an input; the names are those of
`tinytorch_autograd.rule`. A function that is composed has the derivative of its parts. `order` is
the highest order of derivative that the tests compare with numerical differentiation. This page is
made from the rules: `python -m docs.numpy_functions`.
"""


class Row(NamedTuple):
    """One line of the page: a function under all its names."""

    names: tuple[str, ...]
    rule: str
    note: str
    order: int


def public() -> dict[Any, tuple[str, ...]]:
    """Every public function of numpy, numpy.linalg and numpy.fft, with its names."""
    names = defaultdict(list)
    for module in MODULES:
        for name in dir(module):
            value = getattr(module, name)
            if callable(value) and not isinstance(value, type) and not name.startswith("_"):
                names[value].append(f"{module.__name__}.{name}".replace("numpy", "np", 1))
    return {function: tuple(found) for function, found in names.items()}


def kind(function: Any) -> str:
    """Whether a function has a derivative, is declared to have none, or is neither."""
    plugins.active()
    if function in Tensor._numpy_calls:
        name = Tensor._numpy_calls[function][1].name
        declared = any(name in family.nondifferentiable_ops for family in FAMILIES)
        return NOT_DIFFERENTIABLE if declared else DIFFERENTIABLE
    family = family_of(function)
    if family is None:
        return OTHER
    return DIFFERENTIABLE if family.is_differentiable(function) else NOT_DIFFERENTIABLE


@functools.cache
def _tree(file: str) -> tuple[ast.Module, tuple[str, ...]]:
    text = Path(file).read_text(encoding="utf-8")
    return ast.parse(text), tuple(text.splitlines())


def formula(vjp: Callable[..., Any] | None) -> str:
    """The text of one function of a rule."""
    if vjp is None:
        return "none"
    if vjp.__doc__:
        return _first_line(vjp)
    code = vjp.__code__
    tree, _ = _tree(code.co_filename)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)]
    same = [n for n in found if n.lineno == code.co_firstlineno and _arguments(n) == _asked(vjp)]
    return f"`{ast.unparse(same[0].body)}`" if same else ""


def _arguments(node: ast.Lambda) -> list[str]:
    return [a.arg for a in node.args.args]


def _asked(vjp: Callable[..., Any]) -> list[str]:
    return list(vjp.__code__.co_varnames[: vjp.__code__.co_argcount])


def _first_line(function: Any) -> str:
    text = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0]
    return " ".join(text.split())


def _note(function: Any) -> str:
    """The second paragraph of a docstring."""
    _, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    return " ".join(rest.partition("\n\n")[0].split())


def comment_above(file: str, op: str) -> str:
    """The comment over the statement that gives an op its rule."""
    tree, lines = _tree(file)
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            first = node.value.args[:1]
            if first and isinstance(first[0], ast.Constant) and first[0].value == op:
                above: list[str] = []
                number = node.lineno - 2
                while lines[number].startswith("#"):
                    above.insert(0, lines[number].strip("# "))
                    number -= 1
                return " ".join(above)
    return ""


def rules() -> dict[Any, tuple[str, str]]:
    """For each differentiable function the text of its rule, and the note beside it."""
    plugins.active()
    numpy_of = {op.name: op.numpy for _, op in Tensor._numpy_calls.values()}
    found: dict[Any, tuple[str, str]] = {}
    for family in (*families(), *FAMILIES):
        numpy_of |= {op.name: op.numpy for op in family.ops.values()}
        for function, composed in family.compositions.items():
            found[function] = (f"composed: {_first_line(composed)}", _note(composed))
        for op, vjps in family.rules.items():
            text = "; ".join(dict.fromkeys(formula(vjp) for vjp in vjps))
            for function in numpy_of.get(op, ()):
                found[function] = (text, comment_above(_file(vjps), op))
    return found


def _file(vjps: tuple[Any, ...]) -> str:
    first = next(vjp for vjp in vjps if vjp is not None)
    return str(inspect.unwrap(first).__code__.co_filename)


def orders() -> dict[Any, int]:
    """For each function the highest order of derivative that the tests check."""
    cases = importlib.import_module("tests.autograd.cases")
    engine = importlib.import_module("tinytorch_autograd.engine")
    tested = {d.numpy: d.order for d in cases.DESCRIBED}
    met = set()
    for case in cases.CASES:  # which are checked to the third order
        out = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
        met |= {node.op.name for node in engine.nodes_of([out._node])[0]}
    calls = Tensor._numpy_calls.items()
    return tested | {function: 3 for function, (_, op) in calls if op.name in met}


def rows() -> Iterator[Row]:
    """The lines of the page, by name."""
    text, tested = rules(), orders()
    for function, names in sorted(public().items(), key=lambda pair: pair[1][0].lower()):
        if kind(function) == DIFFERENTIABLE:
            rule, note = text[function]
            yield Row(names, rule, note, tested.get(function, 0))


def page() -> str:
    """The text of the page."""
    made = list(rows())
    flat = [names for function, names in public().items() if kind(function) == NOT_DIFFERENTIABLE]
    lines = [
        INTRODUCTION.format(
            version=VERSION,
            count=len(made),
            names=sum(len(row.names) for row in made),
            flat=len(flat),
        ),
        "| function | rule | at special points | order |",
        "|---|---|---|---|",
        *(_line(row) for row in made),
        "",
        "## Without derivative",
        "",
        *textwrap.wrap(", ".join(f"`{n}`" for names in sorted(flat) for n in names), 100),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    return f"| {names} | {_cell(row.rule)} | {_cell(row.note)} | {row.order or ''} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
