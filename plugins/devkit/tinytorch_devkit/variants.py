"""Calls that follow from a description: combined parameters, other shapes, sizes and numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_devkit.description import Array, Call, Description, Shape, results
from tinytorch_devkit.sampling import Interval

# Errors with which an op may refuse a call. An AxisError is one of them by inheritance only.
REFUSALS = (TypeError, ValueError, IndexError, NotImplementedError)

# The sizes of large numbers, for ops that take all numbers.
_LARGE = np.outer([20.0, 100.0, 1000.0, 1e4], [1, -1]).ravel()
# Numbers drawn from an infinite interval are about 1.
_SCALES = (40.0, 1000.0)

# The names of parameters that count the axes of the first input.
_AXES = ("axis", "axes", "dim", "dims")

# More combinations are not tried.
_MOST_COMBINATIONS = 20


def with_derived_calls(op: Description) -> Description:
    """Return the description with more calls: combined parameters, short axes, equal shapes.

    Of the combinations and shapes that the plugin's author did not write down, those that the
    reference or the op refuses are dropped.
    """
    if op.op.in_place:
        return op
    calls = list(op.calls)
    for parameters in _combined(calls):
        candidates = sorted(_inputs_for(op, parameters), key=_dimensions, reverse=True)
        found = (Call(tuple(inputs), parameters) for inputs in candidates)
        calls += itertools.islice((call for call in found if _is_accepted(op, call)), 1)
    drawn = [op.draw(*shapes, seed=i) for i, shapes in enumerate(_other_shapes(op))]
    parameter_sets = replace(op, calls=tuple(calls)).parameter_sets()
    more = (Call(i, p) for i, p in itertools.product(drawn, parameter_sets))
    return replace(op, calls=(*calls, *(call for call in more if _is_accepted(op, call))))


def _combined(calls: Sequence[Call]) -> Iterator[Mapping[str, Any]]:
    """Yield the combinations of two described sets of parameters, and negative axes."""
    seen = {call.key for call in calls}
    described = list({call.key: call for call in calls}.values())
    pairs = itertools.combinations(described, 2)
    merged = [Call((), {**a.parameters, **b.parameters}) for a, b in pairs]
    for call in [*merged, *filter(None, map(_with_negative_axes, calls))]:
        if call.key not in seen and len(seen) < len(described) + _MOST_COMBINATIONS:
            seen.add(call.key)
            yield call.parameters


def _with_negative_axes(call: Call) -> Call | None:
    """Return the call with axes counted from the end, or None if it has no axes."""
    dimensions = _dimensions(call.inputs)

    def negative(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(map(negative, value))
        return value - dimensions if type(value) is int and 0 <= value < dimensions else value

    axes = {name: negative(call.parameters[name]) for name in _AXES if name in call.parameters}
    return Call(call.inputs, {**call.parameters, **axes}) if axes else None


def _dimensions(inputs: Sequence[Any]) -> int:
    return next((i.ndim for i in inputs if isinstance(i, np.ndarray)), 0)


def _inputs_for(op: Description, parameters: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """Yield the inputs of calls with which parameters can be combined."""
    for call in op.calls:
        if op.shapes or set(call.parameters) <= set(parameters):
            yield call.inputs


def _other_shapes(op: Description) -> list[tuple[Shape, ...]]:
    """Return shapes with axes of length 1 and 0, and for several inputs equal shapes."""
    count = len(op.domain)
    if op.elementwise and count == 1:
        return [((2, 1, 2),), ((0, 3),)]
    if op.elementwise:
        alternating = tuple(((2, 1), (1, 3))[i % 2] for i in range(count))
        return [((2, 3),) * count, alternating, ((0, 3),) * count]
    return _resized(op.shapes, (1, 0))


def _resized(
    shapes: Sequence[tuple[Shape, ...]], lengths: Sequence[int]
) -> list[tuple[Shape, ...]]:
    """Return new shapes in which all axes of one length have another length instead."""
    resized = {
        tuple(tuple(length if n == old else n for n in shape) for shape in described): None
        for described in shapes
        for length in lengths
        for old in sorted({n for shape in described for n in shape if n > 1})
    }
    return [one for one in resized if one not in shapes][:8]


def _is_accepted(op: Description, call: Call) -> bool:
    """Return whether the reference returns numbers, and the op does not refuse the call."""
    try:
        if not all(np.isfinite(one).all() for one in results(op.expected(call))):
            return False
    except Exception:  # a reference may raise anything for arguments that nobody described
        return False
    try:
        op.run(call)
    except np.exceptions.AxisError:
        return True  # the checks report it: an axis is missing, as after np.squeeze
    except REFUSALS:
        return False
    except Exception:
        return True  # the checks report it
    return True


def large_calls(op: Description) -> Iterator[Call]:
    """Yield calls with numbers from 20 to 10,000 and their negatives, inside the domain.

    Calls that were described completely need a domain by name.
    """
    if op.elementwise:
        for parameters, (i, interval) in itertools.product(
            op.parameter_sets(), enumerate(op.domain)
        ):
            numbers = _LARGE[_inside(_LARGE, interval, op.kinks)]
            if numbers.size:
                inputs = list(op.draw(*[numbers.shape] * len(op.domain)))
                inputs[i] = numbers
                yield Call(tuple(inputs), parameters)
    else:
        for call, scale in itertools.product(op.calls, _SCALES):
            inputs = [
                _scaled(value, scale, op.domain[i] if i < len(op.domain) else None, op.kinks)
                for i, value in enumerate(call.inputs)
            ]
            if any(a is not b for a, b in zip(inputs, call.inputs, strict=True)):
                yield call.with_inputs(inputs)


def _inside(numbers: Array, interval: Interval | None, kinks: Sequence[float]) -> Array:
    low, high = interval or (math.inf, -math.inf)
    distance = np.min([abs(numbers - kink) for kink in kinks], axis=0, initial=math.inf)
    return (low < numbers) & (numbers < high) & (distance > 0.1)


def _scaled(value: Any, scale: float, interval: Any, kinks: Sequence[float]) -> Any:
    if not is_floating(value) or not value.size:
        return value
    larger = value * scale
    return larger if np.all(_inside(larger, interval, kinks)) else value


def is_floating(value: Any) -> bool:
    """Return whether a value is an array of real floating-point numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def whole_calls(op: Description) -> Iterator[Call]:
    """Yield calls with whole numbers, in float64: in all inputs, and in the first."""
    numbers = np.arange(-6.0, 7.0)
    for call in op.calls if op.elementwise or op.shapes else ():
        inputs = []
        for i, value in enumerate(call.inputs):
            chosen = numbers[_inside(numbers, op.domain[i], op.kinks)]
            if chosen.size:
                order = np.random.default_rng(i).permutation(chosen)
                value = np.resize(order, value.shape)
            inputs.append(value)
        if any(a is not b for a, b in zip(inputs, call.inputs, strict=True)):
            yield call.with_inputs(inputs)
            if len(inputs) > 1:
                yield call.with_inputs([inputs[0], *call.inputs[1:]])


def complex_calls(op: Description) -> Iterator[Call]:
    """Yield the calls with an imaginary part added to each input that may have any numbers."""
    for call in op.calls:
        intervals = itertools.chain(op.domain, itertools.repeat(None))
        inputs = [
            value
            if interval is None or not is_floating(value)
            else _with_imaginary_part(value, op.kinks, i)
            for i, (value, interval) in enumerate(zip(call.inputs, intervals, strict=False))
        ]
        if any(a is not b for a, b in zip(inputs, call.inputs, strict=True)):
            yield call.with_inputs(inputs)


def _with_imaginary_part(array: Array, kinks: Sequence[float], seed: int) -> Array:
    parts = np.random.default_rng(seed).permutation(array.reshape(-1)) / 2
    parts = np.where(_inside(parts, (-math.inf, math.inf), kinks), parts, parts + 0.2)
    return np.asarray(array + 1j * parts.reshape(array.shape))


def repeated_calls(op: Description) -> tuple[Call, Call]:
    """Return an elementwise call, and one of up to a million elements that repeats its inputs.

    The period is a prime number, so that blocks of a computation differ.
    """
    small = op.calls[0].with_inputs(op.draw(*[(97,)] * len(op.domain)))
    size = (min(op.largest, 1_000_000),)
    return small, small.with_inputs([np.resize(x, size) for x in small.inputs])


def long_calls(op: Description, size: int) -> Iterator[Call]:
    """Yield calls of drawn inputs of about `size` elements: the axes of one length are longer.

    Calls that the reference refuses are left out. Several inputs have 2,100 elements at most,
    because a result may have an element for each combination of theirs.
    """
    size = size if len(op.domain) == 1 else min(size, 2100)
    described = next((s for s in op.shapes if any(math.prod(one) > 1 for one in s)), ())
    for old in sorted({n for shape in described for n in shape}) if size <= op.largest else ():
        shapes = [s for s in described if old in s]
        length = min(int(_longer(shape, old, size)) for shape in shapes)
        longer = [tuple(length if n == old else n for n in shape) for shape in described]
        inputs = op.draw(*longer)
        for parameters in op.parameter_sets():
            call = Call(inputs, parameters)
            try:
                op.expected(call)
            except Exception:  # the op may need an axis of this length, for example
                continue
            yield call


def _longer(shape: Shape, old: int, size: int) -> float:
    """Return the length of the axes of length `old` with which an array has `size` elements."""
    others = math.prod(n for n in shape if n != old)
    return float(max(1.0, (size / max(others, 1)) ** (1 / shape.count(old)) + 1e-9))


def empty_calls(op: Description) -> Iterator[Call]:
    """Yield calls of drawn inputs in which the axes of one length have length 0 instead."""
    for shapes, parameters in itertools.product(_resized(op.shapes, (0,)), op.parameter_sets()):
        yield Call(op.draw(*shapes), parameters)


def reduces(op: Description) -> bool:
    """Return whether an op of drawn inputs has fewer results than elements."""
    sizes = [
        (sum(map(np.size, results(op.expected(call)))), sum(map(np.size, call.inputs)))
        for call in long_calls(op, 64)
    ]
    return bool(sizes) and all(after < before for after, before in sizes)


def equal_calls(op: Description) -> Iterator[Call]:
    """Yield calls in which all numbers are equal, for ops that compare or subtract numbers."""
    for call in op.calls if op.shapes and (len(op.domain) > 1 or not op.elementwise) else ():
        intervals = [interval for interval in op.domain if interval is not None]
        low, high = max(low for low, _ in intervals), min(high for _, high in intervals)
        first = next((x.flat[0] for x in call.inputs if x.size), None)
        if first is not None and low < first < high:
            yield call.with_inputs([np.full_like(x, first) for x in call.inputs])


def _read_only(array: Array) -> Array:
    copied = array.copy()
    copied.flags.writeable = False
    return copied


LAYOUTS: Mapping[str, Callable[[Array], Array]] = {
    "in Fortran order": lambda a: a.copy(order="F"),
    "with strides": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "in big-endian order": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": _read_only,
}


def laid_out(value: Any, layout: str) -> Any:
    """Return a Tensor on an array with this layout in memory; other values are unchanged."""
    if not isinstance(value, np.ndarray):
        return value
    array = value.copy() if not value.ndim and layout != "read-only" else LAYOUTS[layout](value)
    return from_array(Tensor, array)


def arrays_in(values: Iterable[Any]) -> list[Array]:
    """Return the arrays among values, and those of Tensors."""
    unwrapped = (value.data if isinstance(value, Tensor) else value for value in values)
    return [value for value in unwrapped if isinstance(value, np.ndarray)]
