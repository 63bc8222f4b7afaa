"""The source text of an op's call on Tensors: unwrap the inputs, run the forward, wrap the result.

All text that the core generates is assembled here. Its own names begin with an underscore, so
that they cannot collide with the arguments of an op.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core.ops import Op
from tinytorch_core.source import define, numpy_name, signature_text, tuple_text, with_spellings
from tinytorch_core.tensor import Tensor, operand, speaks_numpy, unwrap

Function = TypeVar("Function", bound=Callable[..., Any])


class CallText(NamedTuple):
    """The parts of the text of one op's call.

    Attributes:
        signature: the arguments, with the first input named `self` if the op is a method.
        passed: the same arguments as passed on to another call of the op.
        tensors: for each input, the name of the variable that holds it as it was given.
        comment: lines that explain the names in the text.
        keywords: lines that handle keywords that the op itself lacks.
        unwrap: lines that assign the array of each input to the input's name.
        run: lines that assign the result of the forward to `_array`, and the Tensor to `_out`.
    """

    signature: str
    passed: str
    tensors: tuple[str, ...]
    comment: list[str]
    keywords: list[str]
    unwrap: list[str]
    run: list[str]


def call_text(op: Op, names: dict[str, Any]) -> CallText:
    """Return the text of the op's call in parts, and add default values to its globals, `names`.

    A plugin that replaces the call can put its own lines between the parts, which spares each
    call the cost of one more function.
    """
    tensors = _tensor_names(op)
    _, arrays = signature_text(op.arguments, names)
    arguments = _call_arguments(op)
    _, passed = signature_text(arguments, names)
    arguments, keywords = with_spellings(arguments, names)
    signature, _ = signature_text(arguments, names)
    if op.name in ("sum", "prod", "max", "min"):
        # NumPy's function runs if it gets options that the op lacks.
        names |= {"_absent": np._NoValue, "_numpy": op.numpy[0]}
        signature += ", initial=None, where=None"
        given = "axis=axis, keepdims=keepdims, initial=initial, where=where"
        keywords += [
            "    if initial is not None or where is not None:",
            "        initial, where = [_absent if _o is None else _o for _o in (initial, where)]",
            f"        return _numpy(self, {given})",
        ]
    comment = [
        f"    # _forward: the function on arrays, {numpy_name(op.forward)}.",
        "    # _Tensor: the class of all tensors; _Result: the class of what this op returns.",
        "    # Names with a leading underscore are internal; the others are the op's arguments.",
    ]
    lines = comment, keywords, _unwrap_inputs(op, tensors), _run(op, arrays)
    return CallText(signature, passed, tensors, *lines)


def array_text(tensor: str) -> str:
    """Return the text of a Tensor's array, given its variable; faster than the property `data`."""
    return f"{tensor}._data"


def call_names(op: Op, tensor: type[Tensor]) -> dict[str, Any]:
    """Return the globals of the text of an op's call, whose results have the class `tensor`."""
    return {
        "_forward": op.forward,
        "_Tensor": Tensor,
        "_Result": tensor,
        "_ndarray": np.ndarray,
        "_scalar": np.generic,
        "_asarray": np.asarray,
        "_new": object.__new__,
        "_operand": operand,
        "_argument": functools.partial(_argument, op.name),
        "_explain": functools.partial(_explain_shapes, op.name),
        "_wrap": functools.partial(wrap, tensor),
        "_is_array": is_array,
        "_replaced": replaced,
        "_unwrap": unwrap,
    }


def op_call(op: Op, tensor: type[Tensor]) -> Callable[..., Any]:
    """Return the call of an op: it takes Tensors, and returns one of class `tensor`."""

    def write(names: dict[str, Any]) -> str:
        names |= call_names(op, tensor)
        if op.numpy_call:
            lines = _numpy_call(op)
        else:
            text = call_text(op, names)
            lines = [f"def call({text.signature}):", *text.comment, *text.keywords]
            lines += [*text.unwrap, *text.run]
        return "\n".join([*lines, "    return _out", ""])

    call = define(op.name, write, {}, call_signature(op))
    call.__doc__ = op.doc
    return call


def call_signature(op: Op) -> inspect.Signature:
    """Return that of `forward`, with `self` if the op is a method, and both spellings of `axis`."""
    return _CallSignature(op)


class _CallSignature(inspect.Signature):
    """The signature of an op's call, computed when it is read: few of a surface's ever are."""

    __slots__ = ("_op",)

    def __init__(self, op: Op) -> None:
        self._op = op

    def _computed(self) -> inspect.Signature:
        arguments, _ = with_spellings(_call_arguments(self._op), {})
        return self._op.signature.replace(parameters=arguments)

    @property
    def parameters(self) -> Any:
        return self._computed().parameters

    @property
    def return_annotation(self) -> Any:
        return self._op.signature.return_annotation

    def replace(self, **changes: Any) -> inspect.Signature:  # type: ignore[override]
        return self._computed().replace(**changes)


def _call_arguments(op: Op) -> list[inspect.Parameter]:
    """Return the arguments of `forward`, the first renamed to `self` if the op is a method."""
    if _tensor_names(op) == op.inputs:
        return list(op.arguments)
    return [p.replace(name="self") if p.name == op.inputs[0] else p for p in op.arguments]


def _tensor_names(op: Op) -> tuple[str, ...]:
    # The first argument of a method is `self`; the name of the input is used for its array.
    method = bool(op.methods) and not op.variadic and "self" not in op.argument_names
    return ("self", *op.inputs[1:]) if method and op.inputs else op.inputs


def _unwrap_inputs(op: Op, tensors: Sequence[str]) -> list[str]:
    lines = [f"    _out = {tensors[0]}"] if op.in_place else []
    for x, tensor in zip(op.inputs, tensors, strict=True):
        if op.variadic:
            lines += [f"    {x} = [{_array_of('_i')} for _i in {x}]"]
        elif not op.operator:
            lines += [f"    {x} = {_array_of(tensor)}"]
        else:
            lines += [
                f"    if isinstance({tensor}, _Tensor):",
                f"        {x} = {array_text(tensor)}",
                "    else:",
                f"        {x} = _operand({tensor})",
                f"        if {x} is NotImplemented:",
                "            return NotImplemented",
            ]
    return lines


def _array_of(tensor: str) -> str:
    return f"{array_text(tensor)} if isinstance({tensor}, _Tensor) else _argument({tensor})"


def _run(op: Op, arrays: str) -> list[str]:
    assigned = "_out = " if op.raw else "_array = "
    shapes = op.inputs[0] if op.variadic else tuple_text(op.inputs)
    lines = [
        "    try:",
        f"        {assigned}_forward({arrays})",
        "    except ValueError as _error:",
        f"        raise _explain(_error, {shapes})",
    ]
    if op.in_place:
        is_new = f"_array is not {op.inputs[0]} and _array is not None"
        return [*lines, f"    if {is_new}:", "        _out = _replaced(_out, _array)"]
    return lines if op.raw else [*lines, *_WRAP_RESULT]


_WRAP_RESULT = (
    "    if _array.__class__ is not _ndarray:",
    "        if isinstance(_array, _scalar):",
    "            _array = _asarray(_array)",
    "        elif not _is_array(_array):",
    "            return _wrap(_array)",
    "    _out = _new(_Result)",
    f"    {array_text('_out')} = _array",
)


def _numpy_call(op: Op) -> list[str]:
    return [
        "def call(*args, **kwargs):",
        f"    # _forward: the function on arrays, {op.name}, which no plugin offers as an op.",
        "    # _unwrap: replaces Tensors by their arrays, in nested lists, tuples and dicts too.",
        "    # _Result: the class of the Tensors that are returned.",
        "    _array = _forward(*_unwrap(args), **(_unwrap(kwargs) if kwargs else kwargs))",
        *_WRAP_RESULT,
    ]


def is_array(result: Any) -> bool:
    """Return whether a forward's result is an array of another library, to be kept as it is."""
    foreign = speaks_numpy(result) and not isinstance(result, Tensor)
    return foreign and getattr(result, "dtype", np.dtype(object)).kind in "biufc"


def replaced(target: Any, array: Any) -> Any:
    """Return the first input of an in-place op with the array that its forward returned."""
    if not isinstance(target, Tensor):
        return array
    target.data = array
    return target


def wrap(tensor: type[Tensor], result: Any) -> Any:
    """Return what a forward returned with its arrays as Tensors, in tuples and lists too."""
    if isinstance(result, np.generic) or is_array(result):
        return tensor._from_array(np.asarray(result) if isinstance(result, np.generic) else result)
    if isinstance(result, tuple | list):
        items = [wrap(tensor, item) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result


def _argument(op: str, value: Any) -> Any:
    """Return an input that is not a Tensor as a number or an array; None means absent."""
    array = value if value is None else operand(value)
    if array is NotImplemented:
        raise TypeError(
            f"{op}() takes tensors, arrays and numbers, not {type(value).__name__}: {value!r:.60}"
        )
    return array


def _explain_shapes(op: str, error: ValueError, arrays: Sequence[Any]) -> ValueError:
    """Return NumPy's error with the op's name and the shapes in front of it."""
    if type(error) is ValueError and arrays:
        shapes = " and ".join(str(getattr(a, "shape", ())) for a in arrays if a is not None)
        error.args = (f"{op} of shapes {shapes}: {error}",)
    return error


def reflected(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method for `other * self`, given the call of the op."""

    def method(self: Any, other: Any) -> Any:
        return call(other, self)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Run {getattr(call, '__name__', name)} with the operands swapped."
    method.__wrapped__ = call  # type: ignore[attr-defined]  # `inspect.getsource` shows it
    return method


def op(name: str) -> Callable[[Function], Function]:
    """Decorate a forward function, so that it runs the op `name` when it gets a Tensor.

    On arrays the function stays as it is, so one function serves users, rules and the op table:
    `table.add("swish", swish)`.

    >>> @op("swish")
    ... def swish(x):
    ...     return x / (1 + np.exp(-x))
    >>> swish(np.zeros(2))
    array([0., 0.])
    """

    def decorate(forward: Function) -> Function:
        arguments = list(inspect.signature(forward).parameters.values())
        write = functools.partial(_dispatch_text, name, arguments)
        function: Any = define(forward.__name__, write, {"_forward": forward, "_Tensor": Tensor})
        functools.update_wrapper(function, forward)
        function.__wrapped_forward__ = forward
        return function

    return decorate


def _dispatch_text(name: str, arguments: list[inspect.Parameter], names: dict[str, Any]) -> str:
    """Return the text that runs the op `name` if an argument is a Tensor."""
    _, passed = signature_text(arguments, names)
    accepted, spellings = with_spellings(arguments, names)
    lines = [
        f"def call({signature_text(accepted, names)[0]}):",
        "    # _forward: the function on arrays, run when no argument is a Tensor.",
        "    # _Tensor: the class of all tensors.",
        *spellings,
        f"    if {' or '.join(map(_is_tensor, arguments))}:",
        f"        return _Tensor._calls[{name!r}]({passed})",
        f"    return _forward({passed})",
        "",
    ]
    return "\n".join(lines)


def _is_tensor(argument: inspect.Parameter) -> str:
    """Return the text of a test whether an argument is a Tensor, or one of several is."""
    if argument.kind is argument.VAR_POSITIONAL:
        return f"any([isinstance(_item, _Tensor) for _item in {argument.name}])"
    return f"isinstance({argument.name}, _Tensor)"
