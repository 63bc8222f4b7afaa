"""Translates a captured program into the nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import numpy_name

from tinytorch_compile.errors import ExportError
from tinytorch_compile.export import elementwise, indexing, products, reductions, shaping
from tinytorch_compile.export.graph import NUMBERS, RULES, Graph, Symbol, UnsupportedError, call
from tinytorch_compile.export.kernels import kernel_rules
from tinytorch_compile.program import Call, Guard, Program, Value, leaves, replaced
from tinytorch_compile.tracing import Writing

# The modules whose rules are registered when they are imported.
RULE_MODULES = (elementwise, indexing, products, reductions, shaping)


class Translation:
    """The nodes of a program.

    Args:
        program: the program, in which only `records(kernel)` are kernels.
        graph: gets the nodes.
        values: what stands for the inputs and slots: symbols, and ndarrays that never change.

    Attributes:
        values: what stands for each value of the program.
    """

    def __init__(self, program: Program, graph: Graph, values: dict[Value, Any]) -> None:
        self.graph, self.values = graph, values
        self._kernels = kernel_rules()
        with np.errstate(all="ignore"):
            for step in program.steps:
                if isinstance(step, Guard):
                    self._guard(step)
                else:
                    self._call(step)

    def _guard(self, guard: Guard) -> None:
        value, line = self.values[guard.value], guard.location or "unknown line"
        if isinstance(value, Symbol):
            raise ExportError(
                f"{line}: the step decides by {_name(guard.convert)}() of {guard.value.label}, but "
                "an ONNX model runs the same operations for all values; use np.where, or decide "
                "outside of the step"
            )
        if guard.convert(value) != guard.expected:
            raise ExportError(f"{line}: the step decides by {guard.value.label}, which changes")

    def _call(self, step: Call) -> None:
        line = str(step.location or "unknown line")
        self.graph.label, self.graph.location = step.results[0].label, line
        place = f"{line}: {_name(step.function)}"
        if step.effect:
            raise ExportError(
                f"{line}: {step.function.__qualname__}() draws random numbers, which an ONNX model "
                "cannot do as NumPy does; call model.eval() if a layer such as Dropout draws them, "
                "or pass them as an argument"
            )
        try:
            found = self._result(step)
        except UnsupportedError as error:
            raise ExportError(f"{place} cannot be exported to ONNX: {error}") from None
        except Exception as error:
            raise ExportError(
                f"{place} cannot be exported to ONNX with these arguments: "
                f"{type(error).__name__}: {error}"
            ) from error
        results = found if step.several else (found,)
        for value, result in zip(step.results, results, strict=True):
            self.values[value] = _checked(value, result, place)

    def _result(self, step: Call) -> Any:
        args, kwargs = replaced((step.args, step.kwargs), self.values.__getitem__)
        if not any(isinstance(leaf, Symbol) for leaf in leaves((args, kwargs))):
            return step.function(*args, **kwargs)
        function: Any = step.function
        if function in self._kernels:
            result = self._kernels[function](*args, **kwargs)
            return function.__wrapped__(*args, **kwargs) if result is NotImplemented else result
        if isinstance(function, Writing):
            written = function.function
            owner = getattr(written, "__self__", None)
            if isinstance(owner, np.ufunc):
                return indexing.write_at(owner, *args, **kwargs)
            if isinstance(owner, np.random.Generator):
                raise UnsupportedError("it draws random numbers; draw outside of the step")
        elif function not in RULES and not _is_of_numpy(function):
            return function(*args, **kwargs)  # an operator, or another function of arrays
        return call(function, args, kwargs)


def _is_of_numpy(function: Any) -> bool:
    owner = getattr(function, "__objclass__", getattr(function, "__self__", None))
    module = getattr(function, "__module__", None) or ""
    return owner is np.ndarray or isinstance(owner, np.ufunc) or module.startswith("numpy")


def _checked(value: Value, result: Any, place: str) -> Any:
    """Return a result as a Python number or array, after comparing it with the captured one."""
    if value.layout is None:
        if isinstance(result, Symbol):
            kind = next(k for k, dtype in NUMBERS.items() if dtype.kind == result.dtype.kind)
            return elementwise.number(result, kind)
        return result
    if not isinstance(result, Symbol):
        result = np.asarray(result)
    if (result.shape, result.dtype) != (value.layout.shape, value.layout.dtype):
        raise ExportError(
            f"{place} would have another result in ONNX: {result.dtype} of shape {result.shape} "
            f"instead of {value.layout.dtype} of shape {value.layout.shape}"
        )
    return result


def _name(function: Callable[..., Any]) -> str:
    if isinstance(function, Writing):
        return f"the write by {_name(function.function)}"
    return numpy_name(function).replace("_operator.", "operator.")
