"""NumPy functions that are not ops of the surface, and how tracked tensors run them.

Each becomes an op when it is first called with a tensor, and this module makes the op
differentiable. Two hundred functions have a rule, or are composed of ops that have one; the rules
are imported when first needed. A backward pass through any other function raises NoRuleError.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import (
    OpTable,
    SurfaceBuilder,
    from_array,
    numpy_name,
    op_call,
    signature_of,
)

from tinytorch_autograd import tree, writes
from tinytorch_autograd.errors import AutogradError, InPlaceError, NoRuleError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import class_name, functions
from tinytorch_autograd.record import NodeKind, recorded
from tinytorch_autograd.rule import Rule, Rules
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.on_demand import family_of
from tinytorch_autograd.unrecorded import (
    SIMPLE,
    attach_no_backward,
    nodes_in,
    refuse_tracked_option,
)

Call = Callable[..., Any]


def differentiable(op: Op, call: Call, surface: SurfaceBuilder) -> Call:
    """Wrap the call of a NumPy function so that it is recorded if a tensor is tracked.

    Args:
        op: the function as an op, with NumPy's own arguments.
        call: the call so far.
        surface: the surface that the op belongs to.
    """
    (function,) = op.numpy

    @functools.cache
    def family() -> Family | None:
        return family_of(function)

    @functools.cache
    def with_rule() -> tuple[Op, Call] | None:
        return _recorded_op(op, call, surface)

    first_option = _first_option(op)

    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        may_write = len(args) > first_option or not _WRITING_OPTIONS.isdisjoint(kwargs)
        nodes = nodes_in([*args, *kwargs.values()], surface.tensor)
        if not nodes or not is_grad_enabled():
            results = call(*args, **kwargs)
            if may_write:
                given = _arguments(function, args, kwargs)
                for target in [*_written(function, given), *_overwritten(function, given)]:
                    if isinstance(target, Tensor | np.ndarray):
                        writes.note(target)
            return results
        if may_write and _written(function, _arguments(function, args, kwargs)):
            raise _writing(function)
        rules = family()
        if rules is not None and not rules.is_differentiable(function):
            return call(*args, **kwargs)
        options = {name: value for name, value in kwargs.items() if not _is_absent(name, value)}
        if _has_derivative(options.get("dtype")):
            try:
                results = _composed(rules, function, args, options)
            except Exception as error:
                raise _own_error(call, args, kwargs, error) from None
            if results is not NotImplemented:
                return _with_tensors(results, surface.tensor)
            if (found := with_rule()) is not None:
                op_with_inputs, recorded_call = found
                fitted = op_with_inputs.fit(function, args, options)
                if fitted is not None:
                    _refuse_tracked_options(op_with_inputs, *fitted)
                    return recorded_call(*fitted[0], **fitted[1])
        results = call(*args, **kwargs)
        _refuse_objects(function, results)
        attach_no_backward(results, surface.tensor, nodes, called(function, options), op.provider)
        return results

    return run


def derivative_of(function: Any) -> str:
    """Return a few words for `tinytorch ops` on how a NumPy function is differentiated."""
    family = family_of(function)
    if family is None:
        return "no rule: backward() raises"
    if not family.is_differentiable(function):
        return "none (declared)"
    return "composed of other ops" if family.composition(function) else "rule of autograd"


def op_and_rule(function: Any) -> tuple[Op, Rule] | None:
    """Return a NumPy function as an op with inputs, and its rule, or None if it has no rule."""
    family = family_of(function)
    described = None if family is None else family.op(function)
    return None if family is None or described is None else _op_and_rule(family, described.name)


@functools.cache
def _op_and_rule(family: Family, name: str) -> tuple[Op, Rule]:
    ops = OpTable("tinytorch-autograd")
    rules = Rules(ops, "tinytorch-autograd")
    op = family.ops[name].add_to(ops)
    rules.add(name, *family.rules[name])
    rule = rules.get(name)
    assert rule is not None
    return op, rule


def _recorded_op(op: Op, inner: Call, surface: SurfaceBuilder) -> tuple[Op, Call] | None:
    """Return a NumPy function as an op with inputs and its recorded call, if it has a rule.

    Args:
        op: the function as an op, with NumPy's own arguments.
        inner: its call as other plugins have wrapped it.
        surface: the surface that the op belongs to.
    """
    found = op_and_rule(op.numpy[0])
    if found is None:
        return None
    # A function of autograd itself, such as the one that np.einsum runs, keeps its own name.
    name = op.name if op.provider == "NumPy" else found[0].name
    with_inputs = found[0]._replace(name=name, provider=op.provider)
    kind = NodeKind(with_inputs, found[1], surface.tensor)
    gradients = kind.gradients
    wrapped = surface.wrap("tinytorch_wrap_backward", {name: gradients}, {name: with_inputs})
    if wrapped[name] is not gradients:
        kind.wrapped = wrapped[name]
    functions.setdefault(class_name(name), kind.plain)
    call = op_call(with_inputs, surface.tensor)
    unwrapped = surface.op_calls[op.name] is inner
    outermost = call if unwrapped else _with_inputs(with_inputs, inner)
    return with_inputs, recorded(with_inputs, outermost, kind, inline=unwrapped)


def _with_inputs(op: Op, call: Call) -> Call:
    """Return `call`, which takes NumPy's arguments, as a call that takes the arguments of `op`."""
    takes_sequence = op.variadic and op.forward not in op.numpy
    defaults = {name: op.signature.parameters[name].default for name in op.parameters}

    def run(*args: Any, **kwargs: Any) -> Any:
        given = op.signature.bind(*args, **kwargs).arguments
        # The op may have parameters that this NumPy function lacks.
        options = {
            name: given[name]
            for name, default in defaults.items()
            if name in given and given[name] is not default
        }
        inputs = given[op.inputs[0]] if op.variadic else [given[x] for x in op.inputs]
        return call(inputs, **options) if takes_sequence else call(*inputs, **options)

    return run


def _refuse_tracked_options(op: Op, args: Sequence[Any], options: Mapping[str, Any]) -> None:
    if not op.variadic and len(args) > len(op.inputs):
        options = {op.parameters[0]: args[len(op.inputs)], **options}
    if options and not SIMPLE.issuperset(map(type, options.values())):  # most calls end here
        for name, option in options.items():
            if name not in op.inputs:
                refuse_tracked_option(op.name, name, option)


def _is_absent(name: str, value: Any) -> bool:
    """Return whether passing an option is the same as leaving it out."""
    if name == "out":
        return all(into is None for into in (value if isinstance(value, tuple) else (value,)))
    return value is np._NoValue


def _has_derivative(dtype: Any) -> bool:
    """Return whether results of a dtype have a derivative; None is the dtype of the inputs."""
    return dtype is None or np.dtype(dtype).kind in "fc"


def _composed(family: Family | None, function: Any, args: Any, options: dict[str, Any]) -> Any:
    """Run the composition of a function; return NotImplemented if none fits the arguments."""
    key: Any = function
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        args = (owner, *args)
    elif options and "axis" not in options and isinstance(function, np.ufunc):
        key, args = np.ufunc.__call__, (function, *args)
        family = family_of(key)
    composed = None if family is None else family.composition(key)
    if composed is None:
        return NotImplemented
    try:
        given = signature_of(composed).bind(*args, **options)
    except TypeError:
        return NotImplemented
    if given.arguments.get("out") is not None:
        raise _writing(function)
    return composed(*given.args, **given.kwargs)


def _with_tensors(results: Any, kind: type[Tensor]) -> Any:
    """Return results with tensors in place of arrays, which do not depend on a tracked input."""
    if isinstance(results, list | tuple):
        return tree.fill(results, [_with_tensors(r, kind) for r in tree.leaves(results)])
    if isinstance(results, np.ndarray | np.generic):
        return from_array(kind, np.asarray(results))
    return results


def _own_error(call: Call, args: Any, kwargs: Any, error: Exception) -> Exception:
    """Return the error that NumPy's function raises for the arguments of a composition.

    Args:
        call: runs NumPy's function.
        args, kwargs: the arguments.
        error: what the composition raised. It is returned if NumPy accepts the arguments, and if
            the error may come from a function among them.
    """
    if not isinstance(error, AutogradError) and not any(map(callable, tree.leaves([args]))):
        try:
            call(*args, **kwargs)
        except Exception as own:
            return own
    return error


def called(function: Any, options: Iterable[str] = ()) -> str:
    """Return the name of a NumPy function with the names of its options.

    >>> called(np.linalg.svd), called(np.add.reduce, ["where"])
    ('np.linalg.svd', 'np.add.reduce(where=)')
    """
    given = f"({', '.join(f'{option}=' for option in options)})" if options else ""
    return f"{numpy_name(function)}{given}"


# NumPy functions that write into their first argument, and options by which others write.
_WRITING = {"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at"}
_WRITING_OPTIONS = {"out", "overwrite_input", "copy"}


def _arguments(function: Any, args: Any, kwargs: Any) -> Mapping[Any, Any]:
    """Return the arguments of a call by name, or by position where the name is unknown."""
    try:
        return signature_of(function).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**dict(enumerate(args)), **kwargs}


def _first_option(op: Op) -> float:
    """Return after how many positional arguments a call of a NumPy function may write."""
    (function,) = op.numpy
    if getattr(function, "__name__", "") in _WRITING:
        return -1
    if isinstance(function, np.ufunc):
        return math.inf  # NumPy passes `out` by keyword
    positional = takewhile(lambda p: p.kind <= p.POSITIONAL_OR_KEYWORD, op.arguments)
    return next((i for i, p in enumerate(positional) if p.name in _WRITING_OPTIONS), math.inf)


def _written(function: Any, given: Mapping[Any, Any]) -> list[Any]:
    """Return the arguments into which a NumPy function writes its results."""
    into_first = getattr(function, "__name__", "") in _WRITING or (
        function is np.nan_to_num and not given.get("copy", True)
    )
    if into_first:
        return [*given.values()][:1]
    out = given.get("out")
    return [t for t in (out if isinstance(out, tuple) else (out,)) if t is not None]


def _overwritten(function: Any, given: Mapping[Any, Any]) -> list[Any]:
    """Return the argument that an option allows a NumPy function to overwrite."""
    return [*given.values()][:1] if given.get("overwrite_input") else []


def _writing(function: Any) -> InPlaceError:
    from tinytorch_autograd.numpy_caller import remedy  # only errors need it

    return InPlaceError(
        f"{numpy_name(function)} would write into a tensor while an argument requires grad, "
        f"so a gradient would be lost; {remedy() or 'assign the result to a name instead'}"
    )


def _refuse_objects(function: Any, results: Any) -> None:
    if any(isinstance(t, Tensor) and t.dtype == object for t in tree.leaves(results)):
        raise NoRuleError(
            f"{numpy_name(function)} returned an array of Python objects, which has no gradient; "
            "write the function with NumPy functions that work on tensors"
        )
