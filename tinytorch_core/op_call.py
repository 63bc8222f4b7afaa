"""The op on Tensors with nothing around it: unwrap, run the forward, wrap again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.ops import Op
from tinytorch_core.source import define, signature_of, tuple_of
from tinytorch_core.tensor import TensorBase, operand, speaks_numpy


def plain_call(op: Op, tensor: type[TensorBase], root: type[TensorBase]) -> Callable[..., Any]:
    """The op as a function that takes Tensors of class `root` and returns one of `tensor`."""

    def write(names: dict[str, Any]) -> str:
        names |= plain_names(op, tensor, root)
        signature, passed = signature_of(op.arguments, names)
        lines = [f"def call({signature}):", *plain_lines(op, passed), "    return out"]
        return "\n".join(lines) + "\n"

    function = define(op.name, write, {}, op.signature)
    function.__doc__ = op.doc
    return function


def plain_names(op: Op, tensor: type[TensorBase], root: type[TensorBase]) -> dict[str, Any]:
    """What the global names in `plain_lines` stand for."""
    return {
        "forward": op.forward,
        "Tensor": root,
        "Result": tensor,
        "ndarray": np.ndarray,
        "scalar": np.generic,
        "asarray": np.asarray,
        "new": object.__new__,
        "operand": operand,
        "argument": functools.partial(_argument, op.name),
        "explain": functools.partial(_explain_shapes, op.name),
        "wrap": functools.partial(_wrap, tensor),
        "is_array": _is_array,
    }


def plain_lines(op: Op, passed: str) -> list[str]:
    """The text of the op's body: its inputs become arrays, and `out` the Tensor it makes.

    A plugin that records what happens in an op can put its lines before and after, and so spare
    each call the cost of a function around a function.
    """
    lines = [f"    out = {op.inputs[0]}"] if op.in_place else []
    for x in op.inputs:
        lines += _unwrapping(op, x)
    run = f"{'' if op.in_place else 'out = ' if op.raw else 'result = '}forward({passed})"
    if op.inputs:
        lines += [
            "    try:",
            f"        {run}",
            "    except ValueError as error:",
            f"        raise explain(error, {op.inputs[0] if op.variadic else tuple_of(op.inputs)})",
        ]
    else:
        lines += [f"    {run}"]
    if not (op.in_place or op.raw):
        lines += [
            "    if result.__class__ is not ndarray:",
            "        if isinstance(result, scalar):",
            "            result = asarray(result)",
            "        elif not is_array(result):",
            "            return wrap(result)",
            "    out = new(Result)",
            "    out._data = result",
        ]
    return lines


def _unwrapping(op: Op, x: str) -> list[str]:
    if op.variadic:
        return [f"    {x} = [i._data if isinstance(i, Tensor) else argument(i) for i in {x}]"]
    lines = [f"    if isinstance({x}, Tensor):", f"        {x} = {x}._data", "    else:"]
    if not op.operator:
        return [*lines, f"        {x} = argument({x})"]
    return [
        *lines,
        f"        {x} = operand({x})",
        f"        if {x} is NotImplemented:",
        "            return NotImplemented",
    ]


def _is_array(result: Any) -> bool:
    """Whether a forward's result is an array of another library, to be held as it is."""
    return (
        not isinstance(result, TensorBase)
        and speaks_numpy(result)
        and getattr(result, "dtype", np.dtype(object)).kind in "biufc"
    )


def _wrap(tensor: type[TensorBase], result: Any) -> Any:
    """What a forward returned that is no array, with the arrays in it as Tensors."""
    if isinstance(result, np.generic):
        return tensor._from_array(np.asarray(result))
    if _is_array(result):
        return tensor._from_array(result)
    if isinstance(result, tuple | list):
        items = [_wrap(tensor, item) for item in result]
        named = hasattr(result, "_fields")
        return type(result)(*items) if named else type(result)(items)
    return result


def _argument(op: str, value: Any) -> Any:
    """A non-Tensor input of an op as a number or an array; None stands for an absent one."""
    array = value if value is None else operand(value)
    if array is NotImplemented:
        raise TypeError(
            f"{op}() takes tensors, arrays and numbers, not {type(value).__name__}: {value!r:.60}"
        )
    return array


def _explain_shapes(op: str, error: ValueError, arrays: Sequence[Any]) -> ValueError:
    """NumPy's error with the op's name and the shapes in front of it."""
    if type(error) is ValueError:
        shapes = " and ".join(str(getattr(a, "shape", ())) for a in arrays if a is not None)
        error.args = (f"{op} of shapes {shapes}: {error}",)
    return error
