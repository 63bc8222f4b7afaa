"""Writes lines of Python: the texts of values, numbers and calls."""

from __future__ import annotations

import linecache
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_compile.forms import ADAPTING, Form, Text, arguments, index_text
from tinytorch_compile.names import Names, key_text, readable_name
from tinytorch_compile.program import Call, Constant, Layout, Location, Program, Value

_SIGNS: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}


class Writer:
    """The lines of a function, and the texts of the values in it.

    Args:
        program: the program.
        inputs: the names of the variables that hold the inputs.
        names: the global names of the function.
        changed: the text that ends the function if a guard fails.

    Attributes:
        lines: the lines.
    """

    def __init__(self, program: Program, inputs: Sequence[str], names: Names, changed: str) -> None:
        self.lines: list[str] = []
        self._program, self._names = program, names
        # The lines that end the function if a guard fails: they undo the random draws.
        self._ending = [changed]
        # The text of each value, and the array of those that are in the same one in every call.
        self._texts: dict[Value, str] = dict(zip(program.inputs, inputs, strict=True))
        self._arrays: dict[Value, Any] = {}
        self._scalars: dict[tuple[Any, Any], str] = {}
        self._views: dict[str, Any] = {}
        self._scalar_arrays: dict[tuple[str, Any], Any] = {}
        self._location: Location | None = None
        self._errors: dict[str, str] | None = None

    def text(self, thing: Any) -> str:
        """Return the text of an argument, a value or a function."""
        if isinstance(thing, Value):
            return self._texts[thing]
        if isinstance(thing, Constant):
            return self._names.of(thing.array, "constant")
        kind = type(thing)
        if thing is None or kind in (bool, int, str):
            return repr(thing)
        if kind is float and thing - thing == 0:  # finite
            return repr(thing)
        if thing is Ellipsis:
            return "..."
        if kind is tuple:
            return f"({', '.join(map(self.text, thing))}{',' if len(thing) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.text, thing))}]"
        if kind is slice:
            return f"slice({', '.join(map(self.text, (thing.start, thing.stop, thing.step)))})"
        if kind is dict:
            return f"{{{', '.join(f'{k!r}: {self.text(v)}' for k, v in thing.items())}}}"
        return self._names.of(thing, readable_name(thing))

    def _place(self, container: Any, key: Any) -> str:
        return f"{self._names.of(container, 'state')}{key_text(container, key, self._names)}"

    def _fix(self, value: Value, array: Any) -> None:
        """Let a value be in the same array in every call."""
        self._arrays[value] = array
        self._texts[value] = self._names.of(array, value.label)

    def _end(self) -> None:
        for line in self._ending:
            self._line(f"    {line}")

    def _enter(self, errors: dict[str, str] | None) -> dict[str, str] | None:
        if errors != self._errors:
            self._errors = errors
            if errors is not None:
                self._line(f"with {self.text(np.errstate)}(**{self.text(errors)}):", indent="")
        return errors

    def _line(self, line: str, indent: str | None = None) -> None:
        if indent is None:
            indent = "    " if self._errors is not None else ""
        self.lines.append(indent + line)

    def _comment(self, location: Location | None) -> None:
        if location is not None and location != self._location:
            self._location = location
            code = linecache.getline(location.file, location.line).strip()
            if code:
                self._line(f"# {code}")

    def _call_text(self, call: Call) -> str:
        function, text = call.function, self.text
        if function is operator.getitem:
            return f"{text(call.args[0])}[{index_text(call.args[1], text)}]"
        if function is np.transpose and len(call.args) == 1 and not call.kwargs:
            return f"{text(call.args[0])}.T"
        if function in _SIGNS:
            x, y = map(text, call.args)
            return f"{x} {_SIGNS[function]} {y}"
        if getattr(function, "__objclass__", None) is np.ndarray:
            return f"{text(call.args[0])}.{function.__name__}({arguments(call, text, skip=1)})"
        return f"{text(function)}({arguments(call, text)})"

    # Numbers among the arguments of ufuncs.

    def _argument_text(self, call: Call) -> Any:
        """Return the function that writes the arguments of a call.

        A Python number becomes an array of no dimensions: converting it takes longer than most
        small calls.
        """
        dtype = self._adapting_dtype(call)
        if dtype is None:
            return self.text

        def text(thing: Any) -> str:
            if type(thing) in (int, float):
                return self._names.of(self._scalar(thing, dtype), f"number_{thing!r}")
            if isinstance(thing, Value) and thing.layout is None:
                return self._cell(thing, dtype)
            return self.text(thing)

        return text

    def _adapting_dtype(self, call: Call) -> Any:
        if call.function not in ADAPTING or call.kwargs:
            return None
        layouts = [v.layout for v in call.reads] + [
            Layout.of(a.array) for a in call.args if isinstance(a, Constant)
        ]
        dtypes = {layout.dtype for layout in layouts if layout is not None}
        others = [a for a in call.args if not isinstance(a, Value | Constant | int | float)]
        if len(dtypes) != 1 or others or any(isinstance(a, bool) for a in call.args):
            return None
        (dtype,) = dtypes
        return dtype if dtype.char in "fd" else None

    def _scalar(self, number: Any, dtype: Any) -> Any:
        key = (repr(number), dtype)
        if key not in self._scalar_arrays:
            self._scalar_arrays[key] = np.array(number, dtype)
        return self._scalar_arrays[key]

    def _cell(self, number: Value, dtype: Any) -> str:
        """Return the name of an array that holds a number of the program."""
        key = (number, dtype)
        if key not in self._scalars:
            cell = np.zeros((), dtype)
            name = self._scalars[key] = self._names.of(cell, f"{number.label}_array")
            self._line(f"{name}[()] = {self.text(number)}")
        return self._scalars[key]

    def _write_form(self, call: Call, form: Form, out: str) -> None:
        argument = self._argument_text(call)
        if call.function in ADAPTING and not any(v.layout and v.layout.shape for v in call.reads):
            # NumPy takes twice as long for arrays of no dimensions.
            argument, out = self._as_vector(argument), self._as_vector(str)(out)
        for line in form(call, argument, out) or ():
            self._line(line)

    def _as_vector(self, text: Text) -> Text:
        """Return a function that writes views of length 1 in place of arrays of no dimensions."""

        def vector(thing: Any) -> str:
            name = text(thing)
            array = self._names.objects.get(name)
            if isinstance(array, np.ndarray) and not array.shape:
                key = f"{name} as a vector"
                view = self._views.setdefault(key, array.reshape(1))
                return self._names.of(view, f"{name}_item")
            return name

        return vector
