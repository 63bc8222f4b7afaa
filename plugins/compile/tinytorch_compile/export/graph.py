"""The nodes and constants of an ONNX graph while it is built, and the arrays that stand for them.

A `Symbol` implements NumPy's protocols: a NumPy function of symbols adds the nodes that compute it.
Which nodes these are, the modules with rules know; see `rules`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

# The number kinds of Python, and the dtypes that ONNX graphs hold them in.
NUMBERS: dict[type, np.dtype[Any]] = {
    bool: np.dtype(bool),
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
}


class UnsupportedError(Exception):
    """A call has no counterpart in ONNX. The message states why."""


class Node(NamedTuple):
    """A node of an ONNX graph.

    Attributes:
        operator: the name of the operator.
        inputs, outputs: the names of the arrays.
        attributes: the attributes of the operator.
        location: the line of the user's program that needs the node.
    """

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    location: str


class Graph:
    """The nodes and constants of an ONNX graph.

    Args:
        reserved: names that must not be used for others.

    Attributes:
        nodes: the nodes, in order.
        constants: the constants, by name.
        label: the name for the results of the nodes that follow; need not be unique.
        location: the line of the user's program that needs the nodes that follow.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Any] = {}
        self.label = "value"
        self.location = "unknown line"
        self._known: dict[Any, str] = {}
        self._counts = dict.fromkeys(reserved, 1)

    def new_name(self, wanted: str) -> str:
        """Return a name that is not used yet, such as "relu", "relu_2", "relu_3"."""
        base = re.sub(r"[^\w.\[\]]+", "_", wanted).strip("_") or "value"
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if count == 1 or name not in self._counts:
                self._counts.setdefault(name, 1)
                return name

    def constant(self, array: Any) -> str:
        """Return the name of a constant array; equal arrays are stored once."""
        array = np.asarray(array)
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self._known:
            name = self._known[key] = self.new_name("constant")
            self.constants[name] = array
        return self._known[key]

    def add(
        self, operation: str, inputs: Sequence[Any], count: int, **attributes: Any
    ) -> list[str]:
        """Add a node with `count` outputs, and return their names."""
        names = [x.name if isinstance(x, Symbol) else self.constant(x) for x in inputs]
        outputs = [self.new_name(self.label) for _ in range(count)]
        self.nodes.append(Node(operation, names, outputs, attributes, self.location))
        return outputs

    def add_result(self, x: Any, name: str) -> None:
        """Add a node that copies an array, so that it also has this name."""
        source = x.name if isinstance(x, Symbol) else self.constant(x)
        self.nodes.append(Node("Identity", [source], [name], {}, self.location))


class Symbol(NDArrayOperatorsMixin):
    """An array that an ONNX graph computes; only its shape and dtype are known.

    Attributes:
        graph: the graph.
        name: the name of the array in the graph.
        number: it is a Python number of this type, which adapts to the dtype of arrays.
    """

    __slots__ = ("dtype", "graph", "name", "number", "shape")
    __array_priority__ = 1000

    def __init__(
        self,
        graph: Graph,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        number: type | None = None,
    ) -> None:
        self.graph, self.name, self.shape = graph, name, tuple(map(int, shape))
        self.dtype, self.number = np.dtype(dtype), number

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.matrix_transpose(self))
    real = property(lambda self: self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<Symbol {self.name} of shape {self.shape}, {self.dtype}>"

    def _refuse(self, *args: Any) -> Any:
        raise UnsupportedError("it depends on the values of an array")

    __bool__ = __int__ = __float__ = __index__ = __array__ = _refuse

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return call(ufunc if method == "__call__" else getattr(ufunc, method), inputs, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return call(function, args, kwargs)

    def __tinytorch_kernel__(self, kernel: Any, args: tuple[Any, ...]) -> Any:
        return NotImplemented  # it runs, and what it calls adds nodes

    def __getitem__(self, index: Any) -> Any:
        return call(operator.getitem, (self, index), {})

    def __pow__(self, other: Any) -> Any:
        if type(other) in (int, float) and other == 2:
            return self * self
        return np.sqrt(self) if type(other) is float and other == 0.5 else np.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return np.power(other, self)


# As for all arrays that cannot be written into, `x += y` gives the variable x a new array.
for _each in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
    setattr(Symbol, f"__i{_each}__", getattr(Symbol, f"__{_each}__"))


def _method(name: str) -> Callable[..., Any]:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Any:
        return call(getattr(np.ndarray, name), (self, *args), kwargs)

    method.__name__ = name
    return method


# Methods of arrays that run the function of the same name.
METHODS = """
    all any argmax argmin argsort astype clip conj copy cumprod cumsum diagonal dot flatten item max
    mean min prod ravel repeat reshape round searchsorted squeeze std sum swapaxes take trace
    transpose var
""".split()  # noqa: SIM905
for _each in METHODS:
    setattr(Symbol, _each, _method(_each))

# What computes each function; see `rules.rule`.
RULES: dict[Any, Callable[..., Any]] = {}


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return the result of a function of symbols, for which it adds nodes to the graph.

    Raises:
        UnsupportedError: nothing is known that computes it.
    """
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        rule = RULES.get((np.ufunc, function.__name__))
        args = (owner, *args)
    elif isinstance(function, np.ufunc):
        rule = RULES.get((np.ufunc, "__call__"))
        args = (function, *args)
    else:
        rule = RULES.get(function)
    if rule is None:
        raise UnsupportedError("it has no counterpart")
    return rule(*args, **kwargs)


def emit(
    operation: str, *inputs: Any, shape: Sequence[int], dtype: Any, **attributes: Any
) -> Symbol:
    """Add a node with one result, and return it.

    Args:
        operation: the name of the ONNX operator.
        inputs: symbols and arrays, at least one of which is a symbol.
        shape, dtype: those of the result.
        attributes: those of the node.
    """
    graph = next(x.graph for x in inputs if isinstance(x, Symbol))
    (name,) = graph.add(operation, inputs, 1, **attributes)
    return Symbol(graph, name, tuple(shape), dtype)


def cast(x: Any, dtype: Any) -> Any:
    """Return an array or symbol with this dtype."""
    dtype = np.dtype(dtype)
    if not isinstance(x, Symbol):
        return np.asarray(x).astype(dtype)
    if x.dtype == dtype:
        return x if x.number is None else Symbol(x.graph, x.name, x.shape, dtype)
    from onnx.helper import np_dtype_to_tensor_dtype

    return emit("Cast", x, shape=x.shape, dtype=dtype, to=np_dtype_to_tensor_dtype(dtype))


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of an array, a symbol, a number or nested lists."""
    return x.shape if isinstance(x, Symbol) else np.shape(x)


def dtype_of(x: Any) -> np.dtype[Any]:
    """Return the dtype of an array, a symbol, a number or nested lists."""
    dtype: np.dtype[Any] = x.dtype if isinstance(x, Symbol) else np.asarray(x).dtype
    return dtype
