"""Write numpy-functions.md: every differentiable NumPy function, its rule, and what is tested.

    python -m docs.numpy_functions

The text of a rule is its lambda expression or the first line of its docstring. The note is the
comment above the rule, or the second paragraph of the docstring.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core import Op, Tensor, plugins

from tinytorch_autograd.rules import FAMILIES
from tinytorch_autograd.rules.on_demand import families, family_of

PAGE = Path(__file__).with_name("numpy-functions.md")
MODULES = (np, np.linalg, np.fft)

DIFFERENTIABLE, NOT_DIFFERENTIABLE, OTHER = "differentiable", "not differentiable", "other"

VERSION = ".".join(np.__version__.split(".")[:2])

INTRODUCTION = """\
# NumPy functions with derivatives

{count} functions of NumPy {version}, under {names} names, are differentiable;
{others} others return indices, truth values and the like, which are never tracked.

```python
import numpy as np
from tinytorch_core import Tensor

x = Tensor([3.0, 1.0, 2.0], requires_grad=True)
np.cumsum(np.sort(x))[1].backward()  # the sum of the two smallest
print(x.grad)  # [0. 1. 1.]
```

Any other function also works on tensors, but `backward()` through it raises an error with its name,
so that no gradient is lost silently. The same holds for an option that a rule does not support,
such as `dtype=` of `linspace`.

```python
y = np.setdiff1d(x, [2.0]).sum()
try:
    y.backward()
except RuntimeError as error:
    print(str(error)[:12])  # np.setdiff1d
```

The methods of a ufunc are differentiable if the ufunc is: `np.add.reduce`, `np.multiply.outer`,
`np.maximum.accumulate`, `np.add.reduceat`. Functions that write into a tensor, such as `np.add.at`,
`np.put` and any function with `out=`, raise an error if an argument requires grad.

## Gradients where a function is not differentiable

- The derivative of a piecewise constant function, such as `floor`, `sign` and `x // y`, is 0, also
  at its jumps. So is the second derivative of a piecewise linear one, such as |x|.
- Equal elements share the gradient equally: in `max`, `min`, `maximum`, `sort`, `partition`,
  `median`, `quantile`, `ptp`, `unique` and their relatives.
- The gradient of |x| at 0 is 0. So are those of `hypot`, `arctan2` and norms at the origin, and
  that of `std` where the result is 0.
- Where the derivative is infinite, such as that of `sqrt` at 0, the gradient is infinite, but a
  gradient of 0 stays 0. Elements that `where` does not select therefore have the gradient 0, even
  through a root, a logarithm or a quotient.
- x**2 has the gradient 0 at 0 even if the incoming gradient is infinite. So `np.sqrt((x**2).sum())`
  has the gradient 0 at the origin, as `np.linalg.norm(x)` has.
- x**y has the gradient 0 with respect to x where y is 0, and with respect to y where x is 0.
- `clip` passes the gradient on at its bounds. `interp` has the derivative to the right of a point.
- `prod` and `cumprod` are exact where elements are 0.
- `eigh`, `eigvalsh` and `cholesky` read one triangle of a matrix. Their gradient is Hermitian: it
  is the derivative by changes that keep the matrix Hermitian, as in PyTorch and JAX.
- A NaN that a function ignores, such as `nanmean`, has the gradient 0. A NaN that makes a result
  NaN does not, except in piecewise constant functions: `max`, `median` and `logaddexp` have
  gradients of NaN, and `maximum`, `sort` and `clip` pass the gradient to the NaN.

## The functions

A rule computes the gradient of an input from `grad`, the gradient of the output;
`tinytorch_autograd.rule` explains the other names. A composed function consists of other ops and
has their derivatives. `order` is the highest order of derivative that the tests compare with
numerical differentiation. `python -m docs.numpy_functions` writes this page.
"""


# Code, which stays as it is, and what Markdown would read as emphasis.
EMPHASIS = re.compile(r"(`[^`]*`)|\*")


class Row(NamedTuple):
    """One row of the table: a function with all its names."""

    names: tuple[str, ...]
    rule: str
    note: str
    order: int


def public() -> dict[Any, tuple[str, ...]]:
    """Return the public functions of numpy, numpy.linalg and numpy.fft with their names."""
    names = defaultdict(list)
    for module in MODULES:
        for name in dir(module):
            value = getattr(module, name)
            if callable(value) and not isinstance(value, type) and not name.startswith("_"):
                names[value].append(f"{module.__name__}.{name}".replace("numpy", "np", 1))
    return {function: tuple(found) for function, found in names.items()}


@functools.cache
def ops() -> dict[Any, Op]:
    """Return the ops of the surface by their NumPy functions."""
    return {function: op for op in plugins.surface().ops.values() for function in op.numpy}


def kind(function: Any) -> str:
    """Return DIFFERENTIABLE, NOT_DIFFERENTIABLE or OTHER."""
    if function in ops():
        name = ops()[function].name
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
    """Return the text of one function of a rule."""
    if vjp is None:
        return "none"
    if vjp.__doc__:
        line = _first_line(vjp)
        return line if line.endswith("...") else line.removesuffix(".")
    code = vjp.__code__
    tree, _ = _tree(code.co_filename)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)]
    same = [
        n for n in found if n.lineno == code.co_firstlineno and _arguments(n) == _parameters(vjp)
    ]
    return f"`{ast.unparse(same[0].body)}`" if same else ""


def _arguments(node: ast.Lambda) -> list[str]:
    return [a.arg for a in node.args.args]


def _parameters(vjp: Callable[..., Any]) -> list[str]:
    return list(vjp.__code__.co_varnames[: vjp.__code__.co_argcount])


def _first_line(function: Any) -> str:
    text = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0]
    return " ".join(text.removeprefix("Return ").split())


def _note(function: Any) -> str:
    """Return the second paragraph of a docstring."""
    _, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    return " ".join(rest.partition("\n\n")[0].split())


def comment_above(file: str, op: str) -> str:
    """Return the comment above the statement that adds the rule of an op."""
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
    """Return for each differentiable function the text of its rule and its note."""
    numpy_of = {op.name: op.numpy for op in ops().values()}
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
    """Return for each function the highest order of derivative that the tests check."""
    cases = importlib.import_module("tests.autograd.cases")
    engine = importlib.import_module("tinytorch_autograd.engine")
    tested = {d.numpy: d.order for d in cases.DESCRIBED}
    names = set()
    for case in cases.CASES:  # their derivatives are tested up to the third order
        out = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
        names |= {node.op.name for node in engine.nodes_of([out.grad_fn])[0]}
    return tested | {function: 3 for function, op in ops().items() if op.name in names}


def rows() -> Iterator[Row]:
    """Yield the rows of the table, sorted by name."""
    text, tested = rules(), orders()
    for function, names in sorted(public().items(), key=lambda pair: pair[1][0].lower()):
        if kind(function) == DIFFERENTIABLE:
            rule, note = text[function]
            yield Row(names, rule, note, tested.get(function, 0))


def page() -> str:
    """Return the text of the page."""
    table = list(rows())
    others = [names for function, names in public().items() if kind(function) == NOT_DIFFERENTIABLE]
    lines = [
        INTRODUCTION.format(
            version=VERSION,
            count=len(table),
            names=sum(len(row.names) for row in table),
            others=len(others),
        ),
        "| function | rule | notes | order |",
        "|---|---|---|---|",
        *(_line(row) for row in table),
        "",
        "## Functions that are not differentiable",
        "",
        *textwrap.wrap(", ".join(f"`{n}`" for names in sorted(others) for n in names), 100),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    return f"| {names} | {_cell(row.rule)} | {_cell(row.note)} | {row.order or ''} |"


def _cell(text: str) -> str:
    return EMPHASIS.sub(lambda found: found[1] or r"\*", text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
