"""Recording: arrays, numbers and generators that note every call of NumPy on them.

The calls run on real values while they are recorded, so that shapes, dtypes and decisions are
known. Real arrays are never written into: a write into a traced array gives it a new value.
"""

from __future__ import annotations

import math
import operator
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinytorch_core import Tensor

from tinytorch_compile.errors import CaptureError
from tinytorch_compile.location import origin
from tinytorch_compile.program import Call, Guard, Layout, Location, Program, Value, leaves, mapped

Function = Callable[..., Any]

# Functions whose results depend on shapes and dtypes only.
_ABOUT_LAYOUT = frozenset(
    {
        np.broadcast_shapes,
        np.can_cast,
        np.iscomplexobj,
        np.isrealobj,
        np.ndim,
        np.result_type,
        np.shape,
        np.size,
    }
)
# Functions that write into their first argument.
_WRITERS = frozenset({np.copyto, np.put, np.put_along_axis, np.putmask, np.place, np.fill_diagonal})
# Methods of arrays without effects.
_METHODS = """
    all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy
    cumprod cumsum diagonal dot flatten max mean min nonzero prod ravel repeat reshape round
    searchsorted squeeze std sum swapaxes take trace transpose var view
""".split()  # noqa: SIM905

_TEXT = (
    "the text of an array or number, as in print(loss), cannot be captured; return the value, and "
    "print it outside of the step"
)


class Writing:
    """A function that writes into its first argument, made functional.

    It returns a copy of the first argument, into which the function has written.
    """

    __slots__ = ("function",)

    def __init__(self, function: Function) -> None:
        self.function = function

    def __call__(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        changed = np.array(target)
        self.function(changed, *args, **kwargs)
        return changed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Writing) and self.function == other.function

    def __hash__(self) -> int:
        return hash((Writing, self.function))

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", "write")


class Power:
    """The operator `**` of operands of which some are NumPy scalars.

    NumPy computes the power of two scalars in another way than that of arrays without dimensions.

    Args:
        scalars: for both operands whether it is a scalar.
    """

    __slots__ = ("scalars",)
    __name__ = "pow"

    def __init__(self, scalars: tuple[bool, bool]) -> None:
        self.scalars = scalars

    def __call__(self, x: Any, y: Any) -> Any:
        first, second = self.scalars
        return (x[()] if first else x) ** (y[()] if second else y)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Power) and self.scalars == other.scalars

    def __hash__(self) -> int:
        return hash((Power, self.scalars))


class Recorder:
    """Records a program: creates traced arrays and numbers, and collects the calls on them.

    Args:
        records: returns whether a kernel is recorded as one call; otherwise it runs, so that the
            calls of NumPy in it are recorded. By default every kernel is recorded.
    """

    def __init__(self, records: Callable[[Any], bool] = lambda kernel: True) -> None:
        self.program = Program()
        self.records = records
        self._errors = np.geterr()
        self.refusal: CaptureError | None = None
        self._traced: list[tuple[weakref.ref[Any], Location | None]] = []

    # Creating values.

    def array(self, array: Any, value: Value) -> Traced:
        """Return a traced array for `value`, whose elements are those of `array`."""
        traced = Traced(self, array, value)
        self._traced.append((weakref.ref(traced), None))
        return traced

    def input(self, array: Any, label: str) -> Traced:
        """Return the traced array of a new input of the program."""
        value = Value(Layout.of(array), label)
        self.program.inputs.append(value)
        return self.array(array, value)

    def slot(self, content: Any, label: str) -> Any:
        """Return a traced array or number for a new slot of the program."""
        is_array = isinstance(content, np.ndarray)
        value = Value(Layout.of(content) if is_array else None, label)
        self.program.slots.append(value)
        return self.array(content, value) if is_array else Number(self, content, value)

    def escaped(self) -> tuple[Location | None] | None:
        """Return the line that created a traced array that still exists, if there is one."""
        for reference, location in self._traced:
            if reference() is not None:
                return (location,)
        return None

    # Recording.

    def call(
        self, function: Function, args: Any, kwargs: dict[str, Any], effect: bool = False
    ) -> Any:
        """Call a function of arrays and numbers, and record the call if its result is one."""
        real_args, real_kwargs = concrete((args, kwargs))
        result = function(*real_args, **real_kwargs)
        if function in _ABOUT_LAYOUT:
            return result
        several = isinstance(result, tuple | list)
        results = list(result) if several else [result]
        if results and not all(map(_is_recordable, results)):
            raise self.refuse(
                f"{_name(function)} returns {type(result).__name__}, which depends on the values "
                "of arrays"
            )
        caller, location = origin()
        label = _name(function) if caller.startswith("<") or not caller else caller
        index = args[1] if function is operator.getitem else None
        traced = [self._result(r, label, args, location, index) for r in results]
        values = tuple(t.value for t in traced)
        self.program.steps.append(
            Call(
                function,
                symbolic(args),
                symbolic(kwargs),
                values,
                several=several,
                effect=effect,
                errors=self._changed_errors(),
                location=location,
            )
        )
        decided = [self._decided(t) for t in traced]
        if not several:
            return decided[0]
        return type(result)(*decided) if hasattr(result, "_fields") else type(result)(decided)

    def _result(
        self, result: Any, label: str, args: Any, location: Location | None, index: Any
    ) -> Any:
        if not isinstance(result, np.ndarray | np.generic):
            return Number(self, result, Value(None, label))
        array = np.asarray(result)
        base = _base_among(array, args)
        value = Value(Layout.of(array), label, None if base is None else base.value)
        traced = Traced(self, array, value)
        traced.scalar = isinstance(result, np.generic)
        if base is not None:
            base.note_view(traced, index)
        self._traced.append((weakref.ref(traced), location))
        return traced

    def _changed_errors(self) -> dict[str, str] | None:
        """Return how NumPy handles floating-point errors, if the step has changed it."""
        errors: Any = np.geterr()
        return None if errors == self._errors else errors

    def _decided(self, traced: Any) -> Any:
        """Return a result as it is, but a truth value, which cannot be traced, with a guard."""
        if isinstance(traced, Number) and isinstance(traced.concrete, bool):
            return self.guard(traced, bool)
        return traced

    def guard(self, traced: Any, convert: Function) -> Any:
        """Return a traced value as a Python value, and note that the program depends on it."""
        expected = convert(traced.concrete)
        self.program.steps.append(Guard(traced.value, convert, expected, origin()[1]))
        return expected

    def power(self, x: Any, y: Any) -> Any:
        """Record `x ** y`."""
        if _is_foreign(type(x)) or _is_foreign(type(y)):
            return NotImplemented
        scalars = _is_scalar(x), _is_scalar(y)
        return self.call(Power(scalars) if any(scalars) else operator.pow, (x, y), {})

    def write(self, target: Traced, function: Function, args: Any, kwargs: Any) -> None:
        """Give `target` the value that a function has written into it."""
        target.check_writable()
        target.assign(self.call(Writing(function), (target, *args), kwargs))

    def refuse(self, reason: str) -> CaptureError:
        """Return the error that ends the capture; it names the line."""
        _, location = origin()
        self.refusal = CaptureError(f"{location or 'unknown line'}: {reason}")
        return self.refusal


class _Recorded:
    """What traced arrays and numbers have in common.

    Attributes:
        recorder: the recorder of the program.
        concrete: the real array or number.
        value: the value in the program.
    """

    __slots__ = ("__weakref__", "concrete", "recorder", "value")

    def __init__(self, recorder: Recorder, concrete: Any, value: Value) -> None:
        self.recorder, self.concrete, self.value = recorder, concrete, value

    def __bool__(self) -> bool:
        return self.recorder.guard(self, bool)

    def __int__(self) -> int:
        return self.recorder.guard(self, int)

    def __float__(self) -> float:
        return self.recorder.guard(self, float)

    def __complex__(self) -> complex:
        return self.recorder.guard(self, complex)

    def __index__(self) -> int:
        return self.recorder.guard(self, operator.index)

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        raise self.recorder.refuse(_TEXT)

    def __format__(self, spec: str) -> str:
        return str(self)

    def __reduce__(self) -> Any:
        raise self.recorder.refuse("an array or number of a captured step cannot be copied")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(_is_foreign(type(i)) for i in inputs):
            return NotImplemented
        if method == "at":
            self.recorder.write(inputs[0], ufunc.at, inputs[1:], {})
            return None
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return _into(self.recorder, function, inputs, kwargs)

    def __tinytorch_kernel__(self, kernel: Any, args: tuple[Any, ...]) -> Any:
        if not self.recorder.records(kernel):
            return NotImplemented
        if not kernel.writes:
            return self.recorder.call(kernel, args, {})
        # The caller does not use the first argument again, so it can keep its value.
        return self.recorder.call(Writing(kernel), args, {})

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if any(map(_is_foreign, types)):
            return NotImplemented
        if function in _WRITERS:
            self.recorder.write(args[0], function, args[1:], kwargs)
            return None
        return _into(self.recorder, function, args, kwargs)


class Traced(_Recorded, NDArrayOperatorsMixin):
    """An array of the step being captured.

    A write, such as `x += 1`, records a call and gives the array a new value, which everything
    that refers to the array sees. It is refused if the array shares memory with another one.
    """

    __slots__ = ("_base", "_index", "_views", "scalar")
    __array_priority__ = 1000

    def __init__(self, recorder: Recorder, concrete: Any, value: Value) -> None:
        super().__init__(recorder, concrete, value)
        # The array that this one is a view of, and the index that selected it, if known.
        self._base: Traced | None = None
        self._index: Any = None
        self._views: list[weakref.ref[Traced]] = []
        # Whether NumPy returned a scalar, which cannot be modified.
        self.scalar = False

    shape = property(lambda self: self.concrete.shape)
    dtype = property(lambda self: self.concrete.dtype)
    ndim = property(lambda self: self.concrete.ndim)
    size = property(lambda self: self.concrete.size)
    itemsize = property(lambda self: self.concrete.itemsize)
    nbytes = property(lambda self: self.concrete.nbytes)
    strides = property(lambda self: self.concrete.strides)
    flags = property(lambda self: self.concrete.flags)
    base = None

    def _view(function: Function) -> Any:  # type: ignore[misc]
        return property(lambda self: self.recorder.call(function, (self,), {}))

    T = _view(np.transpose)
    mT = _view(np.matrix_transpose)
    real = _view(np.real)
    imag = _view(np.imag)

    def __len__(self) -> int:
        return len(self.concrete)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __getitem__(self, index: Any) -> Any:
        return self.recorder.call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        # `x[i] += 1` has written into x when it assigns the view to x[i].
        if not (isinstance(value, Traced) and value._base is self and value._index == index):
            self.recorder.write(self, operator.setitem, (index, value), {})

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_code is Tensor.__repr__.__code__:
            raise self.recorder.refuse(_TEXT)
        raise self.recorder.refuse(
            "np.asarray and the like would take the array out of the captured step; keep arrays "
            "as they are, and use functions of NumPy that support its protocols"
        )

    # As an operator, the power of an array is not always that of the ufunc: it may be a square.

    def __pow__(self, other: Any) -> Any:
        return self.recorder.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.recorder.power(other, self)

    def __ipow__(self, other: Any) -> Any:
        result = self.recorder.power(self, other)
        if self.scalar or result is NotImplemented:
            return result
        self.assign(result)
        return self

    def __repr__(self) -> str:
        return f"<traced array of shape {self.shape}, {self.dtype}>"

    def item(self, *args: Any) -> Any:
        """Return an element as a number."""
        return self.recorder.call(np.ndarray.item, (self, *args), {})

    def tolist(self) -> Any:
        """Refuse: the elements would leave the captured step."""
        raise self.recorder.refuse("tolist() would take the elements out of the captured step")

    def fill(self, value: Any) -> None:
        """Set all elements."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort the elements."""
        self.recorder.write(self, np.ndarray.sort, (axis, kind), {})

    # Views and writes.

    def note_view(self, view: Traced, index: Any) -> None:
        """Note that `view` shares the memory of this array, and the index that selected it."""
        view._base, view._index = self, index
        self._views.append(weakref.ref(view))

    def check_writable(self, through: Traced | None = None) -> None:
        """Raise CaptureError if a write, perhaps through a view, would change other arrays."""
        views = [view() for view in self._views]
        others = any(view is not None and view is not through for view in views)
        if others or (self._base is not None and self._index is None):
            raise self.recorder.refuse(
                "writes into an array that shares its memory with another one; compute a new "
                "array instead"
            )

    def assign(self, result: Traced, through: Traced | None = None) -> None:
        """Take the value of `result`, as if its elements had been written into this array."""
        self.check_writable(through)
        call = self.recorder.call
        if Layout.of(result.concrete) != Layout.of(self.concrete):
            result = call(Writing(np.copyto), (self, result), {"casting": "unsafe"})
        base, index = self._base, self._index
        if base is not None:
            base.check_writable(self)
            base.assign(call(Writing(operator.setitem), (base, index, result), {}), self)
            result = call(operator.getitem, (base, index), {})
        self.concrete, self.value = result.concrete, result.value
        self._views = [reference for reference in self._views if reference() is through]


def _method(name: str) -> Function:
    function = getattr(np.ndarray, name)

    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        return _into(self.recorder, function, (self, *args), kwargs)

    method.__name__ = name
    return method


for _each in _METHODS:
    setattr(Traced, _each, _method(_each))


class Number(_Recorded):
    """A Python number of the step being captured, such as a learning rate.

    As in NumPy's promotion, it adapts to the dtype of arrays. Arithmetic is recorded; a comparison
    and a conversion add a guard.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<traced {type(self.concrete).__name__}>"

    def is_integer(self) -> bool:
        """Return whether the number is whole."""
        return float(self).is_integer()


def _operation(function: Function, swapped: bool) -> Function:
    def operation(self: Number, *others: Any) -> Any:
        if not all(isinstance(o, Number | bool | int | float | complex) for o in others):
            return NotImplemented
        args = (*others, self) if swapped else (self, *others)
        return self.recorder.call(function, args, {})

    return operation


_ARITHMETIC = "add sub mul truediv floordiv mod pow"
for _each in _ARITHMETIC.split():
    setattr(Number, f"__{_each}__", _operation(getattr(operator, _each), swapped=False))
    setattr(Number, f"__r{_each}__", _operation(getattr(operator, _each), swapped=True))
for _each in ("neg", "pos", "abs", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Number, f"__{_each}__", _operation(getattr(operator, _each), swapped=False))
_ROUNDING: dict[str, Any] = {"floor": math.floor, "ceil": math.ceil, "round": round}
for _each, _function in _ROUNDING.items():
    setattr(Number, f"__{_each}__", _operation(_function, swapped=False))


class TracedGenerator:
    """A random generator of the step being captured: each draw is recorded as a call."""

    __slots__ = ("_recorder", "generator")

    __class__: ClassVar[Any] = property(lambda self: np.random.Generator)  # for isinstance

    def __init__(self, recorder: Recorder, generator: np.random.Generator) -> None:
        self._recorder, self.generator = recorder, generator

    def __getattr__(self, name: str) -> Any:
        function = getattr(np.random.Generator, name)
        if name.startswith("_") or not callable(function) or name == "spawn":
            raise self._recorder.refuse(f"the attribute {name} of a generator cannot be captured")

        def draw(*args: Any, **kwargs: Any) -> Any:
            if name == "shuffle":
                return self._recorder.write(args[0], self.generator.shuffle, args[1:], kwargs)
            return self._recorder.call(function, (self, *args), kwargs, effect=True)

        return draw


def concrete(tree: Any) -> Any:
    """Return nested arguments with traced values replaced by the real ones."""
    return mapped(tree, _concrete)


def _concrete(leaf: Any) -> Any:
    if isinstance(leaf, _Recorded):
        return leaf.concrete
    return leaf.generator if type(leaf) is TracedGenerator else leaf


def symbolic(tree: Any) -> Any:
    """Return nested arguments with traced values replaced by those of the program."""
    return mapped(tree, _symbolic)


def _symbolic(leaf: Any) -> Any:
    if isinstance(leaf, _Recorded):
        return leaf.value
    return leaf.generator if type(leaf) is TracedGenerator else leaf


def _into(recorder: Recorder, function: Function, args: Any, kwargs: dict[str, Any]) -> Any:
    """Record a call; if it has the argument `out`, that array gets the result."""
    kwargs = {key: value for key, value in kwargs.items() if key != "out" or value is not None}
    out = kwargs.pop("out", None)
    if isinstance(out, tuple):
        (out,) = out
    if out is None:
        return recorder.call(function, args, kwargs)
    if not isinstance(out, Traced):
        raise recorder.refuse(
            "writes into an array that is not part of the captured state; compute a new array"
        )
    result = recorder.call(function, args, kwargs)
    if out.scalar:  # the variable of `x += 1` gets a new scalar
        return result
    if "where" in kwargs:
        recorder.write(out, np.copyto, (result,), {"where": kwargs["where"]})
    else:
        out.assign(result)
    return out


def _is_scalar(operand: Any) -> bool:
    return isinstance(operand, Traced) and operand.scalar


def _is_foreign(kind: type) -> bool:
    """Return whether a type has its own protocol, so that it must handle the call."""
    if issubclass(kind, _Recorded | np.ndarray | np.generic) or kind is TracedGenerator:
        return False
    return issubclass(kind, Tensor) or hasattr(kind, "__array_ufunc__")


def _is_recordable(result: Any) -> bool:
    if isinstance(result, np.ndarray | np.generic):
        return result.dtype.kind in "biufc"
    return isinstance(result, bool | int | float | complex)


def _base_among(array: Any, args: Any) -> Traced | None:
    """Return the traced array among the arguments whose memory an array shares."""
    owner = owner_of(array)
    for arg in leaves(args):
        if isinstance(arg, Traced) and owner_of(arg.concrete) is owner:
            return arg
    return None


def owner_of(array: Any) -> Any:
    """Return the array that owns the memory of an array."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _name(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return f"{owner.__name__}_{name}" if isinstance(owner, np.ufunc) else str(name)
