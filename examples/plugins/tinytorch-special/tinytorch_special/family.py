"""How the modules define their functions: `special`, `rule`, and the table of all functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core import op

Array = Any
Vjp = Callable[..., Array]
Forward = TypeVar("Forward", bound=Callable[..., Any])

# Passed to `rule` for an input whose derivative has no formula here.
UNKNOWN: Vjp = lambda grad: grad  # noqa: E731


class Special(NamedTuple):
    """One function of this package, with what the hooks register.

    Attributes:
        op: the name of its op; prefixed, because another plugin may provide an op `erf`.
        function: the function.
        inputs: the names of the arguments that may be Tensors.
        vjps: the rule, one function per input.
    """

    op: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    vjps: tuple[Vjp, ...]


# Every function of this package by name; the names are those of scipy.special.
FUNCTIONS: dict[str, Special] = {}


def special(inputs: str) -> Callable[[Forward], Forward]:
    """Return a decorator that makes a function of arrays an op of this package.

    Args:
        inputs: the names of the arguments that may be Tensors, separated by spaces.
    """

    def decorate(forward: Forward) -> Forward:
        name = forward.__name__
        function = op(f"special_{name}")(_real_only(forward))
        FUNCTIONS[name] = Special(f"special_{name}", function, tuple(inputs.split()), ())
        return function

    return decorate


def rule(function: Callable[..., Any], *vjps: Vjp) -> None:
    """Add the backward rule of a function of this package.

    Args:
        function: the function.
        vjps: one function per input, which returns the input's gradient. Its parameters name the
            values that it needs, such as `grad` and `x`. `UNKNOWN` if the derivative has no
            formula here.
    """
    name = function.__name__
    defined = FUNCTIONS[name]
    checked = tuple(
        _unknown(name, argument) if vjp is UNKNOWN else vjp
        for argument, vjp in zip(defined.inputs, vjps, strict=True)
    )
    FUNCTIONS[name] = defined._replace(vjps=checked)


def _real_only(forward: Forward) -> Forward:
    """Return `forward` with a check that rejects complex numbers, which the rules don't cover."""

    @functools.wraps(forward)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if any(is_complex(value) for value in args):
            raise TypeError(
                f"tinytorch_special.{forward.__name__}() got complex numbers and takes only real "
                f"ones; scipy.special.{forward.__name__}() may take them, without derivatives"
            )
        return forward(*args, **kwargs)

    return checked  # type: ignore[return-value]


def is_complex(value: Any) -> bool:
    """Return whether `value` is a complex number, array or Tensor."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, complex) if dtype is None else dtype.kind == "c"


def _unknown(function: str, argument: str) -> Vjp:
    def vjp(grad: Array) -> Array:
        raise NotImplementedError(
            f"the derivative of {function}() with respect to {argument!r} is not implemented; "
            f"pass {argument!r} as a number or an array, or detach() it to treat it as a constant"
        )

    return vjp


def integer(function: str, name: str, value: Any, least: int) -> int:
    """Return `value` as an int of at least `least`.

    Raises:
        TypeError: `value` is not an integer. A Tensor is rejected: it would get no gradient.
        ValueError: `value` is less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name} of {function}() must be an integer, not {type(value).__name__}: {value!r:.60}"
        )
    if value < least:
        raise ValueError(f"{name} of {function}() must be at least {least}, not {value}")
    return int(value)


def floating(*values: Any) -> np.dtype[Any]:
    """Return the floating dtype of a result; Python numbers do not widen the arrays' dtype."""
    return np.result_type(*values, 0.0)
