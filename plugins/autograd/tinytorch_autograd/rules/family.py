"""Family: the rules of one kind of op, and the NumPy functions they make differentiable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tinytorch_core.extend import OpTable

from tinytorch_autograd.rule import Rules, Vjp

Function = TypeVar("Function", bound=Callable[..., Any])


class Family:
    """Rules written down at import, handed to the hooks when the surface is computed.

    Attributes:
        rules: the rules, with the names of their ops.
        without: the names of ops that have no derivative.
        compositions: NumPy functions, and how they are composed of others.
        flat: NumPy functions that have no derivative.
    """

    def __init__(self) -> None:
        self._ops: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []
        self.rules: list[tuple[str, tuple[Vjp | None, ...]]] = []
        self.without: list[str] = []
        self.compositions: dict[Any, Callable[..., Any]] = {}
        self.flat: set[Any] = set()

    def rule(self, name: str, *vjps: Vjp | None) -> None:
        """The rule of an op: a function for each input, as in `Rules.add`."""
        self.rules.append((name, vjps))

    def function(
        self,
        name: str,
        numpy: Callable[..., Any] | Sequence[Callable[..., Any]],
        *vjps: Vjp | None,
        forward: Callable[..., Any] | None = None,
        inputs: Sequence[str] | None = None,
    ) -> None:
        """A NumPy function as an op with a rule; `forward` where it does not serve as it is."""
        if forward is None:
            forward = numpy if callable(numpy) else numpy[0]
        self._ops.append((name, forward, {"numpy": numpy, "inputs": inputs}))
        self.rules.append((name, vjps))

    def no_derivative(self, *names: str) -> None:
        """Ops that have no derivative."""
        self.without += names

    def constant(self, name: str, numpy: Callable[..., Any]) -> None:
        """A NumPy function without derivative, such as a rounding, as an op."""
        self._ops.append((name, numpy, {"numpy": numpy}))
        self.without.append(name)

    def composed(self, *numpy: Any) -> Callable[[Function], Function]:
        """NumPy functions that tracked tensors run as the decorated one, made of other ops.

        It takes NumPy's arguments, as many of them as it can serve, and returns NotImplemented
        where it cannot serve their values. Its derivative is that of its parts.
        """

        def decorate(function: Function) -> Function:
            self.compositions |= dict.fromkeys(numpy, function)
            return function

        return decorate

    def constants(self, *numpy: Any) -> None:
        """NumPy functions without derivative that are no ops of their own."""
        self.flat.update(numpy)

    def register_ops(self, ops: OpTable) -> None:
        """Adds the ops of this family; one that another plugin provides is left to it."""
        for name, forward, options in self._ops:
            if name not in ops:
                ops.add(name, forward, **options)

    def register_rules(self, rules: Rules) -> None:
        """Adds the rules of this family; an op left to another plugin has its rule there."""
        elsewhere = {name for name, _, _ in self._ops if not rules.own(name)}
        for name, vjps in self.rules:
            if name not in elsewhere:
                rules.add(name, *vjps)
        rules.no_derivative(*(name for name in self.without if name not in elsewhere))
