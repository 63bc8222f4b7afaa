"""Recording: the call of an op that adds a node, and the classes of the nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from tinytorch_core import Op, Tensor, define
from tinytorch_core.extend import call_names, call_signature, fork_safe_lock, op_call

from tinytorch_autograd import record_source
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import Function, class_name, runs_numpy_ufunc
from tinytorch_autograd.outputs import (
    SeveralOutputs,
    TensorReturnedError,
    attach,
    attach_single,
    results_of,
    single_output,
)
from tinytorch_autograd.rule import OF_SEVERAL, Rule, Vjp
from tinytorch_autograd.rules.shapes import unbroadcast
from tinytorch_autograd.unrecorded import SIMPLE, unwrap_options
from tinytorch_autograd.writes import next_number

Call = Callable[..., Any]


class NodeKind:
    """Provides the class of an op's nodes, and creates it when the op first runs.

    A surface has many ops, and a program runs few of them.

    Attributes:
        op: the op.
        rule: its backward rule.
        tensor: the class of the op's results, the tensors that may be tracked.
        wrapped: computes the gradients as other plugins have wrapped them; None if none has.
    """

    __slots__ = ("_plain_class", "_wrapped_class", "op", "rule", "tensor", "wrapped")

    def __init__(self, op: Op, rule: Rule, tensor: type[Tensor]) -> None:
        self.op, self.rule, self.tensor = op, rule, tensor
        self.wrapped: Call | None = None
        self._plain_class: type[Function] | None = None
        self._wrapped_class: type[Function] | None = None

    def __call__(self) -> type[Function]:
        """Return the class of the nodes."""
        if self.wrapped is None:
            return self.plain()
        if self._wrapped_class is None:
            plain = self.plain()
            with _creating:
                self._wrapped_class = self._wrapped_class or _with_gradients(plain, self.wrapped)
        return self._wrapped_class

    def plain(self) -> type[Function]:
        """Return the class whose gradients no other plugin has wrapped."""
        if self._plain_class is None:
            with _creating:
                self._plain_class = self._plain_class or self._create()
        return self._plain_class

    def gradients(self, node: Function, grad: Any) -> tuple[Any, ...]:
        """Return the gradients of the inputs, computed by the rule alone."""
        return self.plain().gradients(node, grad)

    def _create(self) -> type[Function]:
        op, rule = self.op, self.rule
        described = (op.name, op.inputs, op.variadic, rule.vjps, rule.asks, runs_numpy_ufunc(op))
        key = (*described, op.replaced_by)  # the forward functions may differ
        kind = _classes.get(key)
        if kind is None:
            kind = _classes[key] = function_class(*described)
        kind.op = op
        # Without the wrappers of other plugins, because surfaces share the class.
        kind.record = staticmethod(recorded(op, op_call(op, self.tensor), self, inline=True))
        return kind


# Two threads that run an op for the first time must get the same class of nodes.
_creating = fork_safe_lock()
# By the arguments of `function_class`: equal rules have the same class on every surface. Weak,
# because a hook may create the functions of a rule anew for each surface.
_classes: WeakValueDictionary[tuple[Any, ...], type[Function]] = WeakValueDictionary()


def _with_gradients(kind: type[Function], call: Call) -> type[Function]:
    """Return a subclass of `kind`, of the same name, whose gradients are `call(node, grad)`."""

    def gradients(self: Function, grad: Any) -> tuple[Any, ...]:
        return call(self, grad)

    same = {name: vars(kind)[name] for name in ("__module__", "__doc__", "__slots__")}
    return type(kind.__name__, (kind,), {**same, "gradients": gradients})


def recorded(op: Op, call: Call, kind: NodeKind, inline: bool) -> Call:
    """Return the call of an op that adds a node to its output if an input is tracked.

    Args:
        op: the op.
        call: the call so far.
        kind: provides the class of the node.
        inline: no other plugin has wrapped `call`, so the generated function can contain the op's
            own lines. A multiplication of ten elements then takes 8 % less time.
    """

    def write(names: dict[str, Any]) -> str:
        node = kind()
        several = issubclass(node, SeveralOutputs)
        names |= call_names(op, kind.tensor) | {
            "_call": call,
            "_Node": node,
            "_recording": is_grad_enabled,
            "_next_number": next_number,
            "_attach": attach,
            "_attach_single": attach_single,
            "_results_of": results_of,
            "_TensorReturnedError": TensorReturnedError,
            "_simple": SIMPLE,
            "_unwrap_options": functools.partial(unwrap_options, op),
        }
        if not several:
            names["_wrap"] = single_output(op.name, names["_wrap"])
        inlined = inline and not several
        return record_source.recorded_call(op, names, node.saves, node.asks, several, inlined)

    function = define(op.name, write, {}, call_signature(op))
    function.__doc__ = op.doc
    return function


def function_class(
    op: str,
    inputs: tuple[str, ...],
    variadic: bool,
    vjps: tuple[Vjp | None, ...],
    asks: tuple[tuple[str, ...], ...],
    ufunc: bool,
) -> type[Function]:
    """Return a new subclass of Function, the class of the nodes for a rule."""
    several = any(OF_SEVERAL.intersection(names) for names in asks)
    differentiable = tuple(vjp is not None for vjp in vjps)
    saves = _saves(inputs, asks)
    if not (several or ufunc or "out" in saves) and set(inputs) & set(saves):
        saves += ("out_dtype",)  # else the node could not tell whether its output is real
    text = record_source.RuleText(inputs, variadic, asks, differentiable, saves)
    names: dict[str, Any] = {f"_vjp_{i}": vjp for i, vjp in enumerate(vjps)}
    names["_unbroadcast"] = unbroadcast
    return type(
        class_name(op),
        (SeveralOutputs if several else Function,),
        {
            "__slots__": (),
            "__module__": "tinytorch_autograd",
            "__doc__": f"A recorded {op}, and the gradients of its inputs.",
            "saves": text.saves,
            "asks": asks,
            "gradients": define("gradients", lambda names: record_source.gradients(text), names),
        },
    )


def _saves(inputs: tuple[str, ...], asks: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the names of what a node saves: what the rule asks for, and the inputs' shapes."""
    wanted = dict.fromkeys(name for names in asks for name in names)
    for gradient in ("grad", "grads"):
        wanted.pop(gradient, None)
    if len(inputs) > 1:
        # To sum gradients over broadcast axes.
        wanted |= dict.fromkeys(f"{x}_shape" for x in inputs if x not in wanted)
    order = [*inputs, *(name for name in wanted if name not in inputs)]
    # A saved array has its shape and dtype.
    return tuple(n for n in order if n in wanted and n.rpartition("_")[0] not in wanted)
