"""Compiles the regions of a program, and gives each the arrays that it works on."""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_compile.native.emitter import Emitter
from tinytorch_compile.native.function import Function, Kernel, Root
from tinytorch_compile.native.machine import Library, library
from tinytorch_compile.native.regions import numbers, stored
from tinytorch_compile.program import Constant, Layout, Value
from tinytorch_compile.source import Placed

# Where an array object holds the address of its elements.
_DATA_OFFSET = object.__basicsize__


def linked(regions: Sequence[Placed]) -> tuple[dict[str, Any], bool]:
    """Return the functions of regions by their names, and whether they were in the cache."""
    if not regions:
        return {}, False
    module = _Module(regions)
    code, cached = library(module.text)
    addresses = np.array([_address(array) for array in module.arrays], np.uintp)
    initialize = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("initialize"))
    initialize(_address(addresses))
    keep = (code, addresses, module.arrays)
    return {placed.name: _function(placed, code, keep) for placed in regions}, cached


def _function(placed: Placed, code: Library, keep: Any) -> Any:
    kinds = [
        ctypes.c_double if value.layout is None else ctypes.py_object for value in placed.passed
    ]
    result = ctypes.c_int if placed.block.checks else None
    function: Any = ctypes.PYFUNCTYPE(result, *kinds)(code.address(placed.name))
    function.keep = keep
    return function


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


@functools.cache
def has_expected_objects() -> bool:
    """Return whether array objects hold the address of their elements where it is expected."""
    array = np.zeros(1)
    return ctypes.c_void_p.from_address(id(array) + _DATA_OFFSET).value == _address(array)


class _Module:
    """The text of all regions of a program.

    Attributes:
        text: LLVM's text.
        arrays: the arrays whose addresses are in the table.
    """

    def __init__(self, regions: Sequence[Placed]) -> None:
        self.arrays: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._functions: dict[str, str] = {}
        self._declared: dict[str, str] = {}
        parts = [self._region(placed) for placed in regions]
        self.text = "\n".join(
            [
                "@table = internal global ptr null",
                "define void @initialize(ptr %table) {\n  store ptr %table, ptr @table\n"
                "  ret void\n}",
                *self._functions.values(),
                *parts,
                *self._declared.values(),
                "attributes #0 = { nounwind willreturn memory(none) }",
                "attributes #1 = { nounwind noinline }",
            ]
        )

    def _entry(self, array: Any) -> int:
        """Return the number of an array in the table."""
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[id(array)]

    def _region(self, placed: Placed) -> str:
        emitter = Emitter()
        values = [v for v in placed.passed if v.layout is not None]
        floats = [v for v in placed.passed if v.layout is None]
        arrays = dict(placed.arrays) | _scratch(placed)
        table = emitter.new("load ptr, ptr @table")
        pointers: dict[Root, str] = {}

        def place_of(root: Root) -> Root:
            return placed.slots.get(root, root) if isinstance(root, Value) else root

        def pointer(root: Root) -> str:
            root = place_of(root)
            if root not in pointers:
                if isinstance(root, Value) and root in values:
                    argument = f"%o{values.index(root)}"
                    place = emitter.new(f"getelementptr i8, ptr {argument}, i64 {_DATA_OFFSET}")
                else:
                    array = root.array if isinstance(root, Constant) else arrays[root]
                    entry = self._entry(array)
                    place = emitter.new(f"getelementptr ptr, ptr {table}, i64 {entry}")
                pointers[root] = emitter.new(f"load ptr, ptr {place}")
            return pointers[root]

        for kernel in placed.block.kernels:
            name, roots, used = self._kernel(kernel, place_of)
            if not name:
                continue
            args = [f"ptr {pointer(root)}" for root in roots]
            args += [f"double %x{floats.index(value)}" for value in used]
            if kernel.checks:
                wrong = emitter.new(f"call i1 {name}({', '.join(args)})")
                emitter.leave_if(wrong)
            else:
                emitter.line(f"call void {name}({', '.join(args)})")
        signature = [f"ptr %o{i}" for i in range(len(values))]
        signature += [f"double %x{i}" for i in range(len(floats))]
        kind, end = ("i32", "ret i32 0") if placed.block.checks else ("void", "ret void")
        lines = "\n".join([*emitter.lines, f"  {end}"])
        return f"define {kind} @{placed.name}({', '.join(signature)}) {{\nentry:\n{lines}\n}}"

    def _kernel(self, kernel: Kernel, place_of: Any) -> tuple[str, list[Root], list[Value]]:
        """Add the function of a kernel, and return its name and arguments."""
        function = Function(place_of)
        for value in numbers(kernel):
            function.number(value)
        result = kernel.emit(function)
        emitter = function.emitter
        if not emitter.lines and not result:
            return "", [], []
        self._declared.update(emitter.declared)
        kind, end = ("i1", f"ret i1 {result}") if kernel.checks else ("void", "ret void")
        signature = [f"ptr noalias {name}" for name in function.pointers.values()]
        signature += [f"double {name}" for name in function.numbers.values()]
        body = "\n".join(["entry:", *emitter.arrays, *emitter.lines, f"  {end}"])
        text = f"({', '.join(signature)}) #1 {{\n{body}\n}}"
        name = f"@k_{hashlib.sha256(f'{kind}{text}'.encode()).hexdigest()[:16]}"
        self._functions[name] = f"define internal {kind} {name}{text}"
        return name, list(function.pointers), list(function.numbers)


def _scratch(placed: Placed) -> dict[Value, Any]:
    """Return arrays for the values that only a region uses; some share memory."""
    kernels = placed.block.kernels
    last: dict[Root, int] = {}
    for i, kernel in enumerate(kernels):
        for part in kernel.reads():
            last[part.root] = i
        for root in stored(kernel):
            last[root] = i
    free: list[Any] = []
    found: dict[Value, Any] = {}
    internal = set(placed.block.internal)
    for i, kernel in enumerate(kernels):
        for root in stored(kernel):
            if root in internal and root not in found and isinstance(root, Value):
                found[root] = _taken(free, _span(root.layout))
        for root, array in found.items():
            if last[root] == i:
                free.append(array)
    return found


def _taken(free: list[Any], size: int) -> Any:
    """Return memory of a size: the smallest that is free, or new memory."""
    fitting = [array for array in free if array.nbytes >= size]
    if not fitting:
        return np.empty(size, np.uint8)
    best = min(fitting, key=lambda array: int(array.nbytes))
    free[:] = [array for array in free if array is not best]
    return best


def _span(layout: Layout | None) -> int:
    assert layout is not None
    pairs = zip(layout.shape, layout.strides, strict=True)
    return layout.dtype.itemsize + sum((n - 1) * abs(s) for n, s in pairs)
