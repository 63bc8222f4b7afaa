"""`export_onnx`: captures a step for export, and writes it as a model."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_compile.capture import Captured, ChangedNumbers, Place, capture
from tinytorch_compile.comparing import difference
from tinytorch_compile.errors import CaptureError, ExportError
from tinytorch_compile.export.kernels import kernel_rules
from tinytorch_compile.export.model import import_onnx, write_model
from tinytorch_compile.export.names import input_names


def export(
    path: str | os.PathLike[str],
    name: str,
    step: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    numbers: set[Place],
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
        opset: the version of ONNX's operators.
        producer: the name and version of this package.

    Raises:
        ExportError: the step cannot be captured, or has no counterpart in ONNX.
        ModuleNotFoundError: onnx is not installed.
    """
    import_onnx()
    try:
        with np.errstate(all="ignore"):
            captured = _captured(step, args, kwargs, set(numbers))
    except CaptureError as error:
        raise ExportError(f"{name} cannot be captured: {error}") from error
    passed = dict(zip(input_names(step, len(args)), args, strict=True)) | kwargs
    inputs = [key for key, value in passed.items() if isinstance(unwrap(value), np.ndarray)]
    write_model(path, name, captured, inputs, opset, producer)


def _captured(
    step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], numbers: set[Place]
) -> Captured:
    """Capture a step twice, and return the second one, in which every gradient is an array.

    Most kernels are not recorded as such, but as the NumPy calls in them.
    """
    first = _capture(step, args, kwargs, numbers)
    # The model must compute what later calls do, which may add to the gradients of earlier ones.
    missing = [g.tensor for g in first.gradients if g.before is None and g.after is not None]
    try:
        for tensor in missing:
            tensor.grad = np.zeros_like(tensor.data)
        second = _capture(step, args, kwargs, numbers)
    finally:
        for tensor in missing:
            tensor.grad = None
    reason = None if missing else difference(first.program, second.program)
    if reason is not None:
        raise CaptureError(reason)
    return second


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
