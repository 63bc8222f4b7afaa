"""`rules.replace`, and the rules of ops that `ops.replace` has replaced."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins
from tinytorch_core.cli import main

import tinytorch_autograd
from tinytorch_autograd import grad


def plugin(uses=("autograd",), ops=None, rules=None, **order):
    """Return a plugin whose functions `ops(ops)` and `rules(rules)` implement the two hooks."""
    found = SimpleNamespace(tinytorch_uses=uses)
    if ops is not None:
        found.tinytorch_register_ops = hookimpl(**order)(ops)
    if rules is not None:
        found.tinytorch_register_backward = hookimpl(optionalhook=True, **order)(rules)
    return found


@pytest.fixture
def register():
    """Register plugins for one test."""
    names = []

    def register(**by_name):
        for name, found in by_name.items():
            plugins.register(found, name=name)
            names.append(name)

    yield register
    for name in reversed(names):
        plugins.unregister(name)


def slope_of_exp(order=1):
    x = Tensor(np.array([2.0]), requires_grad=True)
    out = np.exp(x)
    for _ in range(order):
        out = grad(out.sum(), x, create_graph=True)
    return out.item()


@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize("order", [{}, {"tryfirst": True}, {"trylast": True}], ids=str)
def test_a_rule_of_autograd_can_be_replaced(name, order, register):
    exact = slope_of_exp()
    doubled = plugin(
        rules=lambda rules: rules.replace("exp", lambda grad, out: 2 * grad * out), **order
    )
    register(**{name: doubled})
    assert slope_of_exp() == pytest.approx(2 * exact)
    assert slope_of_exp(order=2) == pytest.approx(4 * exact)
    with plugins.disable(name):
        assert slope_of_exp() == pytest.approx(exact)
    assert slope_of_exp() == pytest.approx(2 * exact)


def test_a_replaced_op_keeps_the_rule_of_its_provider(register):
    def cube(x):
        return x * x * x

    def provide(ops):
        ops.add("cube", cube, method=True)

    def provide_rule(rules):
        rules.add("cube", lambda grad, x: 3 * grad * x * x)

    register(
        cubes=plugin(ops=provide, rules=provide_rule),
        fast=plugin(("cubes",), ops=lambda ops: ops.replace("cube", lambda x: x**3)),
    )
    x = Tensor([2.0], requires_grad=True)
    x.cube().backward()
    assert x.grad.item() == 12
    # The op and its rule can both be replaced.
    register(
        faster=plugin(
            ("cubes", "fast"),
            ops=lambda ops: ops.replace("cube", lambda x: x * x**2),
            rules=lambda rules: rules.replace("cube", lambda grad, x: 30 * grad * x**2),
        )
    )
    x.zero_grad()
    x.cube().backward()
    assert x.grad.item() == 120


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_an_op_of_autograd_can_be_replaced_and_keeps_its_rule(name, register):
    calls = []
    op = plugins.surface().ops["concatenate"]
    assert "autograd" in op.provider

    def joined(*arrays, axis=0):
        calls.append(arrays)
        return np.concatenate(arrays, axis=axis)

    register(**{name: plugin(ops=lambda ops: ops.replace(op.name, joined))})
    x = Tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    out = np.concatenate([x, 2 * x])
    assert len(calls) == 1
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, [[3, 3, 3]])


def test_a_rule_for_an_op_of_another_plugin_that_has_none(register):
    register(
        cubes=plugin(ops=lambda ops: ops.add("cube", lambda x: x * x * x, method=True)),
        rules=plugin(
            ("autograd", "cubes"),
            rules=lambda rules: rules.add("cube", lambda grad, x: 3 * grad * x * x),
        ),
    )
    x = Tensor([2.0], requires_grad=True)
    x.cube().backward()
    assert x.grad.item() == 12


@pytest.mark.parametrize(
    ("uses", "replace", "message"),
    [
        (
            (),
            lambda rules: rules.replace("exp", lambda grad: grad),
            r"'exp' is provided by plugin 'autograd' .* state tinytorch_uses = \('autograd',\)",
        ),
        (
            ("autograd",),
            lambda rules: rules.replace("argmax", lambda grad: grad),
            "'argmax' is declared not differentiable",
        ),
        (
            ("autograd",),
            lambda rules: rules.replace("iadd", lambda grad: grad, None),
            r"'iadd' has no rule to replace; use rules\.add",
        ),
        (
            ("autograd",),
            lambda rules: rules.replace("exq", lambda grad: grad),
            "unknown op 'exq'. Did you mean .*'exp'",
        ),
        (
            ("autograd",),
            lambda rules: rules.replace("exp", lambda gard: gard),
            "a rule of 'exp' has an unknown argument 'gard'",
        ),
    ],
)
def test_a_replacement_that_cannot_be_made(uses, replace, message):
    before = slope_of_exp()
    with pytest.raises(PluginError, match=f"plugin 'zzz' .*{message}"):
        plugins.register(plugin(uses, rules=replace), name="zzz")
    assert slope_of_exp() == before


def test_two_plugins_that_replace_a_rule_must_state_their_order(register):
    def replaces(factor, *uses):
        return plugin(
            uses,
            rules=lambda rules: rules.replace("exp", lambda grad, out: factor * grad * out),
        )

    exact = slope_of_exp()
    register(zzz=replaces(2, "autograd"))
    message = r"'exp' is provided by plugin '(aaa|zzz)' .*tinytorch_uses = \('\1',\)"
    with pytest.raises(PluginError, match=message):
        plugins.register(replaces(3, "autograd"), name="aaa")
    assert slope_of_exp() == pytest.approx(2 * exact)
    register(aaa=replaces(3, "zzz"))
    assert slope_of_exp() == pytest.approx(3 * exact)


def test_the_command_shows_what_was_replaced(register, capsys):
    register(
        fast=plugin(
            ops=lambda ops: ops.replace("exp", lambda x: np.exp(x)),
            rules=lambda rules: rules.replace("exp", lambda grad, out: grad * out),
        )
    )
    assert main(["ops", "exp"]) == 0
    printed = capsys.readouterr().out
    assert "\n  replaced by  fast\n" in printed
    assert "\n  derivative   rule of fast (replaces autograd)\n" in printed
    assert main(["ops"]) == 0
    assert "\nexp   " in (printed := capsys.readouterr().out)
    assert " core > fast " in printed


def test_the_class_of_the_nodes_is_that_of_the_rule_in_force(register):
    def is_an_exp():
        node = np.exp(Tensor([1.0], requires_grad=True)).grad_fn
        return type(node) is tinytorch_autograd.ExpBackward

    before = tinytorch_autograd.ExpBackward
    register(other=plugin(rules=lambda rules: rules.replace("exp", lambda grad: grad)))
    assert tinytorch_autograd.ExpBackward is not before
    assert is_an_exp()
    with plugins.disable("other"):
        assert tinytorch_autograd.ExpBackward is before
        assert is_an_exp()
    assert is_an_exp()


def test_the_nodes_of_a_replaced_op_have_their_own_class(register):
    register(other=plugin(ops=lambda ops: ops.replace("exp", lambda x: x * 0)))
    node = np.exp(Tensor([1.0], requires_grad=True)).grad_fn
    assert node.op.replaced_by == ("plugin 'other' (registered from code)",)
    with plugins.disable("other"):
        restored = np.exp(Tensor([1.0], requires_grad=True)).grad_fn
        assert restored.op.replaced_by == ()
        by_hand = tinytorch_autograd.ExpBackward(Tensor([0.0]))
        assert by_hand.apply(np.ones(1))[0].item() == 1
    assert node.op.replaced_by
