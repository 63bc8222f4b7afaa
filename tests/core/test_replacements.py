"""`ops.replace`: a plugin replaces the forward function of an op of another plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, op, plugins


@op("scale")
def scale(x: Any, by: float = 2.0, *, shift: float = 0.0) -> Any:
    """Return `x` times a factor."""
    return x * by + shift


def provider(**order: bool) -> SimpleNamespace:
    """Return a plugin that provides the op `scale`."""

    @hookimpl(**order)
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add("scale", scale, method=("scale", "scaled"), numpy=np.cbrt)

    return SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)


def replacing(factor: int, *uses: str, name: str = "scale", **order: bool) -> SimpleNamespace:
    """Return a plugin that replaces the op, so that its result is `factor` times as large."""

    @op("scale")
    def other(x: Any, by: float = 2.0, *, shift: float = 0.0) -> Any:
        return factor * scale(x, by, shift=shift)

    @hookimpl(**order)
    def tinytorch_register_ops(ops: Any) -> None:
        ops.replace(name, other)

    return SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops, tinytorch_uses=uses)


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """Register plugins for one test, without other plugins."""
    names: list[str] = []

    def register(**by_name: Any) -> None:
        for name, plugin in by_name.items():
            plugins.register(plugin, name=name)
            names.append(name)

    with plugins.only():
        yield register
        for name in reversed(names):
            plugins.unregister(name)


def scaled() -> float:
    return Tensor([1.0]).scale().item()


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_op_keeps_all_but_its_forward_function(names: Any, register: Any) -> None:
    first, second = names
    register(**{first: provider()})
    before = plugins.surface().ops["scale"]
    register(**{second: replacing(10, first)})
    after = plugins.surface().ops["scale"]
    assert after.forward is not before.forward
    assert not hasattr(after.forward, "__wrapped_forward__")  # it would look for Tensors again
    assert after.replaced_by == (f"plugin {second!r} (registered from code)",)
    assert after._replace(forward=before.forward, replaced_by=()) == before
    x = Tensor([1.0])
    for result in (x.scale(), x.scaled(), np.cbrt(x), scale(x)):
        assert result.item() == 20
    assert x.scale(3, shift=1).item() == 40
    assert (
        str(inspect.signature(Tensor.scale))
        == "(self: 'Any', by: 'float' = 2.0, *, shift: 'float' = 0.0) -> 'Any'"
    )
    assert Tensor.scale.__doc__ == "Return `x` times a factor."


def test_disabling_the_plugin_restores_the_op(register: Any) -> None:
    register(a=provider(), b=replacing(10, "a"))
    assert scaled() == 20
    with plugins.disable("b"):
        assert scaled() == 2
        assert plugins.surface().ops["scale"].replaced_by == ()
    assert scaled() == 20


def test_on_arrays_a_decorated_function_stays_as_it_is(register: Any) -> None:
    register(a=provider(), b=replacing(10, "a"))
    assert scale(np.ones(1)) == 2


@pytest.mark.parametrize("names", ["abc", "cab", "bca", "cba"])
@pytest.mark.parametrize("late", [{}, {"trylast": True}])
def test_the_last_of_several_in_the_order_of_uses_takes_effect(
    names: str, late: dict[str, bool], register: Any
) -> None:
    a, b, c = names
    register(**{a: provider(**late)})
    register(**{b: replacing(10, a, **late)})
    register(**{c: replacing(100, b, tryfirst=True)})
    assert scaled() == 200
    titles = plugins.surface().ops["scale"].replaced_by
    assert [title[8] for title in titles] == [b, c]


def test_an_op_of_the_core_can_be_replaced_by_any_plugin(register: Any) -> None:
    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.replace("exp", lambda x: x * 0 + 7)
        ops.replace("matmul", lambda x, y: x * 0 + 8)
        ops.replace("log", np.cbrt)

    register(mine=SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops))
    x = Tensor([[8.0]])
    assert (x.exp().item(), np.exp(x).item()) == (7, 7)
    assert ((x @ x).item(), np.matmul(x, x).item()) == (8, 8)
    assert x.log().item() == pytest.approx(2)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            replacing(10),
            r"'scale' is provided by plugin 'a' \(registered from code\), which this plugin "
            r"neither needs nor uses, .*; state tinytorch_uses = \('a',\)",
        ),
        (replacing(10, "a", name="scael"), "unknown op 'scael'. Did you mean 'scale'?"),
    ],
)
def test_a_replacement_that_cannot_be_made(second: Any, message: str, register: Any) -> None:
    register(a=provider())
    with pytest.raises(PluginError, match=f"'b' .*in tinytorch_register_ops: .*{message}"):
        plugins.register(second, name="b")
    assert scaled() == 2


def test_two_plugins_that_replace_an_op_must_state_their_order(register: Any) -> None:
    register(a=provider(), b=replacing(10, "a"))
    message = r"plugin 'c' .*'scale' is provided by plugin 'b' .*tinytorch_uses = \('b',\)"
    with pytest.raises(PluginError, match=message):
        plugins.register(replacing(100, "a"), name="c")
    assert scaled() == 20
    register(c=replacing(100, "a", "b"))
    assert scaled() == 200


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        (lambda x: x, r"\(x\)"),
        (lambda x, by=3.0, *, shift=0.0: x, r"\(x, by=3\.0, \*, shift=0\.0\)"),
        (lambda x, by=2.0, shift=0.0: x, r"\(x, by=2\.0, shift=0\.0\)"),
        (lambda y, by=2.0, *, shift=0.0: y, r"\(y, by=2\.0, \*, shift=0\.0\)"),
        (lambda *x, by=2.0, shift=0.0: x, r"\(\*x, by=2\.0, shift=0\.0\)"),
        (np.exp, "1 input"),
        (np.hypot, "2 inputs"),
    ],
)
def test_the_new_function_must_have_the_same_arguments(
    forward: Any, found: str, register: Any
) -> None:
    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.replace("scale", forward)

    second = SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops, tinytorch_uses=("a",))
    register(a=provider())
    expected = r"must have the arguments \(x, by=2\.0, \*, shift=0\.0\), and .* takes "
    with pytest.raises(PluginError, match=f"op 'scale' {expected}{found}"):
        plugins.register(second, name="b")
    assert scaled() == 2
