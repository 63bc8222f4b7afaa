"""The source text that autograd generates: the recorded call of an op, and a node's gradients.

Both are generated for each op, because every operation of every step runs them. A function without
`*args`, loops or decisions that depend only on the op takes half the time of a general one.
`inspect.getsource(Tensor.__mul__)` and `inspect.getsource(MulBackward.gradients)` show the text.

Names that begin with an underscore are internal; the others are arguments of the op, and values
that its rule asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinytorch_core import Op
from tinytorch_core.extend import CallText, array_text, call_text, tuple_text


def recorded_call(
    op: Op,
    names: dict[str, Any],
    saves: Sequence[str],
    asks: Sequence[Sequence[str]],
    several: bool,
    inline: bool,
) -> str:
    """Return the text of an op's call that also adds a node to the graph.

    Args:
        op: the op.
        names: the globals of the generated function, to which default values are added.
        saves: the names of what the node saves.
        asks: for each function of the rule, the names of its arguments.
        several: the op has several outputs.
        inline: the text contains the op's own lines. Otherwise it calls `_call`, the op as other
            plugins have wrapped it.
    """
    text = call_text(op, names)
    run = _inline_call(op, text) if inline else _wrapped_call(op, text, saves)
    lines = [
        f"def call({text.signature}):",
        *(_COMMENT_INLINE if inline else _COMMENT_WRAPPED),
        *text.keywords,
        *_find_nodes(op, text),
        *run,
        *_add_node(op, _values_to_save(op, text, saves, asks), several, inline),
    ]
    return "\n".join(lines) + "\n"


_COMMENT_INLINE = (
    "    # _forward: the function on arrays; _Tensor: the class of all tensors.",
    "    # _Result: the class of the op's results, whose attribute _node is None if not tracked.",
    "    # _Node: the class of the node that is added to the graph if an input is tracked.",
)
_COMMENT_WRAPPED = (
    "    # _call: the op as other plugins have wrapped it; _Tensor: the class of all tensors.",
    *_COMMENT_INLINE[1:],
)


def _find_nodes(op: Op, text: CallText) -> list[str]:
    """Look up the nodes of the inputs, before the names of the inputs become arrays."""
    if op.variadic:
        (x,) = op.inputs
        found = [f"_edges = tuple([_i._node if isinstance(_i, _Result) else None for _i in {x}])"]
        none = "_edges = ()"
    else:
        found = [
            f"_{x}_node = {tensor}._node if isinstance({tensor}, _Result) else None"
            for x, tensor in zip(op.inputs, text.tensors, strict=True)
        ]
        none = " = ".join([*(f"_{x}_node" for x in op.inputs), "None"])
    return [
        "    try:",
        *(f"        {line}" for line in found),
        "    except AttributeError:  # another thread has just disabled autograd",
        f"        {none}",
    ]


def _inline_call(op: Op, text: CallText) -> list[str]:
    """Run the op's own lines; if it returns a Tensor because an option is one, run them again.

    The rule needs the array of the option, and the Tensor would lack the node of the inputs.
    """
    if not op.parameters:
        return [*text.unwrap, *text.run]
    run = [f"    {line}" for line in text.run]
    return [
        *text.unwrap,
        "    try:",
        *run,
        "    except _TensorReturnedError:",
        f"        {_unwrap_options(op)}",
        *run,
    ]


def _unwrap_options(op: Op) -> str:
    options = tuple_text(op.parameters)
    return f"{options} = _unwrap_options({options})"


def _wrapped_call(op: Op, text: CallText, saves: Sequence[str]) -> list[str]:
    """Run `_call`, and then unwrap the options, and the inputs that the node saves."""
    lines = [f"    _out = _call({text.passed})"]
    if op.parameters:
        classes = ", ".join(f"{option}.__class__" for option in op.parameters)
        lines += [f"    if not {{{classes}}} <= _simple:", f"        {_unwrap_options(op)}"]
    if op.operator:
        lines += ["    if _out is NotImplemented:", "        return _out"]
    if op.variadic:
        return [*lines, *text.unwrap]
    used = [
        f"    {x} = {_array_or(tensor, f'_argument({tensor})')}"
        for x, tensor in zip(op.inputs, text.tensors, strict=True)
        if {x, f"{x}_shape", f"{x}_dtype"} & set(saves)
    ]
    return [*lines, *used]


def _array_or(value: str, other: str) -> str:
    """Return the text of the array of `value` if it is a Tensor, and of `other` if it is not."""
    return f"{array_text(value)} if isinstance({value}, _Tensor) else {other}"


def _add_node(op: Op, values: Sequence[str], several: bool, inline: bool) -> list[str]:
    """Add the node to the op's output, or nodes to its outputs, if an input has one."""
    untracked = " and ".join(f"_{x}_node is None" for x in op.inputs)
    untracked = f"({untracked})" if len(op.inputs) > 1 else untracked
    edges = tuple_text(f"_{x}_node" for x in op.inputs)
    if op.variadic:
        untracked, edges = "not any(_edges)", "_edges"
    lines = [f"    if {untracked} or not _recording():", "        return _out"]
    if several:
        lines += ["    _results = _results_of(_out)"]
    elif "dtype" in op.parameters:
        lines += [f'    if {array_text("_out")}.dtype.kind not in "fc":', "        return _out"]
    if several:
        attach = "_node.outputs = _attach(_node, _results, _Result)"
    else:
        attach = "_out._node = _node" if inline else "_attach_single(_node, _out)"
    return [
        *lines,
        "    _node = _new(_Node)",
        f"    _node.edges = {edges}",
        f"    _node.saved = {tuple_text(values)}",
        "    _node.number = _next_number()",
        "    _node.hooks = None",
        f"    {attach}",
        "    return _out",
    ]


def _values_to_save(
    op: Op, text: CallText, saves: Sequence[str], asks: Sequence[Sequence[str]]
) -> list[str]:
    """Return the texts that compute the saved values.

    In `x * 0.5`, only the gradient of the number would need x, so x is not kept in memory.
    """
    values = []
    for name in saves:
        value = _value_to_save(op, name)
        asking = [i for i, names in enumerate(asks) if name in names]
        if len(op.inputs) == 2 and len(asking) == 1 and name in {*op.inputs, "out"}:
            value += f" if {text.tensors[asking[0]]}.__class__ is not float else None"
        values.append(value)
    return values


def _value_to_save(op: Op, name: str) -> str:
    """Return the text that computes one saved value."""
    x, _, what = name.rpartition("_")
    if name == "out":
        return array_text("_out")
    if name == "out_dtype":
        return f"{array_text('_out')}.dtype"
    if name == "outs":
        return f"[{_array_or('_result', '_result')} for _result in _results]"
    if x == "outs":
        return f"[getattr(_result, '{what}', None) for _result in _results]"
    if x not in op.inputs or name in op.parameters:
        return name
    if op.variadic:
        return _of_each(x, what)
    if len(op.inputs) == 1:
        return f"{x}.{what}"
    # An input that is not a tensor may be a number.
    return f"{x}.{what} if _{x}_node is not None else getattr({x}, '{what}', ())"


class RuleText(NamedTuple):
    """What the text of an op's gradients depends on.

    Attributes:
        inputs: the names of the op's inputs.
        variadic: all positional arguments of the op are inputs.
        asks: for each function of the rule, the names of its arguments.
        differentiable: for each input whether the rule has a function for it.
        saves: the names of what the node saves.
    """

    inputs: tuple[str, ...]
    variadic: bool
    asks: tuple[tuple[str, ...], ...]
    differentiable: tuple[bool, ...]
    saves: tuple[str, ...]


def gradients(rule: RuleText) -> str:
    """Return the text of the method that computes the gradients of an op's inputs."""
    lines = [
        "def call(_self, grad):",
        "    # grad: the gradient of the output; what follows was saved when the op ran.",
        "    # _vjp_0, _vjp_1, ...: the functions of the rule, one for each input.",
        "    # _unbroadcast: sums a gradient over the axes along which its input was broadcast.",
    ]
    if any("grads" in names for names in rule.asks):
        lines += ["    grads = tuple([grad.get(_i) for _i in range(len(_self.outputs))])"]
    if rule.saves:
        lines += [f"    {tuple_text(rule.saves)} = _self.saved"]
    passed = [", ".join(_saved_value(name, rule) for name in names) for names in rule.asks]
    if rule.variadic:
        lines += _variadic_gradients(passed[0])
    elif len(rule.inputs) == 1:
        lines += _single_gradient(rule.inputs[0], passed[0])
    else:
        lines += _several_gradients(rule, passed)
    return "\n".join(lines) + "\n"


def _variadic_gradients(passed: str) -> list[str]:
    return [
        f"    _grads = tuple(_vjp_0({passed}))",
        "    if len(_grads) != len(_self.edges):",
        "        raise _self.wrong_count(len(_grads))",
        "    return _grads",
    ]


def _single_gradient(x: str, passed: str) -> list[str]:
    return [
        f"    _{x}_grad = _vjp_0({passed})",
        *_refuse_none(x, "    "),
        f"    return (_{x}_grad,)",
    ]


def _several_gradients(rule: RuleText, passed: Sequence[str]) -> list[str]:
    lines = [f"    {tuple_text(f'_{x}_edge' for x in rule.inputs)} = _self.edges"]
    for i, x in enumerate(rule.inputs):
        lines += [f"    _{x}_grad = None"]
        if rule.differentiable[i]:
            shape = _saved_value(f"{x}_shape", rule)
            lines += [
                f"    if _{x}_edge is not None:",
                f"        _{x}_grad = _vjp_{i}({passed[i]})",
                *_refuse_none(x, "        "),
                f"        if {_is_saved(x, rule)}_{x}_grad.shape != {shape}:",
                f"            _{x}_grad = _unbroadcast(_{x}_grad, {shape})",
            ]
    return [*lines, f"    return {', '.join(f'_{x}_grad' for x in rule.inputs)}"]


def _is_saved(x: str, rule: RuleText) -> str:
    # It is not if the other input is a number, and then the shapes are equal.
    return f"{x} is not None and " if x in rule.saves and len(rule.inputs) == 2 else ""


def _refuse_none(x: str, indent: str) -> list[str]:
    # A rule without `return` would silently leave an input without a gradient.
    return [f"{indent}if _{x}_grad is None:", f"{indent}    raise _self.returned_none({x!r})"]


def _saved_value(name: str, rule: RuleText) -> str:
    """Return the text that reads one value a rule asks for."""
    x, _, what = name.rpartition("_")
    if name in ("grad", "grads") or name in rule.saves:
        return name
    if x == "outs":
        return f"[getattr(_result, '{what}', None) for _result in outs]"
    return _of_each(x, what) if rule.variadic else f"{x}.{what}"


def _of_each(x: str, what: str) -> str:
    # An input that is not a tensor may be a number.
    return f"[getattr(_i, '{what}', ()) for _i in {x}]"
