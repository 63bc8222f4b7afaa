"""How the modules define their functions: `special`, `rule`, and the table of all functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import unwrap

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
        module: the module of SciPy that has the function under the same name, such as `special`.
        complex_too: the function takes complex numbers.
        vjps: the rule, one function per input.
    """

    op: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    module: str
    complex_too: bool
    vjps: tuple[Vjp, ...]


# Every op of this package by the name of its function; the names are SciPy's.
FUNCTIONS: dict[str, Special] = {}


def special(
    inputs: str, module: str = "special", complex_too: bool = False
) -> Callable[[Forward], Forward]:
    """Return a decorator that makes a function of arrays an op of this package.

    The op is named after the function, without a leading underscore.

    Args:
        inputs: the names of the arguments that may be Tensors, separated by spaces.
        module: the module of SciPy that has the function under the same name.
        complex_too: the function takes complex numbers; otherwise they raise TypeError.
    """

    def decorate(forward: Forward) -> Forward:
        name = forward.__name__.removeprefix("_")
        checked = forward if complex_too else _real_only(forward, name, module)
        function = op(f"special_{name}")(checked)
        names = tuple(inputs.split())
        FUNCTIONS[name] = Special(f"special_{name}", function, names, module, complex_too, ())
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
    name = function.__name__.removeprefix("_")
    defined = FUNCTIONS[name]
    checked = tuple(
        _unknown(name, argument) if vjp is UNKNOWN else vjp
        for argument, vjp in zip(defined.inputs, vjps, strict=True)
    )
    FUNCTIONS[name] = defined._replace(vjps=checked)


def _real_only(forward: Forward, name: str, module: str) -> Forward:
    """Return `forward` with a check that rejects complex numbers, which its rule does not cover."""

    @functools.wraps(forward)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if any(is_complex(value) for value in args):
            raise TypeError(
                f"tinytorch_special's {name}() got complex numbers and takes only real ones; "
                f"scipy.{module}.{name}() may take them, without derivatives"
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


def python_number(constant: Array) -> Array:
    """Return a NumPy scalar as a Python number, which does not widen float32 to float64."""
    return float(constant) if isinstance(constant, np.generic) else constant


def promoted(*values: Any) -> list[Array]:
    """Return the values as Tensors and arrays of their common dtype, float32 or wider.

    Python numbers and lists of numbers do not widen the dtype of the others.

    Raises:
        TypeError: one of them is complex.
    """
    lists = [isinstance(v, list | tuple) for v in values]
    given = [np.asarray(v) if i else v for v, i in zip(values, lists, strict=True)]
    typed = [v.dtype.type(0).item() if i else unwrap(v) for v, i in zip(given, lists, strict=True)]
    dtype = np.promote_types(floating(*typed), np.float32)
    if dtype.kind == "c":
        raise TypeError("got complex numbers; the function takes only real ones")
    return [_as_dtype(v, dtype) for v in given]


def _as_dtype(value: Any, dtype: np.dtype[Any]) -> Array:
    if not hasattr(value, "astype"):  # a Python number
        return np.asarray(value, dtype)
    return value if value.dtype == dtype else value.astype(dtype)
