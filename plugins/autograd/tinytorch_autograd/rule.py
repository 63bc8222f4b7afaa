"""Backward rules, and what a rule may ask for.

A rule (VJP) is a plain function for each input of the op. It names what it needs, as a pytest test
names its fixtures, and only what a rule names is saved until the backward pass:

    rules.add("mul", lambda grad, y: grad * y, lambda grad, x: grad * x)

| name | value |
|---|---|
| `grad` | the gradient of the output |
| `out` | the output |
| the name of an input | that input |
| the name of an input + `_shape`, `_dtype` | its shape or dtype, without saving the array |
| the name of a parameter | its value: `axis`, `keepdims`, ... |

An op may return a tuple or list of arrays, named or not. A rule that asks for `grads` gets the
gradients of all outputs, in order; an output that nothing depends on has None:

    def divmod_by_x(grads):
        _, by_remainder = grads  # the derivative of the quotient is zero
        return by_remainder

| name | value |
|---|---|
| `grads` | for each output its gradient, or None |
| `outs` | the outputs |
| `outs_shape`, `outs_dtype` | the shape or dtype of each, without saving the arrays |

Each output is a tracked tensor. `tinytorch_autograd.complex_numbers` explains `grad` for complex
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tinytorch_core import NameTakenError, Op
from tinytorch_core.extend import argument_names, did_you_mean

Vjp = Callable[..., Any]

# What a rule may ask for besides the arguments of the op.
OWN = ("grad", "out", "grads", "outs", "outs_shape", "outs_dtype")
OF_SEVERAL = {"grads", "outs", "outs_shape", "outs_dtype"}


class Rule(NamedTuple):
    """The functions that compute the gradients of one op's inputs.

    Attributes:
        vjps: one function for each input, or None if its gradient is zero.
        asks: for each of them the names of its arguments.
        provider: the title of the plugin that provides the rule.
        replaced: the title of the plugin whose rule it replaces, or None.
    """

    vjps: tuple[Vjp | None, ...]
    asks: tuple[tuple[str, ...], ...]
    provider: str
    replaced: str | None = None


class Rules:
    """The rules of one surface. `tinytorch_register_backward` receives it.

    Attributes:
        provider: the title of the plugin that adds rules through this table.
        replacements: what plugins passed to `replace`, by the title of the plugin.
    """

    def __init__(self, ops: Mapping[str, Op], provider: str = "", parent: Rules | None = None):
        self.provider = provider
        self._ops = ops
        self._rules: dict[str, Rule | None] = {} if parent is None else parent._rules
        # The plugins that added these rules, or declared the ops not differentiable.
        self._providers: dict[str, str] = {} if parent is None else parent._providers
        self.replacements: dict[str, list[tuple[str, Rule]]] = (
            {} if parent is None else parent.replacements
        )

    def of(self, provider: str) -> Rules:
        """Return a view of these rules that adds rules in the name of one plugin."""
        return Rules(self._ops, provider, parent=self)

    def __len__(self) -> int:
        """Return for how many ops there is a rule, or a declaration that there is none."""
        return len(self._rules)

    def own(self, name: str) -> bool:
        """Return whether the plugin that adds rules provides the op itself."""
        return name in self._ops and self._ops[name].provider == self.provider

    def add(self, name: str, *vjps: Vjp | None) -> None:
        """Add the rule of an op.

        Args:
            name: the name of the op.
            vjps: one function for each input, in order. It takes `grad` and whatever else it
                names, and returns the gradient of that input. Pass None for an input whose
                gradient is zero, such as an index. A variadic op has one function, which returns
                a sequence of gradients.

        Raises:
            NameTakenError: the op has a rule already, or is declared not differentiable.
            ValueError: no op has that name, the number of functions is wrong, or a function has
                an unknown argument.
        """
        self._rules[name] = self._rule(self._op_without_rule(name), vjps)
        self._providers[name] = self.provider

    def replace(self, name: str, *vjps: Vjp | None) -> None:
        """Replace the rule of an op.

        It is replaced when all plugins have added their rules. If several plugins replace it, the
        last one in the order of the plugins takes effect.

        Args:
            name: the name of the op.
            vjps: one function for each input, as in `add`.

        Raises:
            ValueError: as in `add`, except that the op must have a rule.

        PluginError follows if the op has no rule, or if the plugin neither needs nor uses the
        plugin that provides the rule.
        """
        rule = self._rule(self._op(name), vjps)
        self.replacements.setdefault(self.provider, []).append((name, rule))

    def provider_of(self, name: str) -> str:
        """Return the plugin that provides the rule of an op; ValueError if it has none."""
        rule = self._rules.get(name)
        if rule is None:
            raise ValueError(
                f"the op {name!r} is declared not differentiable, so its results are never tracked"
                if name in self._rules
                else f"the op {name!r} has no rule to replace; use rules.add"
            )
        return rule.provider

    def put(self, name: str, rule: Rule, provider: str) -> None:
        """Replace the rule of an op."""
        self._rules[name] = rule._replace(replaced=self.provider_of(name), provider=provider)

    def _rule(self, op: Op, vjps: tuple[Vjp | None, ...]) -> Rule:
        """Return the rule of an op; ValueError if the functions do not fit it."""
        name = op.name
        expected = 1 if op.variadic else len(op.inputs)
        if len(vjps) != expected:
            raise ValueError(
                f"the rule of {name!r} needs {expected} function{'s' * (expected != 1)}, one for "
                f"each input ({', '.join(op.inputs)}), not {len(vjps)}; pass None for an input "
                "whose gradient is zero"
            )
        if vjps and all(vjp is None for vjp in vjps):
            raise ValueError(
                f"the rule of {name!r} has no function; if its derivative is zero, pass "
                f"`lambda grad: 0 * grad`; if its results have no derivative, such as indices, "
                f"use rules.no_derivative({name!r})"
            )
        asks = tuple(() if vjp is None else self._asked(op, vjp) for vjp in vjps)
        _check_outputs(name, asks)
        return Rule(vjps, asks, self.provider)

    def no_derivative(self, *names: str) -> None:
        """Declare that ops are not differentiable: their results are never tracked.

        This is for results that are not real or complex numbers: indices, counts, truth values.
        For a piecewise constant op, such as rounding, add the rule `lambda grad: 0 * grad`, so that
        its derivative is zero and not an error.
        """
        for name in names:
            self._op_without_rule(name)
            self._rules[name] = None
            self._providers[name] = self.provider

    def get(self, name: str) -> Rule | None:
        """Return the rule of an op, or None if it has none or is not differentiable."""
        return self._rules.get(name)

    def has_no_derivative(self, name: str) -> bool:
        """Return whether the op was declared not differentiable."""
        return name in self._rules and self._rules[name] is None

    def _op(self, name: str) -> Op:
        if name not in self._ops:
            raise ValueError(f"unknown op {name!r}. {did_you_mean(name, self._ops)}")
        return self._ops[name]

    def _op_without_rule(self, name: str) -> Op:
        """Return the op of that name; raise ValueError if it is unknown or has a rule."""
        op = self._op(name)
        if name in self._rules:
            raise NameTakenError(
                f"the rule of {name!r}",
                self._providers[name],
                self._ops[name].provider,
                remedy="replace the rule deliberately with rules.replace, or remove one of the two",
            )
        return op

    def _asked(self, op: Op, vjp: Vjp) -> tuple[str, ...]:
        """Return the names of the arguments of `vjp`; raise ValueError if one is unknown."""
        names = argument_names(vjp)
        for name in names:
            if name in OWN:
                if name in op.argument_names:
                    raise ValueError(
                        f"a rule of {op.name!r} asks for {name!r}, which is also an argument of "
                        "the op; rename that argument"
                    )
            elif name not in op.argument_names:
                x, _, what = name.rpartition("_")
                if x not in op.inputs or what not in ("shape", "dtype"):
                    raise _unknown(op, name)
        return names


def _unknown(op: Op, name: str) -> ValueError:
    known = [*OWN, *op.argument_names]
    known += [f"{x}_{what}" for x in op.inputs for what in ("shape", "dtype")]
    return ValueError(
        f"a rule of {op.name!r} has an unknown argument {name!r}. {did_you_mean(name, known)}"
    )


def _check_outputs(name: str, asks: Iterable[tuple[str, ...]]) -> None:
    """Raise ValueError if a rule asks both for one output and for several."""
    asked: set[str] = set().union(*asks)
    of_several = asked & OF_SEVERAL
    if of_several and (of_one := asked & {"grad", "out"}):
        raise ValueError(
            f"the rule of {name!r} asks for {min(of_one)!r}, as if it had one output, and for "
            f"{min(of_several)!r}, as if it had several; `grads` and `outs` go together"
        )
