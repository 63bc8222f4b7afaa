"""`export_onnx`: captures a step for export, and writes it as a model."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import from_array, unwrap

from tinytorch_compile.boxes import Box
from tinytorch_compile.capture import Captured, ChangedNumbers, Place, capture
from tinytorch_compile.comparing import difference
from tinytorch_compile.errors import CaptureError, ExportError
from tinytorch_compile.export.batch import with_any_batch
from tinytorch_compile.export.file import import_onnx, write_model
from tinytorch_compile.export.kernels import kernel_rules
from tinytorch_compile.export.model import Model, model_of
from tinytorch_compile.export.names import input_names
from tinytorch_compile.program import mapped


def export(
    path: str | os.PathLike[str],
    name: str,
    step: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    numbers: set[Place],
    batch: str | None,
    opset: int,
    producer: tuple[str, str],
) -> None:
    """Write a step as an ONNX model, for arguments like these.

    Args:
        path: the file.
        name: the name of the step.
        step: the function.
        args, kwargs: example arguments.
        numbers: the places of the numbers that are state.
        batch: a name for the first axis of the arguments, which may have any length; or None.
        opset: the version of ONNX's operators.
        producer: the name and version of this package.

    Raises:
        ExportError: the step cannot be captured, or has no counterpart in ONNX.
        ModuleNotFoundError: onnx is not installed.
    """
    import_onnx()
    args, kwargs = _without_repetitions(args, kwargs)
    makes = functools.partial(_model, name, step, numbers=numbers)
    model = makes(args, kwargs) if batch is None else _for_any_batch(makes, args, kwargs, batch)
    write_model(path, name, model, opset, producer)


def _for_any_batch(
    makes: Callable[..., Model], args: tuple[Any, ...], kwargs: dict[str, Any], axis: str
) -> Model:
    """Return a model for arguments with a first axis of any length, from those for three."""
    arrays = [array for x in (*args, *kwargs.values()) if _is_array(array := unwrap(x))]
    lengths = {array.shape[:1] for array in arrays}
    if len(lengths) != 1 or () in lengths:
        found = [array.shape for array in arrays]
        raise ExportError(
            f"with batch={axis!r}, the first axes of all arguments must have the same length; "
            f"their shapes are {found}"
        )
    first = max(arrays[0].shape[0], 2)  # an axis of length 1 broadcasts
    models = {}
    # The last length is much larger, so that it shows what changes slowly, such as length // 4.
    for length in (first, first + 1, 3 * first + 7):
        resized = mapped((args, kwargs), functools.partial(_with_length, length))
        try:
            models[length] = makes(*resized)
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"the step fails for the batch size {length}: {error}") from error
    return with_any_batch(models, axis)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _with_length(length: int, value: Any) -> Any:
    """Return zeros like an array or tensor, but with another length of the first axis."""
    array = unwrap(value)
    if not _is_array(array):
        return value
    return _with_array(value, np.zeros((length, *array.shape[1:]), array.dtype))


def _without_repetitions(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments with copies in place of repetitions: each is an input of the model."""
    seen: set[int] = set()

    def copied(value: Any) -> Any:
        array = unwrap(value)
        if not _is_array(array) or id(array) not in seen:
            seen.add(id(array))
            return value
        return _with_array(value, array.copy())

    return mapped((args, kwargs), copied)


def _with_array(value: Any, array: Any) -> Any:
    """Return an array as what `value` is: an array, or a tensor that may require grad."""
    if _is_array(value):
        return array
    tensor: Any = from_array(type(value), array)
    if getattr(value, "requires_grad", False):
        tensor.requires_grad = True
    return tensor


def _model(
    name: str,
    step: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    numbers: set[Place],
) -> Model:
    try:
        with np.errstate(all="ignore"):
            captured = _captured(step, args, kwargs, set(numbers))
    except CaptureError as error:
        raise ExportError(f"{name} cannot be captured: {error}") from error
    passed = dict(zip(input_names(step, len(args)), args, strict=True)) | kwargs
    return model_of(captured, [key for key, x in passed.items() if _is_array(unwrap(x))])


def _captured(
    step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], numbers: set[Place]
) -> Captured:
    """Capture a step twice, and return the second one, in which every gradient is an array.

    Most kernels are not recorded as such, but as the NumPy calls in them.
    """
    first = _capture(step, args, kwargs, numbers)
    rates = {(id(box.thing), "lr") for box in first.state.boxes if _is_parameter_group(box)}
    if not rates <= numbers:
        numbers |= rates
        first = _capture(step, args, kwargs, numbers)
    # The model must compute what later calls do, which may add to the gradients of earlier ones.
    missing = [g.tensor for g in first.gradients if g.before is None and g.after is not None]
    try:
        for tensor in missing:
            tensor.grad = np.zeros_like(tensor.data)
        if missing:
            first = _capture(step, args, kwargs, numbers)
        second = _capture(step, args, kwargs, numbers)
    finally:
        for tensor in missing:
            tensor.grad = None
    reason = difference(first.program, second.program)
    if reason is not None:
        raise CaptureError(reason)
    return second


def _is_parameter_group(box: Box) -> bool:
    """Return whether a dict holds the options of an optimizer, of which `lr` may vary."""
    return "param_groups" in box.path and type(box.items.get("lr")) is float


def _capture(
    step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], numbers: set[Place]
) -> Captured:
    records = kernel_rules().__contains__
    while True:
        try:
            return capture(step, args, kwargs, numbers, records)
        except ChangedNumbers as changed:
            if changed.places <= numbers:
                raise CaptureError("the type of a number of the state changes") from None
            numbers |= changed.places
