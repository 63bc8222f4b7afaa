"""Writes LLVM's text: scalars, loops and functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# LLVM's types in memory by the characters of NumPy's dtypes.
MEMORY_TYPES = {
    "f": "float",
    "d": "double",
    "?": "i8",
    **{char: f"i{8 * np.dtype(char).itemsize}" for char in "bBhHiIlLqQ"},
}


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Return whether compiled code can use arrays of a dtype."""
    return dtype.char in MEMORY_TYPES and dtype.isnative


def memory_type(dtype: np.dtype[Any]) -> str:
    """Return LLVM's type of an element in memory."""
    return MEMORY_TYPES[dtype.char]


def scalar_type(dtype: np.dtype[Any]) -> str:
    """Return LLVM's type of an element in a register."""
    return "i1" if dtype.char == "?" else MEMORY_TYPES[dtype.char]


def literal(number: Any, dtype: np.dtype[Any]) -> str:
    """Return LLVM's text of a number."""
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            return "0x" + struct.pack(">d", float(np.asarray(number).astype(dtype))).hex()
    value = np.asarray(number).astype(dtype)
    return str(int(value))


class Emitter:
    """The lines of one function.

    Attributes:
        lines: the lines.
        arrays: the lines that create arrays on the stack, which come first.
        declared: the functions that they call, by name.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrays: list[str] = []
        self.declared: dict[str, str] = {}
        self._count = 0
        self._block = "entry"

    def new(self, text: str) -> str:
        """Add an instruction, and return the name of its result."""
        self._count += 1
        self.lines.append(f"  %v{self._count} = {text}")
        return f"%v{self._count}"

    def line(self, text: str) -> None:
        """Add an instruction without a result."""
        self.lines.append(f"  {text}")

    def call(self, name: str, kind: str, args: Sequence[str], types: Sequence[str]) -> str:
        """Add a call of a function without effects."""
        self.declared[name] = f"declare {kind} @{name}({', '.join(types)}) #0"
        passed = ", ".join(f"{t} {a}" for t, a in zip(types, args, strict=True))
        return self.new(f"call {kind} @{name}({passed})")

    # Control.

    def _enter(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self._block = block

    def loop(
        self,
        count: int,
        body: Callable[..., Sequence[str] | None],
        carried: Sequence[tuple[str, str]] = (),
    ) -> list[str]:
        """Add a loop, and return the carried values at its end.

        Args:
            count: how often the body runs.
            body: takes the index and the carried values, and returns the new ones.
            carried: the type and the first value of each carried value.
        """
        if count == 0:
            return [value for _, value in carried]
        if count == 1:
            return list(body("0", *[value for _, value in carried]) or ())
        return self.loop_between("0", str(count), body, carried)

    def loop_between(
        self,
        first: str,
        last: str,
        body: Callable[..., Sequence[str] | None],
        carried: Sequence[tuple[str, str]] = (),
    ) -> list[str]:
        """Add a loop over the indices from `first` to `last` - 1, of which there are some."""
        self._count += 1
        number, before = self._count, self._block
        self.line(f"br label %loop{number}")
        self._enter(f"loop{number}")
        start = len(self.lines)
        self.lines += [""] * (1 + len(carried))
        names = [f"%c{number}.{i}" for i in range(len(carried))]
        after = list(body(f"%i{number}", *names) or ())
        latch = self._block
        self.line(f"%n{number} = add nsw i64 %i{number}, 1")
        self.line(f"%e{number} = icmp slt i64 %n{number}, {last}")
        self.line(f"br i1 %e{number}, label %loop{number}, label %end{number}")
        index = f"phi i64 [ {first}, %{before} ], [ %n{number}, %{latch} ]"
        self.lines[start] = f"  %i{number} = {index}"
        for i, (kind, value) in enumerate(carried):
            phi = f"phi {kind} [ {value}, %{before} ], [ {after[i]}, %{latch} ]"
            self.lines[start + 1 + i] = f"  {names[i]} = {phi}"
        self._enter(f"end{number}")
        return after

    def leave_if(self, condition: str) -> None:
        """Return 1 from the function if a condition holds."""
        self._count += 1
        number = self._count
        self.line(f"br i1 {condition}, label %leave{number}, label %stay{number}")
        self._enter(f"leave{number}")
        self.line("ret i32 1")
        self._enter(f"stay{number}")

    # Vectors, and arrays on the stack.

    def array(self, kind: str, count: int) -> str:
        """Return the address of a new array on the stack."""
        self._count += 1
        self.arrays.append(f"  %a{self._count} = alloca [{count} x {kind}], align 64")
        return f"%a{self._count}"

    def spread(self, value: str, width: int, kind: str) -> str:
        """Return a vector of equal elements."""
        if value.startswith(("0x", "-")) or value.isdigit():
            return f"<{', '.join([f'{kind} {value}'] * width)}>"
        first = self.new(f"insertelement <{width} x {kind}> poison, {kind} {value}, i64 0")
        zeros = f"<{width} x i32> zeroinitializer"
        poison = f"<{width} x {kind}> poison"
        return self.new(f"shufflevector <{width} x {kind}> {first}, {poison}, {zeros}")

    # Addresses.

    def sum(self, terms: Sequence[tuple[str, int]], offset: int = 0) -> str:
        """Return the sum of products of an index and a number."""
        total = str(offset) if offset else ""
        for index, factor in terms:
            if factor == 0 or index == "0":
                continue
            part = index if factor == 1 else self.new(f"mul nsw i64 {index}, {factor}")
            total = part if not total else self.new(f"add nsw i64 {total}, {part}")
        return total or "0"

    def element(self, pointer: str, dtype: np.dtype[Any], index: str) -> str:
        """Return the address of an element."""
        if index == "0":
            return pointer
        return self.new(f"getelementptr {memory_type(dtype)}, ptr {pointer}, i64 {index}")

    def load(self, pointer: str, dtype: np.dtype[Any], index: str) -> str:
        """Return an element."""
        address = self.element(pointer, dtype, index)
        value = self.new(f"load {memory_type(dtype)}, ptr {address}, align 1")
        return self.new(f"icmp ne i8 {value}, 0") if dtype.char == "?" else value

    def store(self, value: str, pointer: str, dtype: np.dtype[Any], index: str) -> None:
        """Store an element."""
        if dtype.char == "?":
            value = self.new(f"zext i1 {value} to i8")
        address = self.element(pointer, dtype, index)
        self.line(f"store {memory_type(dtype)} {value}, ptr {address}, align 1")

    # Conversions.

    def cast(self, value: str, source: np.dtype[Any], target: np.dtype[Any]) -> str:
        """Return a value converted as `astype` converts it, but never from floats to integers."""
        if source == target or scalar_type(source) == scalar_type(target) != "i1":
            return value
        old, new = scalar_type(source), scalar_type(target)
        if target.kind == "b":
            if source.kind == "f":
                return self.new(f"fcmp une {old} {value}, {literal(0, source)}")
            return self.new(f"icmp ne {old} {value}, 0")
        if source.kind == "f":
            name = "fpext" if target.itemsize > source.itemsize else "fptrunc"
        elif target.kind == "f":
            name = "sitofp" if source.kind == "i" else "uitofp"
        elif old == "i1" or target.itemsize > source.itemsize:
            name = "sext" if source.kind == "i" else "zext"
        else:
            name = "trunc"
        return self.new(f"{name} {old} {value} to {new}")


def casts(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Return whether `Emitter.cast` can convert between dtypes."""
    if not is_supported(source) or not is_supported(target):
        return False
    return not (source.kind == "f" and target.kind in "iu")
