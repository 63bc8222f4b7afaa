"""Recording: the callable around an op that adds a node, and the node's gradients.

Both are written out as source for each op, because this is the one place that every operation
of every step passes through: a flat function without `*args`, loops or tests that could be made
beforehand takes half the time of a general one. `inspect.getsource(Tensor.__mul__)` and
`inspect.getsource(MulBackward.gradients)` show what is run.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor, define
from tinytorch_core.extend import plain_lines, plain_names, signature_of, tuple_of

from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import Function, class_name, functions, next_number
from tinytorch_autograd.outputs import SeveralOutputs, attach, results_of, single_output
from tinytorch_autograd.rule import OF_SEVERAL, Rule, Vjp
from tinytorch_autograd.rules.shapes import unbroadcast

Call = Callable[..., Any]


class NodeKind:
    """The class of an op's nodes, made when the first is wanted.

    A start prepares many ops, and a program runs few of them.

    Attributes:
        op: the op.
        rule: its backward rule.
        tensor: the class of the op's results, the tensors that may be tracked.
        record: runs the op on tensors and adds a node, once that is written.
        around: what other plugins have put around `gradients`, or None.
    """

    __slots__ = ("_made", "_plain", "around", "op", "record", "rule", "tensor")

    def __init__(self, op: Op, rule: Rule, tensor: type[Tensor]) -> None:
        self.op, self.rule, self.tensor = op, rule, tensor
        self.record: Call | None = None
        self.around: Call | None = None
        self._plain: type[Function] | None = None
        self._made: type[Function] | None = None
        if tensor is Tensor:
            functions[class_name(op.name)] = self.plain

    def __call__(self) -> type[Function]:
        """The class of the nodes."""
        if self._made is None:
            plain = self.plain()
            with _making:
                around = self.around
                self._made = self._made or (_with_gradients(plain, around) if around else plain)
        return self._made

    def plain(self) -> type[Function]:
        """The class with nothing around its gradients: the same for the same rule."""
        if self._plain is None:
            with _making:
                self._plain = self._plain or self._make()
        return self._plain

    def gradients(self, node: Function, grad: Any) -> tuple[Any, ...]:
        """The gradients of the inputs by the rule alone."""
        return self.plain().gradients(node, grad)

    def _make(self) -> type[Function]:
        # The classes of Tensor's ops are remembered; those of a subclass may die with it.
        make = function_class if self.tensor is Tensor else function_class.__wrapped__
        op, rule = self.op, self.rule
        kind = make(self.tensor, op.name, op.inputs, op.variadic, rule.vjps, rule.asks)  # type: ignore[arg-type]
        kind.op = op
        if self.record is not None:
            kind.record = staticmethod(self.record)
        return kind


# Two threads that run an op for the first time shall have the same class of nodes.
_making = threading.Lock()


def _with_gradients(kind: type[Function], call: Call) -> type[Function]:
    """A subclass of `kind` by the same name whose gradients are those of `call(node, grad)`."""

    def gradients(self: Function, grad: Any) -> tuple[Any, ...]:
        return call(self, grad)  # type: ignore[no-any-return]

    same = {name: vars(kind)[name] for name in ("__module__", "__doc__", "__slots__")}
    return type(kind.__name__, (kind,), {**same, "gradients": gradients})


def recorded(op: Op, call: Call, kind: NodeKind, plain: bool) -> Call:
    """`call`, adding a node to its output where an input is tracked.

    Args:
        op: the op.
        call: the op as it is so far.
        kind: what gives the class of the node.
        plain: `call` is the op's plain call, with no other plugin around it.
    """

    def write(names: dict[str, Any]) -> str:
        node = kind()
        several = issubclass(node, SeveralOutputs)
        names |= plain_names(op, kind.tensor, Tensor) | {
            "plain_call": call,
            "Node": node,
            "recording": is_grad_enabled,
            "next_number": next_number,
            "attach": attach,
            "results_of": results_of,
        }
        if not several:
            names["wrap"] = single_output(op.name, names["wrap"])
        signature, passed = signature_of(op.arguments, names)
        # With nothing in between, the op's own body is written out here rather than called: a
        # recorded multiplication of ten elements then takes 8 % less.
        alone = plain and not several
        made = plain_lines(op, passed) if alone else _call_lines(op, node.saves, passed)
        record = _record_lines(op, node.saves, several)
        lines = [f"def call({signature}):", *_node_lines(op), *made, *record]
        return "\n".join(lines) + "\n"

    kind.record = function = define(op.name, write, {}, op.signature)
    function.__doc__ = op.doc
    return function


@functools.cache
def function_class(
    tensor: type[Tensor],
    op: str,
    inputs: tuple[str, ...],
    variadic: bool,
    vjps: tuple[Vjp | None, ...],
    asks: tuple[tuple[str, ...], ...],
) -> type[Function]:
    """The subclass of Function for one rule; the same rule always has the same class."""
    name = class_name(op)
    several = any(OF_SEVERAL.intersection(names) for names in asks)
    saves = _saves(inputs, asks)
    names: dict[str, Any] = {f"vjp_{i}": vjp for i, vjp in enumerate(vjps)}
    names["unbroadcast"] = unbroadcast
    has_rule = [vjp is not None for vjp in vjps]

    def write(names: dict[str, Any]) -> str:
        return _gradients_source(inputs, variadic, asks, has_rule, saves)

    return type(
        name,
        (SeveralOutputs if several else Function,),
        {
            "__slots__": (),
            "__module__": "tinytorch_autograd",
            "__doc__": f"A recorded {op}, and the gradients of its inputs.",
            "saves": saves,
            "tensor_class": tensor,
            "gradients": define("gradients", write, names),
        },
    )


def _saves(inputs: tuple[str, ...], asks: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What a node keeps: all that the rule asks for, and the shapes to fit gradients to."""
    wanted = dict.fromkeys(name for names in asks for name in names)
    for gradient in ("grad", "grads"):
        wanted.pop(gradient, None)
    if len(inputs) > 1:
        wanted |= dict.fromkeys(f"{x}_shape" for x in inputs if x not in wanted)
    order = [*inputs, *(name for name in wanted if name not in inputs)]
    # Where the array is kept, its shape and dtype are at hand.
    return tuple(n for n in order if n in wanted and n.rpartition("_")[0] not in wanted)


def _node_lines(op: Op) -> list[str]:
    """Looks up the inputs' nodes, before the names come to stand for the arrays."""
    if op.variadic:
        (x,) = op.inputs
        lookups = [f"edges = tuple([i._node if isinstance(i, Result) else None for i in {x}])"]
        none = "edges = ()"
    else:
        lookups = [f"{x}_node = {x}._node if isinstance({x}, Result) else None" for x in op.inputs]
        none = " = ".join([*(f"{x}_node" for x in op.inputs), "None"])
    return [
        "    try:",
        *(f"        {lookup}" for lookup in lookups),
        "    except AttributeError:  # another thread has switched autograd off meanwhile",
        f"        {none}",
    ]


def _call_lines(op: Op, saves: tuple[str, ...], passed: str) -> list[str]:
    """Calls what other plugins have put around the op, then unwraps the inputs as it did."""
    lines = [f"    out = plain_call({passed})"]
    if op.operator:
        lines += ["    if out is NotImplemented:", "        return out"]
    if op.variadic:
        (x,) = op.inputs
        return [
            *lines,
            f"    {x} = [i._data if isinstance(i, Tensor) else argument(i) for i in {x}]",
        ]
    used = [x for x in op.inputs if {x, f"{x}_shape", f"{x}_dtype"} & set(saves)]
    return [
        *lines,
        *(f"    {x} = {x}._data if isinstance({x}, Tensor) else argument({x})" for x in used),
    ]


def _record_lines(op: Op, saves: tuple[str, ...], several: bool) -> list[str]:
    """Adds the node to the op's output, or nodes to its outputs, if an input has one."""
    untracked = " and ".join(f"{x}_node is None" for x in op.inputs)
    untracked = f"({untracked})" if len(op.inputs) > 1 else untracked
    edges = tuple_of(f"{x}_node" for x in op.inputs)
    if op.variadic:
        untracked, edges = "not any(edges)", "edges"
    lines = [f"    if {untracked} or not recording():", "        return out"]
    if several:
        lines += ["    results = results_of(out)"]
    elif "dtype" in op.parameters:
        lines += ['    if out._data.dtype.kind not in "fc":', "        return out"]
    return [
        *lines,
        "    node = new(Node)",
        f"    node.edges = {edges}",
        f"    node.saved = {tuple_of(_saved_value(op, name) for name in saves)}",
        "    node.number = next_number()",
        "    node.hooks = None",
        f"    {'node.outputs = attach(node, results, Result)' if several else 'out._node = node'}",
        "    return out",
    ]


def _saved_value(op: Op, name: str) -> str:
    """The text that computes one saved value."""
    x, _, what = name.rpartition("_")
    if name == "out":
        return "out._data"
    if name == "outs":
        return "[getattr(result, '_data', result) for result in results]"
    if x == "outs":
        return f"[getattr(result, '{what}', None) for result in results]"
    if x not in op.inputs or name in op.parameters:
        return name
    if op.variadic:
        return _each(x, what)
    if len(op.inputs) == 1:
        return f"{x}.{what}"
    # An input that is no tensor may be a number.
    return f"{x}.{what} if {x}_node is not None else getattr({x}, '{what}', ())"


def _gradients_source(
    inputs: tuple[str, ...],
    variadic: bool,
    asks: Sequence[Sequence[str]],
    has_rule: Sequence[bool],
    saves: tuple[str, ...],
) -> str:
    lines = ["def call(self, grad):"]
    if any("grads" in names for names in asks):
        lines += ["    grads = tuple([grad.get(i) for i in range(len(self.outputs))])"]
    if saves:
        lines += [f"    {tuple_of(saves)} = self.saved"]
    asked = [", ".join(_read(name, inputs, variadic, saves) for name in names) for names in asks]
    if variadic:
        lines += [
            f"    grads = tuple(vjp_0({asked[0]}))",
            "    if len(grads) != len(self.edges):",
            "        raise ValueError(",
            "            f'the rule of {self.op.name} returned {len(grads)} gradients '",
            "            f'for {len(self.edges)} inputs'",
            "        )",
            "    return grads",
        ]
        return "\n".join(lines) + "\n"
    if len(inputs) == 1:
        (x,) = inputs
        lines += [f"    {x}_grad = vjp_0({asked[0]})", *_refusing_none(x, "    ")]
        return "\n".join([*lines, f"    return ({x}_grad,)"]) + "\n"
    lines += [f"    {tuple_of(f'{x}_edge' for x in inputs)} = self.edges"]
    for i, x in enumerate(inputs):
        lines += [f"    {x}_grad = None"]
        if has_rule[i]:
            shape = _read(f"{x}_shape", inputs, variadic, saves)
            lines += [
                f"    if {x}_edge is not None:",
                f"        {x}_grad = vjp_{i}({asked[i]})",
                *_refusing_none(x, "        "),
                f"        if {x}_grad.shape != {shape}:",
                f"            {x}_grad = unbroadcast({x}_grad, {shape})",
            ]
    lines += [f"    return {', '.join(f'{x}_grad' for x in inputs)}"]
    return "\n".join(lines) + "\n"


def _refusing_none(x: str, indent: str) -> list[str]:
    """A rule without `return` would leave an input without gradient, and say nothing."""
    return [f"{indent}if {x}_grad is None:", f"{indent}    raise self.returned_none({x!r})"]


def _read(name: str, inputs: tuple[str, ...], variadic: bool, saves: tuple[str, ...]) -> str:
    """The text that reads one value a rule asks for."""
    x, _, what = name.rpartition("_")
    if name in ("grad", "grads") or name in saves:
        return name
    if x == "outs":
        return f"[getattr(result, '{what}', None) for result in outs]"
    return _each(x, what) if variadic else f"{x}.{what}"


def _each(x: str, what: str) -> str:
    # An input that is no tensor may be a number.
    return f"[getattr(i, '{what}', ()) for i in {x}]"
