"""Types as text, in a stub that knows the builtins, NumPy and its own class, and nothing else."""

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
    """The text of a type; what a stub cannot name becomes Any.

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
    """The types of a function's arguments and of its result, as far as they can be told."""
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # whatever evaluating somebody's annotations comes to
        return {}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a method; of one in C, which may have none, one that takes everything."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return inspect.signature(lambda self, *args, **kwargs: None)


def signature_text(
    signature: inspect.Signature, hints: Mapping[str, Any], inputs: Sequence[str] = ()
) -> str:
    """The text of a method's arguments, `self` first.

    Args:
        signature: with the argument for the tensor itself first, perhaps as one of `*arrays`.
        hints: the types of the arguments.
        inputs: the arguments that take tensors, arrays and numbers alike.
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
