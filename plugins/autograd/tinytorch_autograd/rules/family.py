"""Family: the rules of one kind of op, and the NumPy functions they make differentiable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core.extend import Op, OpTable

from tinytorch_autograd.rule import Rules, Vjp

Function = TypeVar("Function", bound=Callable[..., Any])


class FunctionOp(NamedTuple):
    """A NumPy function as an op: the arguments of `OpTable.add`.

    Attributes:
        name: the name of the op.
        forward: the function on arrays.
        numpy: the NumPy functions that run the op.
        inputs: the names of the arguments that may be tensors, or None for the default.
    """

    name: str
    forward: Callable[..., Any]
    numpy: tuple[Callable[..., Any], ...]
    inputs: Sequence[str] | None

    def add_to(self, ops: OpTable) -> Op:
        """Add the op to a table, and return it."""
        return ops.add(self.name, self.forward, numpy=self.numpy, inputs=self.inputs)


class Family:
    """The rules of one module, collected while it is imported.

    Attributes:
        ops: the NumPy functions that are ops, by the names of the ops.
        rules: the rules, by the names of their ops: one function for each input.
        compositions: for each NumPy function that is composed of others the function to run on
            tensors. For the methods of ufuncs the keys are `np.ufunc.reduce` and the like.
        nondifferentiable_ops: the names of the ops that are not differentiable.
        nondifferentiable_functions: the NumPy functions that are not differentiable and not ops.
    """

    def __init__(self) -> None:
        self.ops: dict[str, FunctionOp] = {}
        self.rules: dict[str, tuple[Vjp | None, ...]] = {}
        self.compositions: dict[Any, Callable[..., Any]] = {}
        self.nondifferentiable_ops: list[str] = []
        self.nondifferentiable_functions: set[Any] = set()

    def rule(self, name: str, *vjps: Vjp | None) -> None:
        """Add the rule of an op of the core: one function for each input, as in `Rules.add`."""
        self.rules[name] = vjps

    def function(
        self,
        name: str,
        numpy: Callable[..., Any] | Sequence[Callable[..., Any]],
        *vjps: Vjp | None,
        forward: Callable[..., Any] | None = None,
        inputs: Sequence[str] | None = None,
        differentiable: bool = True,
    ) -> None:
        """Make a NumPy function an op, with a rule or declared not differentiable.

        Args:
            name: the name of the op.
            numpy: the NumPy function, or several that run the same op.
            vjps: the rule: one function for each input, as in `Rules.add`.
            forward: the function on arrays, if not the NumPy function itself.
            inputs: the names of the arguments that may be tensors, as in `OpTable.add`.
            differentiable: False for a function without a rule, such as a comparison.
        """
        functions = (numpy,) if callable(numpy) else tuple(numpy)
        self.ops[name] = FunctionOp(name, forward or functions[0], functions, inputs)
        if differentiable:
            self.rules[name] = vjps
        else:
            self.nondifferentiable_ops.append(name)

    def composed(self, *numpy: Any) -> Callable[[Function], Function]:
        """Run the decorated function, which is composed of other ops, in place of NumPy functions.

        It has NumPy's arguments, or as many of them as it supports, and returns NotImplemented for
        values that it does not support. Its derivative is that of its parts.
        """

        def decorate(function: Function) -> Function:
            self.compositions |= dict.fromkeys(numpy, function)
            return function

        return decorate

    def not_differentiable(self, *what: Any) -> None:
        """Declare ops of the core, by name, or NumPy functions as not differentiable.

        A NumPy function runs on the arrays of its arguments, and its result is not tracked.
        """
        for one in what:
            if isinstance(one, str):
                self.nondifferentiable_ops.append(one)
            else:
                self.nondifferentiable_functions.add(one)

    def composition(self, function: Any) -> Callable[..., Any] | None:
        """Return the function to run on tensors in place of a NumPy function, or None.

        For a method of a ufunc, such as `np.add.reduce`, its first argument is the ufunc.
        """
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc):
            function = getattr(np.ufunc, function.__name__, None)
        return self.compositions.get(function)

    def op(self, function: Any) -> FunctionOp | None:
        """Return the op that a NumPy function runs, or None."""
        return next((op for op in self.ops.values() if function in op.numpy), None)

    def is_differentiable(self, function: Any) -> bool:
        """Return whether a function of this family is differentiable."""
        return function not in self.nondifferentiable_functions

    def knows(self, function: Any) -> bool:
        """Return whether this family has an op, a composition or a declaration for a function."""
        try:
            return (
                function in self.nondifferentiable_functions
                or self.composition(function) is not None
                or self.op(function) is not None
            )
        except TypeError:  # a callable that is not hashable
            return False

    def register_ops(self, ops: OpTable) -> None:
        """Add the ops of this family, except those that another plugin provides."""
        for name, op in self.ops.items():
            if name not in ops:
                op.add_to(ops)

    def register_rules(self, rules: Rules) -> None:
        """Add the rules of this family, except those of ops that another plugin provides."""
        others = {name for name in self.ops if not rules.own(name)}
        for name, vjps in self.rules.items():
            if name not in others:
                rules.add(name, *vjps)
        rules.no_derivative(*(name for name in self.nondifferentiable_ops if name not in others))
