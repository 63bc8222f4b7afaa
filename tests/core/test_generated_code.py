"""The code that the core generates for an op can be read, and takes arguments of any name."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import pydoc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, op, plugins


@contextmanager
def op_added(forward: Callable[..., Any], **options: Any) -> Iterator[None]:
    """Add an op `thing` for a block."""

    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add("thing", forward, **options)

    plugin = SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)
    plugins.register(plugin, name="thing")
    try:
        yield
    finally:
        plugins.unregister("thing")


@pytest.mark.usefixtures("each_surface")
def test_the_source_of_an_operator_starts_with_comments_that_explain_its_names() -> None:
    first, *lines = inspect.getsource(Tensor.__mul__).splitlines()
    assert first == "def mul(self, y):"
    assert all(line.startswith("    # ") for line in lines[:3])
    assert not lines[3].startswith("    # ")
    comment = " ".join(lines[:3])
    assert all(name in comment for name in ("_forward", "_Tensor", "_Result"))


def test_the_source_of_a_numpy_op_starts_with_such_comments_too() -> None:
    with plugins.only():
        np.linalg.inv(Tensor(np.eye(2)))
        lines = inspect.getsource(Tensor._numpy_functions[np.linalg.inv]).splitlines()
    assert all(line.startswith("    # ") for line in lines[1:4])
    assert "linalg.inv" in lines[1]


@pytest.mark.usefixtures("each_surface")
@pytest.mark.parametrize("name", ["mul", "sum", "clip", "getitem", "iadd", "numpy"])
def test_all_names_but_those_of_the_arguments_begin_with_an_underscore(name: str) -> None:
    tree = ast.parse(inspect.getsource(Tensor._calls[name]))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    # In a method, the first input is `self`, and its array has the input's name.
    arguments |= {*plugins.surface().ops[name].inputs}
    others = names - set(dir(builtins)) - arguments
    assert not {n for n in others if not n.startswith("_")}


@pytest.mark.usefixtures("each_surface")
@pytest.mark.parametrize(
    "name",
    [
        "out",
        "result",
        "scalar",
        "grad",
        "forward",
        "Tensor",
        "node",
        "Node",
        "self",
        "array",
        "operand",
        "call",
        "names",
        "args",
        "kwargs",
        "surface",
        "op",
        "error",
        "shape",
        "wrap",
        "unwrap",
        "np",
    ],
)
def test_an_argument_may_have_any_name_without_an_underscore(name: str) -> None:
    x = Tensor([3.0])
    forms = {
        f"lambda {name}, y: {name} / y": lambda: x.thing(2),
        f"lambda y, {name}: y / {name}": lambda: x.thing(2),
        f"lambda y, {name}=1: y / {name}": lambda: x.thing(**{name: 2}),
        f"lambda y, *, {name}: y / {name}": lambda: x.thing(**{name: 2}),
        f"lambda *{name}: {name}[0] / {name}[1]": lambda: x.thing(2),
    }
    for text, call in forms.items():
        if name == "self" and text.endswith("*, self: y / self"):
            continue  # Python passes the tensor as `self`
        with op_added(eval(text), method=True):
            assert call().item() == 1.5, text
            inspect.signature(Tensor.thing)


@pytest.mark.parametrize("kind", ["", "*", "*, "])
def test_an_argument_that_begins_with_an_underscore_is_refused(kind: str) -> None:
    message = r"an argument of op 'thing' is named '_out'; rename it, because names that begin with"
    with (
        pytest.raises(PluginError, match=message),
        op_added(eval(f"lambda x, {kind}_out: x"), method=True),
    ):
        pass


class Mode(enum.StrEnum):
    """A default whose repr is not Python."""

    SAME = "same"


@pytest.mark.usefixtures("each_surface")
@pytest.mark.parametrize(
    "default", [Mode.SAME, None, True, 2, "a 'quoted' word", 0.5, (1, 2), np.float32(3)], ids=repr
)
def test_a_default_may_be_any_object(default: Any) -> None:
    seen = []

    def forward(x: Any, option: Any = default) -> Any:
        seen.append(option)
        return x

    with op_added(forward, method=True):
        Tensor([1.0]).thing()
    assert seen == [default]
    assert type(seen[0]) is type(default)


def test_a_decorated_variadic_function_may_name_its_arguments_by_one_letter() -> None:
    @op("thing")
    def total(*a: Any, axis: int = 0) -> Any:
        return sum(x.sum(axis) for x in a)

    with op_added(total):
        assert total(Tensor([1.0, 2.0]), Tensor([3.0])).item() == 6
    assert total(np.ones(3)) == 3


@pytest.mark.usefixtures("each_surface")
def test_the_source_of_a_reflected_operator_is_that_of_the_op() -> None:
    assert inspect.getsource(Tensor.__rmul__) == inspect.getsource(Tensor.__mul__)
    assert Tensor.__rmul__.__name__ == "__rmul__"
    assert (3 - Tensor([1.0])).item() == Tensor([1.0]).__rsub__(3).item() == 2


@pytest.mark.usefixtures("each_surface")
def test_help_shows_our_docstrings_and_self() -> None:
    mul = pydoc.plain(pydoc.render_doc(Tensor.__mul__))
    assert "mul(self, y)" in mul
    assert "Return `self * y`, element by element." in mul
    assert "where=" not in mul
    total = " ".join(pydoc.plain(pydoc.render_doc(Tensor.sum)).split())  # Python 3.13 wraps lines
    total = total.replace("'", "")  # Python 3.14 shows annotations without quotes
    assert "self: Array, axis: Any = None, keepdims: bool = False, dim=None" in total
    assert "Return the sum of all elements, or over `axis`, a number or a tuple." in total
    assert "Run mul with the operands swapped." in pydoc.render_doc(Tensor.__rmul__)
    with pytest.raises(TypeError, match="unexpected keyword argument 'x'"):
        Tensor.sum(x=Tensor([1.0]))  # type: ignore[call-arg]


def test_help_is_the_same_before_and_after_the_first_call() -> None:
    def thing(x: Any, by: float = 1.0) -> Any:
        """Return `x` divided by `by`."""
        return x / by

    with op_added(thing, method=True):
        before = pydoc.render_doc(Tensor.thing)
        Tensor([1.0]).thing(2)
        assert pydoc.render_doc(Tensor.thing) == before
    assert "thing(self: Any, by: float = 1.0)" in pydoc.plain(before).replace("'", "")
