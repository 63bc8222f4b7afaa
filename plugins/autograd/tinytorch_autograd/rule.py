"""The table of backward rules, and what a rule may ask for.

A rule is a plain function, one for each input of the op. It names what it needs, as a pytest
test names its fixtures, and only that is kept until the backward pass:

    rules.add("mul", lambda grad, y: grad * y, lambda grad, x: grad * x)

| name | what it is |
|---|---|
| `grad` | the gradient of the output |
| `out` | the output |
| an input's name | that input |
| an input's name + `_shape`, `_dtype` | its shape or dtype, without keeping the array |
| a parameter's name | its value: `axis`, `keepdims`, ... |

An op may return a tuple or list of arrays, named or not. A rule that asks for `grads` has the
gradients of them all, by place; where nothing depends on an output there is None:

    def divmod_by_x(grads):
        _, by_remainder = grads  # the quotient is flat
        return by_remainder

| name | what it is |
|---|---|
| `grads` | for each output its gradient, or None |
| `outs` | the outputs |
| `outs_shape`, `outs_dtype` | the shape or dtype of each, without keeping the arrays |

Each output is a tensor with a history of its own. `tinytorch_autograd.complex_numbers` tells what
`grad` is where numbers are complex.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from tinytorch_core import Op
from tinytorch_core.extend import did_you_mean

Vjp = Callable[..., Any]

# A rule's own names for what is no argument of the op.
OWN = ("grad", "out", "grads", "outs", "outs_shape", "outs_dtype")
OF_SEVERAL = {"grads", "outs", "outs_shape", "outs_dtype"}

# What the text of a recorded call uses for itself, beside the core's.
RESERVED = {
    *("Node", "attach", "edges", "grad", "grads", "next_number", "node", "outs", "plain_call"),
    *("recording", "results", "results_of", "self"),
}


class Rule(NamedTuple):
    """How the gradients of one op's inputs follow from that of its output.

    Attributes:
        vjps: one function for each input; None for an input that has no derivative.
        asks: for each of them the names of its arguments.
        provider: who brings the rule.
    """

    vjps: tuple[Vjp | None, ...]
    asks: tuple[tuple[str, ...], ...]
    provider: str


class Rules:
    """The rules of one surface; handed to `tinytorch_register_backward`."""

    def __init__(self, ops: Mapping[str, Op], provider: str = "", parent: Rules | None = None):
        self.provider = provider
        self._ops = ops
        self._rules: dict[str, Rule | None] = {} if parent is None else parent._rules

    def of(self, provider: str) -> Rules:
        """This table, as one plugin adds to it."""
        return Rules(self._ops, provider, parent=self)

    def own(self, name: str) -> bool:
        """Whether the op is there, and of the plugin that adds rules just now."""
        return name in self._ops and self._ops[name].provider == self.provider

    def add(self, name: str, *vjps: Vjp | None) -> None:
        """Adds the rule of an op.

        Args:
            name: the op's name.
            vjps: one function for each input, in order, from `grad` and whatever else it names
                to the gradient of that input; None for an input that has no derivative. A
                variadic op has one function, which returns a sequence of gradients.

        Raises:
            ValueError: no such op, it has a rule already, the number of functions does not fit,
                or one asks for something that there is not.
        """
        op = self._free(name)
        if taken := RESERVED & op.signature.parameters.keys():
            raise ValueError(
                f"an argument of the op {name!r} is named {min(taken)!r}, which rules use for "
                "something else; rename it"
            )
        expected = 1 if op.variadic else len(op.inputs)
        if len(vjps) != expected:
            raise ValueError(
                f"the rule of {name!r} has {len(vjps)} functions, and the op has {expected} "
                f"inputs ({', '.join(op.inputs)}): give one for each, None for an input "
                "without derivative"
            )
        asks = tuple(() if vjp is None else self._asked(op, vjp) for vjp in vjps)
        _check_outputs(name, asks)
        self._rules[name] = Rule(vjps, asks, self.provider)

    def no_derivative(self, *names: str) -> None:
        """Declares that ops have no derivative: their results are never tracked."""
        for name in names:
            self._free(name)
            self._rules[name] = None

    def get(self, name: str) -> Rule | None:
        """The rule of an op, or None if it has none or no derivative."""
        return self._rules.get(name)

    def has_no_derivative(self, name: str) -> bool:
        """Whether the op was declared to have no derivative."""
        return name in self._rules and self._rules[name] is None

    def _free(self, name: str) -> Op:
        if name not in self._ops:
            raise ValueError(f"there is no op {name!r}. {did_you_mean(name, self._ops)}")
        if name in self._rules:
            rule = self._rules[name]
            owner = rule.provider if rule else "another plugin, as having no derivative"
            raise ValueError(
                f"the op {name!r} has a rule already, from {owner}; turn one of the two plugins off"
            )
        return self._ops[name]

    def _asked(self, op: Op, vjp: Vjp) -> tuple[str, ...]:
        names = _argument_names(vjp)
        for name in names:
            if name not in OWN and name not in op.signature.parameters:
                x, _, what = name.rpartition("_")
                if x not in op.inputs or what not in ("shape", "dtype"):
                    raise _unknown(op, name)
        return names


def _unknown(op: Op, name: str) -> ValueError:
    known = [*OWN, *op.signature.parameters]
    known += [f"{x}_{what}" for x in op.inputs for what in ("shape", "dtype")]
    return ValueError(
        f"a rule of {op.name!r} asks for {name!r}, which there is not. {did_you_mean(name, known)}"
    )


def _check_outputs(name: str, asks: Iterable[tuple[str, ...]]) -> None:
    """Raises ValueError unless the functions of a rule agree on whether there is one output."""
    asked: set[str] = set().union(*asks)
    of_several = asked & OF_SEVERAL
    if of_several and (of_one := asked & {"grad", "out"}):
        raise ValueError(
            f"the rule of {name!r} asks for {min(of_one)!r}, as if it had one output, and for "
            f"{min(of_several)!r}, as if it had several; `grads` and `outs` go together"
        )


def _argument_names(vjp: Vjp) -> tuple[str, ...]:
    if isinstance(vjp, FunctionType) and not hasattr(vjp, "__wrapped__"):
        code = vjp.__code__  # a thirtieth of the time of `inspect.signature`
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return tuple(inspect.signature(vjp).parameters)
