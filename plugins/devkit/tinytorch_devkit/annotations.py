"""The text of types and arguments in a stub.

A stub names only builtins, NumPy's arrays and its own class; other types become Any.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from tinytorch_core import Tensor

BUILTINS = (bool, int, float, complex, str, bytes, object)
_CONTAINERS = (tuple, list, dict, set, Sequence, Mapping)


def text_of(hint: Any) -> str:
    """Return the text of a type, or "Any" for a type that the stub cannot name.

    >>> text_of(int | None), text_of(tuple[int, ...]), text_of(inspect.Signature)
    ('int | None', 'tuple[int, ...]', 'Any')
    """
    if hint is None or hint is type(None):
        return "None"
    if hint in BUILTINS or hint in _CONTAINERS:
        return str(hint.__name__)
    if isinstance(hint, TypeVar):
        return text_of(hint.__bound__) if hint.__bound__ else "Any"
    if isinstance(hint, type) and issubclass(hint, Tensor):
        return "Self"
    if hint is np.ndarray or typing.get_origin(hint) is np.ndarray:
        return "np.ndarray[Any, Any]"
    return "Self" if hint is typing.Self else _composed(hint)


def _composed(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        texts = list(dict.fromkeys(map(text_of, arguments)))
        return "Any" if "Any" in texts else " | ".join(texts)
    if origin is Literal and all(a is None or type(a) in (bool, int, str) for a in arguments):
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in _CONTAINERS:
        texts = ["..." if a is Ellipsis else text_of(a) for a in arguments]
        return f"{origin.__name__}[{', '.join(texts)}]"
    return "Any"


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's arguments and result; empty if they cannot be evaluated."""
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # annotations are expressions, which may raise anything
        return {}


def signature_text(
    signature: inspect.Signature, hints: Mapping[str, Any], inputs: Sequence[str] = ()
) -> str:
    """Return the text of a method's arguments, `self` first.

    Args:
        signature: the signature; its first argument, or the first of `*arrays`, is the tensor.
        hints: the types of the arguments.
        inputs: the arguments that accept tensors, arrays and numbers.
    """
    texts, star = ["self"], False
    parameters = list(signature.parameters.values())
    variadic = bool(parameters) and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
    for p in parameters if variadic else parameters[1:]:
        if p.kind is p.KEYWORD_ONLY and not star:
            texts.append("*")
        star |= p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        prefix = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        hint = "Any" if p.name in inputs else text_of(hints.get(p.name, Any))
        default = "" if p.default is p.empty else f" = {_default(p.default)}"
        texts.append(f"{prefix}{p.name}: {hint}{default}")
    return ", ".join(texts)


def _default(value: Any) -> str:
    simple = value is None or type(value) in (bool, int, str)
    return repr(value) if simple else "..."
