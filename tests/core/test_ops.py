"""Op, the op table, and the `op` decorator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, op, plugins
from tinytorch_core.ops import OpTable


def scaled(x: Any, factor: float = 2.0) -> Any:
    """Return `x` times a factor."""
    return x * factor


def test_arguments_without_a_default_are_inputs() -> None:
    added = OpTable().add("scaled", scaled)
    assert added.inputs == ("x",)
    assert added.parameters == ("factor",)
    assert added.doc == "Return `x` times a factor."
    assert added.provider == "tinytorch-core"


def test_inputs_can_be_given_by_name() -> None:
    added = OpTable().add("scaled", scaled, inputs=("x", "factor"))
    assert added.inputs == ("x", "factor")
    assert added.parameters == ()


def test_keyword_only_arguments_are_parameters() -> None:
    def shifted(x: Any, *, by: float) -> Any:
        return x + by

    added = OpTable().add("shifted", shifted)
    assert (added.inputs, added.parameters) == (("x",), ("by",))


def test_an_op_with_star_arguments_is_variadic() -> None:
    def total(*arrays: Any, axis: int = 0) -> Any:
        return sum(a.sum(axis) for a in arrays)

    added = OpTable().add("total", total)
    assert added.variadic
    assert (added.inputs, added.parameters) == (("arrays",), ("axis",))


@pytest.mark.parametrize(
    ("method", "methods"),
    [(False, ()), (True, ("scaled",)), ("times", ("times",)), (["a", "b"], ("a", "b"))],
)
def test_method_names(method: Any, methods: tuple[str, ...]) -> None:
    assert OpTable().add("scaled", scaled, method=method).methods == methods


def test_inputs_of_ufuncs_and_builtins_are_positional() -> None:
    table = OpTable()
    assert table.add("hypot", np.hypot).inputs == ("x", "y")
    assert table.add("cbrt", np.cbrt).inputs == ("x",)
    assert table.add("pow", pow, inputs=("base", "power")).inputs == ("base", "power")
    assert table.add("fromkeys", dict.fromkeys).inputs == ("iterable",)


@pytest.mark.parametrize(
    ("name", "forward", "options", "message"),
    [
        ("no name", scaled, {}, "'no name' cannot name an op: it must be a Python identifier"),
        ("free", lambda x, **options: x, {}, r"takes \*\*options; name each parameter"),
        (
            "free",
            scaled,
            {"inputs": ["y"]},
            "no argument 'y', which `inputs` names; its arguments are x, factor",
        ),
        ("free", type, {}, "arguments of op 'free' cannot be read"),
        ("free", scaled, {"numpy": "exp"}, r"numpy= of op 'free' contains 'exp', .* numpy=np\.exp"),
        ("free", scaled, {"numpy": [np.exp, "log"]}, "numpy= of op 'free' contains 'log'"),
        ("scaled", scaled, {}, "op 'scaled' is already provided by tinytorch-core; choose another"),
    ],
)
def test_add_refuses_wrong_ops(name: str, forward: Any, options: Any, message: str) -> None:
    table = OpTable()
    table.add("scaled", scaled)
    with pytest.raises(ValueError, match=message):
        table.add(name, forward, **options)
    assert list(table) == ["scaled"]


def test_a_table_is_a_mapping() -> None:
    table = OpTable()
    added = table.add("scaled", scaled)
    assert table["scaled"] is added
    assert list(table) == ["scaled"]
    assert len(table) == 1
    assert "nope" not in table


def test_a_table_of_a_plugin_adds_ops_of_that_provider() -> None:
    table = OpTable()
    assert table.of("somebody").add("scaled", scaled).provider == "somebody"
    assert table["scaled"].provider == "somebody"


@op("tripled")
def tripled(x: Any) -> Any:
    return x * 3


def test_a_decorated_function_runs_the_op_only_on_tensors() -> None:
    calls = []

    @hookimpl
    def tinytorch_register_ops(ops: OpTable) -> None:
        ops.add("tripled", tripled)

    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        return (lambda x: calls.append(op.name) or call(x)) if op.name == "tripled" else None

    plugin = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops, tinytorch_wrap_op=tinytorch_wrap_op
    )
    np.testing.assert_array_equal(tripled(np.ones(2)), [3, 3])
    with pytest.raises(AttributeError, match="no active plugin provides the op 'tripled'"):
        tripled(Tensor([1.0]))
    plugins.register(plugin, name="triple")
    try:
        np.testing.assert_array_equal(tripled(np.ones(2)), [3, 3])
        assert not calls
        assert repr(tripled(Tensor([1.0]))) == "Tensor([3.])"
        assert repr(tripled(x=Tensor([1.0]))) == "Tensor([3.])"
        assert calls == ["tripled", "tripled"]
    finally:
        plugins.unregister("triple")
    assert tripled.__name__ == "tripled"
