"""How special functions are written down: SciPy's function, and apart from it the rule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core import op

Array = Any
Vjp = Callable[..., Array]
Forward = TypeVar("Forward", bound=Callable[..., Any])

# In the place of a vjp: with respect to this argument no derivative is known here.
UNKNOWN: Vjp = lambda grad: grad  # noqa: E731


class Special(NamedTuple):
    """One function of this package, as the hooks hand it over.

    Attributes:
        op: the name of its op, with a prefix: `erf` alone may be another plugin's.
        function: the function itself.
        inputs: the names of the arguments that may be Tensors.
        vjps: the rule, one function for each input.
    """

    op: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    vjps: tuple[Vjp, ...]


# Every function of this package, by its name, which is SciPy's.
FUNCTIONS: dict[str, Special] = {}


def special(inputs: str) -> Callable[[Forward], Forward]:
    """Makes a function of arrays an op of this package.

    Args:
        inputs: the names of the arguments that may be Tensors, separated by spaces.
    """

    def decorate(forward: Forward) -> Forward:
        name = forward.__name__
        function = op(f"special_{name}")(_of_real_numbers(forward))
        FUNCTIONS[name] = Special(f"special_{name}", function, tuple(inputs.split()), ())
        return function

    return decorate


def rule(function: Callable[..., Any], *vjps: Vjp) -> None:
    """Adds the backward rule of a function of this package.

    Args:
        function: the function.
        vjps: for each of its inputs the function from `grad`, and whatever else it names, to
            that input's gradient; `UNKNOWN` where no formula is known.
    """
    name = function.__name__
    described = FUNCTIONS[name]
    known = tuple(
        _unknown(name, argument) if vjp is UNKNOWN else vjp
        for argument, vjp in zip(described.inputs, vjps, strict=True)
    )
    FUNCTIONS[name] = described._replace(vjps=known)


def _of_real_numbers(forward: Forward) -> Forward:
    """`forward`, refusing complex numbers, for which the rules are not written."""

    @functools.wraps(forward)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if any(is_complex(value) for value in args):
            raise TypeError(
                f"{forward.__name__}() of this package takes real numbers, not complex ones; "
                f"scipy.special.{forward.__name__} may take the array, without derivatives"
            )
        return forward(*args, **kwargs)

    return checked  # type: ignore[return-value]


def is_complex(value: Any) -> bool:
    """Whether `value` is a complex number, or an array or Tensor of such."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, complex) if dtype is None else dtype.kind == "c"


def _unknown(function: str, argument: str) -> Vjp:
    def vjp(grad: Array) -> Array:
        raise NotImplementedError(
            f"the derivative of {function}() with respect to {argument!r} has no formula here; "
            f"pass {argument!r} as a number or an array, or detach() it to treat it as a constant"
        )

    return vjp


def whole(function: str, name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`.

    Raises:
        TypeError: it is no integer; a Tensor is none, for no gradient would reach it.
        ValueError: it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name} of {function}() must be an integer, not {type(value).__name__}: {value!r:.60}"
        )
    if value < least:
        raise ValueError(f"{name} of {function}() must be at least {least}, not {value}")
    return int(value)


def floating(*values: Any) -> np.dtype[Any]:
    """The dtype in which arrays and numbers meet, a floating one; Python's numbers adapt to it."""
    return np.result_type(*values, 0.0)


def functions() -> Sequence[Special]:
    """Every function of this package."""
    return tuple(FUNCTIONS.values())
