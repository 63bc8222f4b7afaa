"""`tinytorch ops`: each op, the plugins that provide and wrap it, and what runs it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import __version__, hookimpl, plugins
from tinytorch_core.cli import main


@hookimpl
def tinytorch_register_ops(ops: Any) -> None:
    """Add an op that fills every column."""

    def triple(x: Any, by: float = 3.0, *, rounded: bool = False) -> Any:
        """Three times `x`.

        More of it.
        """
        return x * by

    ops.add("triple", triple, method=("triple", "times3"), numpy=np.cbrt)
    ops.add("bare", lambda x: x)


@hookimpl
def tinytorch_wrap_op(op: Any, call: Any) -> Any:
    return (lambda *a, **k: call(*a, **k)) if op.name in ("triple", "exp") else None


@hookimpl(stage="inside")
def wrap_inside(op: Any, call: Any) -> Any:
    return tinytorch_wrap_op(op, call)


@hookimpl
def tinytorch_explain_op(op: Any, surface: Any) -> dict[str, str] | None:
    if op.name != "triple":
        return None
    return {"speed": "fast", "ops": str(len(surface.ops))}


@pytest.fixture(autouse=True)
def _registered() -> Any:
    mine = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_wrap_op=wrap_inside,
        tinytorch_explain_op=tinytorch_explain_op,
    )
    around = SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op)
    with plugins.only("autograd"):
        plugins.register(mine, name="mine")
        plugins.register(around, name="around")
        yield
        plugins.unregister("around")
        plugins.unregister("mine")


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    assert main(["ops", "--json"]) == 0
    return {op["name"]: op for op in json.loads(capsys.readouterr().out)["ops"]}


def test_json_has_a_record_of_each_op(records: Any) -> None:
    facts = records["triple"].pop("facts")
    assert records["triple"] == {
        "name": "triple",
        "plugin": "mine",
        "distribution": "registered from code",
        "replaced_by": [],
        "signature": "triple(x, by=3.0, *, rounded=False)",
        "inputs": ["x"],
        "methods": ["triple", "times3"],
        "numpy": ["np.cbrt"],
        # The innermost is first.
        "wrapped_by": ["mine", "autograd", "around"],
        "stages": ["inside", "recording", "outside"],
        "in_place": False,
        "numpy_call": False,
        "doc": "Three times `x`.\n\nMore of it.",
    }
    assert facts == {
        "derivative": "no rule: backward() raises",
        "speed": "fast",
        "ops": str(len(records)),
    }


@pytest.mark.parametrize(
    ("op", "key", "value"),
    [
        ("add", "plugin", None),
        ("add", "distribution", f"tinytorch-core {__version__}"),
        ("add", "methods", ["__add__", "__radd__"]),
        ("add", "inputs", ["x", "y"]),
        ("add", "wrapped_by", ["autograd"]),
        ("add", "doc", "Return `self + y`, element by element."),
        ("exp", "wrapped_by", ["mine", "autograd", "around"]),
        ("bare", "stages", ["recording"]),
        ("max", "numpy", ["np.max", "np.amax"]),
        ("bare", "doc", None),
        ("iadd", "in_place", True),
    ],
)
def test_json_has_the_ops_of_the_core(op: str, key: str, value: Any, records: Any) -> None:
    assert records[op][key] == value


@pytest.mark.parametrize(
    ("op", "derivative"),
    [
        ("add", "rule of autograd"),
        ("argmax", "none (declared)"),
        ("triple", "no rule: backward() raises"),
        ("iadd", "recorded as add"),
        ("ibitwise_and", "none (declared)"),
        ("setitem", "recorded unless memory is shared"),
        ("numpy", "none: returns the array"),
        ("float", "none: returns the number"),
    ],
)
def test_autograd_adds_whether_an_op_is_differentiable(
    op: str, derivative: str, records: Any
) -> None:
    assert records[op]["facts"]["derivative"] == derivative


def test_without_autograd_the_column_of_derivatives_is_missing(records: Any, capsys: Any) -> None:
    with plugins.disable("autograd"):
        main(["ops", "--json"])
    for op in json.loads(capsys.readouterr().out)["ops"]:
        assert "derivative" not in op["facts"]


def test_the_table_has_a_row_for_each_op(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    columns = ["OP", "PROVIDER", "METHOD", "NUMPY", "WRAPPED BY", "DERIVATIVE"]
    starts = [header.index(column) for column in columns]
    assert starts == sorted(starts)
    assert header.split()[-2:] == ["SPEED", "OPS"]  # the columns of the plugins, in their order
    (row,) = [row for row in rows if row.startswith("triple ")]
    cells = [row[a:b].strip() for a, b in zip(starts, [*starts[1:], 999], strict=True)]
    assert cells[:5] == ["triple", "mine", "triple", "np.cbrt", "mine, autograd, aro…"]
    assert [row.split()[0] for row in rows] == list(plugins.surface().ops)


@pytest.mark.parametrize("name", ["triple", "times3", "np.cbrt", "numpy.cbrt", "cbrt"])
def test_any_name_of_an_op_shows_its_details(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", name]) == 0
    output = capsys.readouterr().out
    assert output.startswith("triple\n")
    for line in (
        "provider    mine (registered from code)",
        "signature   triple(x, by=3.0, *, rounded=False)",
        "methods     Tensor.triple, Tensor.times3",
        "NumPy       np.cbrt",
        "wrapped by  mine (inside), autograd (recording), around (outside)",
        "derivative  no rule: backward() raises",
        "speed       fast",
    ):
        assert f"\n  {line}\n" in output
    assert output.endswith("\nThree times `x`.\n\nMore of it.\n")


def test_an_unknown_op_is_an_error_with_the_nearest_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ops", "tripel"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "no op is named 'tripel'. Did you mean 'triple'" in output.err
    # A plugin that is off may provide it.
    assert "These plugins are not on and may provide it: " in output.err
    assert "activations" in output.err


def test_the_error_for_an_unknown_op_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "qqq"]) == 2
    output = capsys.readouterr().err
    assert "no op is named 'qqq'. `tinytorch ops` lists the ops. These plugins" in output


@pytest.mark.parametrize("name", ["np.linalg", "np.float32", "np.pi", "linalg.nothing", "", "a..b"])
def test_a_name_in_numpy_that_is_not_an_op_is_an_error(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ops", name]) == 2
    assert f"no op is named {name!r}. " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["np.linalg.inv", "numpy.linalg.inv", "linalg.inv"])
def test_an_on_demand_op_has_details_too(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", name]) == 0
    output = capsys.readouterr().out
    assert output.startswith("linalg.inv\n")
    assert "\n  derivative  rule of autograd\n" in output
    assert output.endswith("\nCompute the inverse of a matrix.\n")


def test_a_ufunc_without_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    ufunc = pytest.importorskip("numpy._core._umath_tests").inner1d_no_doc
    plugins.surface().numpy_op(ufunc)
    assert main(["ops", "--json"]) == 0
    (record,) = [op for op in json.loads(capsys.readouterr().out)["ops"] if op["numpy_call"]]
    assert record["doc"].startswith("inner1d_no_doc(")
