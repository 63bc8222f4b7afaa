"""NumPy's functions that are no ops of the surface, and what becomes of tracked tensors in them.

Two hundred of them have a rule, or are composed of ops that have one. They are looked up when such
a function first meets a tracked tensor, so that a start costs no more for them. Whatever is not
found there leads to an error when it is walked back through.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import OpTable, fit_arguments, numpy_signature, plain_call

from tinytorch_autograd.errors import InPlaceError, NoRuleError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.record import NodeKind, recorded
from tinytorch_autograd.rule import Rule, Rules
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.on_demand import family_of
from tinytorch_autograd.unrecorded import attach_no_backward, nodes_in, tensors

Call = Callable[..., Any]


def op_and_rule(function: Any) -> tuple[Op, Rule] | None:
    """Return the op that a NumPy function runs, and its rule, or None if it has no rule."""
    family = family_of(function)
    described = None if family is None else family.op(function)
    return None if family is None or described is None else _added(family, described.name)


@functools.cache
def _added(family: Family, name: str) -> tuple[Op, Rule]:
    ops = OpTable("tinytorch-autograd")
    rules = Rules(ops, "tinytorch-autograd")
    op = family.ops[name].add_to(ops)
    rules.add(name, *family.rules[name])
    return op, cast(Rule, rules.get(name))


def differentiated(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """`call` of the op that stands for all of NumPy, with a derivative wherever there is one."""

    @functools.cache
    def with_rule(function: Any) -> Call:
        op, rule = cast(tuple[Op, Rule], op_and_rule(function))
        call = plain_call(op, tensor, Tensor)
        kind = NodeKind(op, rule, tensor)
        return recorded(op, call, kind, plain=True)

    @functools.wraps(call)
    def run(function: Any, args: Any, kwargs: Any) -> Any:
        nodes = nodes_in((args, kwargs), tensor)
        if not nodes or not is_grad_enabled():
            return call(function, args, kwargs)
        _refuse_writing(function, args, kwargs)
        family = family_of(function)
        if family is not None and not family.is_differentiable(function):
            return call(function, args, kwargs)
        options = {name: value for name, value in kwargs.items() if not _is_absent(name, value)}
        made = recorded_or_composed(function, args, options)
        if made is NotImplemented:
            _refuse_writing_by_position(function, args, kwargs)
            made = call(function, args, kwargs)
            _refuse_objects(function, tensors(made, Tensor))
            name = called(function, options)
            provider = "NumPy" if name.startswith("np.") else "another library"
            attach_no_backward(made, tensor, nodes, name, provider)
        return made

    def recorded_or_composed(function: Any, args: Any, options: dict[str, Any]) -> Any:
        made = _composed(function, args, options)
        found = op_and_rule(function) if made is NotImplemented else None
        if found is not None:
            fitted = fit_arguments(found[0], function, args, options)
            if fitted is not None:
                return with_rule(function)(*fitted[0], **fitted[1])
        return made

    return run


def _is_absent(name: str, value: Any) -> bool:
    """Whether an option says no more than its absence."""
    if name == "out":
        return all(into is None for into in (value if isinstance(value, tuple) else (value,)))
    return value is np._NoValue


def _composed(function: Any, args: Any, options: dict[str, Any]) -> Any:
    """The result of the function as it is composed of others; NotImplemented if it is not."""
    key: Any = function
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        args = (owner, *args)
    elif isinstance(function, np.ufunc) and options and "axis" not in options:
        key, args = np.ufunc.__call__, (function, *args)
    family = family_of(key)
    composed = None if family is None else family.composition(key)
    if composed is None:
        return NotImplemented
    try:
        given = numpy_signature(composed).bind(*args, **options)
    except TypeError:
        return NotImplemented
    if given.arguments.get("out") is not None:
        raise _writing(function)
    return composed(*given.args, **given.kwargs)


def called(function: Any, options: Iterable[str] = ()) -> str:
    """The name of a NumPy function as users write it, with the options it was given.

    >>> called(np.linalg.svd), called(np.add.reduce, ["where"])
    ('np.linalg.svd', 'np.add.reduce(where=)')
    """
    ufunc = getattr(function, "__self__", function)
    owner = getattr(getattr(function, "__self__", None), "__name__", None)
    name = getattr(function, "__name__", str(function))
    places = {"numpy.linalg": "np.linalg.", "numpy.fft": "np.fft."}
    place = places.get(getattr(function, "__module__", None) or "", "np.")
    if isinstance(ufunc, np.ufunc) and getattr(np, ufunc.__name__, None) is not ufunc:
        place = "the ufunc "  # of SciPy, for one: a ufunc does not know where it comes from
    given = f"({', '.join(f'{option}=' for option in options)})" if options else ""
    return f"{place}{owner}.{name}{given}" if owner else f"{place}{name}{given}"


# NumPy functions that write into their first argument.
_WRITING = {"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at"}


def _refuse_writing(function: Any, args: Any, kwargs: Any) -> None:
    into = [kwargs["out"]] if not _is_absent("out", kwargs.get("out")) else []
    if getattr(function, "__name__", "") in _WRITING:
        into += args[:1]
    if into:
        raise _writing(function)


def _refuse_writing_by_position(function: Any, args: Any, kwargs: Any) -> None:
    try:
        given = numpy_signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return  # NumPy itself will tell what is wrong, if anything is
    if not _is_absent("out", given.get("out")):
        raise _writing(function)


def _writing(function: Any) -> InPlaceError:
    return InPlaceError(
        f"{called(function)} would write into a tensor while tracked tensors take part, and the "
        "gradient would be lost; assign its result to a name instead"
    )


def _refuse_objects(function: Any, made: Iterable[Any]) -> None:
    if any(out.dtype == object for out in made):
        raise NoRuleError(
            f"{called(function)} gave an array of Python objects, through which no gradient "
            "passes; write the function with NumPy's, which work on tensors"
        )
