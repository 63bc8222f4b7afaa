"""Op, the description of one operation, and the table that plugins add theirs to."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinytorch_core.source import define, signature_of
from tinytorch_core.tensor import TensorBase

# What the text of an op's call uses for itself, so that no argument can have these names.
RESERVED = frozenset(
    {
        *("Result", "Tensor", "argument", "asarray", "explain", "forward", "is_array", "ndarray"),
        *("new", "operand", "out", "owner", "result", "scalar", "wrap"),
    }
)

Function = TypeVar("Function", bound=Callable[..., Any])


class Op(NamedTuple):
    """One operation: a plain function on arrays, and how a Tensor offers it.

    Attributes:
        name: the op's one name, unique among the active plugins.
        forward: the function on arrays.
        inputs: the names of the arguments that may be Tensors, in order.
        signature: the signature of `forward`.
        variadic: all positional arguments are inputs, as in `concatenate(*arrays, axis=0)`.
        methods: the names under which Tensor offers the op.
        operator: it stands behind `x + y` and the like: a foreign operand is left to the
            other side.
        reflected: the name of the method for the swapped operands (`__radd__`), or None.
        numpy: the NumPy functions that run this op when they are given a Tensor.
        in_place: it writes into its first input and returns that.
        raw: its result is handed back as it is, not as a Tensor.
        provider: who brings it: a plugin with its version, or `tinytorch-core`.
        doc: the docstring of its method.
    """

    name: str
    forward: Callable[..., Any]
    inputs: tuple[str, ...]
    signature: inspect.Signature
    variadic: bool = False
    methods: tuple[str, ...] = ()
    operator: bool = False
    reflected: str | None = None
    numpy: tuple[Callable[..., Any], ...] = ()
    in_place: bool = False
    raw: bool = False
    provider: str = "tinytorch-core"
    doc: str | None = None

    @property
    def arguments(self) -> tuple[inspect.Parameter, ...]:
        """All arguments of `forward`, in order."""
        return tuple(self.signature.parameters.values())

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments that are no inputs: `axis`, `keepdims` and the like."""
        return tuple(p.name for p in self.arguments if p.name not in self.inputs)


class OpTable(Mapping[str, Op]):
    """The ops of one surface, by name; handed to `tinytorch_register_ops`.

    >>> table = OpTable()
    >>> op = table.add("swish", lambda x: x / (1 + np.exp(-x)), method=True)
    >>> op.inputs, op.methods
    (('x',), ('swish',))
    """

    def __init__(self, provider: str = "tinytorch-core", parent: OpTable | None = None) -> None:
        self.provider = provider
        self._ops: dict[str, Op] = {} if parent is None else parent._ops

    def of(self, provider: str) -> OpTable:
        """This table, as one plugin adds to it."""
        return OpTable(provider, parent=self)

    def copy(self) -> OpTable:
        """A table with the same ops, to which others can be added."""
        table = OpTable(self.provider)
        table._ops.update(self._ops)
        return table

    def add(
        self,
        name: str,
        forward: Callable[..., Any],
        *,
        method: bool | str | Sequence[str] = False,
        inputs: Sequence[str] | None = None,
        numpy: Callable[..., Any] | Iterable[Callable[..., Any]] = (),
        operator: bool = False,
        reflected: str | None = None,
        in_place: bool = False,
        raw: bool = False,
        doc: str | None = None,
    ) -> Op:
        """Adds an op.

        Args:
            name: the op's name, an identifier.
            forward: a function from arrays to an array. It must not modify its inputs.
            method: True to offer it as `Tensor.<name>`, or the method's name or names.
            inputs: the names of the arguments that may be Tensors. By default all that have no
                default value; `*arrays` makes the op variadic.
            numpy: the NumPy function, or functions, that run this op on Tensors. The arguments
                after the inputs must have NumPy's names.
            operator, reflected, in_place, raw: see `Op`.
            doc: the method's docstring; by default that of `forward`.

        Raises:
            ValueError: the name is taken or no identifier, or the inputs cannot be told.
        """
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot name an op: it must be a Python identifier")
        if name in self._ops:
            raise ValueError(
                f"op {name!r} is already provided by {self._ops[name].provider}; "
                "choose another name, or turn one of the two plugins off"
            )
        forward = getattr(forward, "__wrapped_forward__", forward)
        signature = _signature(name, forward, inputs)
        arguments = signature.parameters.values()
        variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
        chosen = tuple(inputs) if inputs is not None else _inputs(arguments)
        op = Op(
            name=name,
            forward=forward,
            inputs=chosen,
            signature=signature,
            variadic=variadic,
            methods=_method_names(name, method),
            operator=operator,
            reflected=reflected,
            numpy=(numpy,) if callable(numpy) else tuple(numpy),
            in_place=in_place,
            raw=raw,
            provider=self.provider,
            doc=doc or getattr(forward, "__doc__", None),
        )
        self._ops[name] = op
        return op

    def __getitem__(self, name: str) -> Op:
        return self._ops[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ops)

    def __len__(self) -> int:
        return len(self._ops)


def _method_names(name: str, method: bool | str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(method, bool):
        return (name,) if method else ()
    return (method,) if isinstance(method, str) else tuple(method)


def _signature(
    name: str, forward: Callable[..., Any], inputs: Sequence[str] | None
) -> inspect.Signature:
    if isinstance(forward, np.ufunc) or (inputs and inspect.isbuiltin(forward)):
        # Functions in C take their arguments by position: any names will do.
        return _positional(tuple(inputs or ("x", "y", "z")[: getattr(forward, "nin", 0)]))
    try:
        signature = _read(forward)
    except (TypeError, ValueError):
        raise ValueError(
            f"the arguments of op {name!r} cannot be read from {forward!r}; "
            "wrap it in a Python function with named arguments"
        ) from None
    for p in signature.parameters.values():
        if p.kind is p.VAR_KEYWORD:
            raise ValueError(f"op {name!r} takes **{p.name}; name each parameter instead")
        if p.name in RESERVED:
            raise ValueError(f"an argument of op {name!r} cannot be named {p.name!r}; rename it")
    if unknown := set(inputs or ()) - set(signature.parameters):
        raise ValueError(
            f"op {name!r} has no argument {sorted(unknown)[0]!r} to be an input; "
            f"it has {', '.join(signature.parameters)}"
        )
    return signature


def _read(forward: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function; of one with bare names in it, in a tenth of the usual time."""
    if isinstance(forward, FunctionType) and not forward.__dict__:
        code = forward.__code__
        bare = not (forward.__defaults__ or forward.__annotations__ or code.co_kwonlyargcount)
        if bare and not (code.co_flags & _ANY_NUMBER or code.co_posonlyargcount):
            return _positional(code.co_varnames[: code.co_argcount])
    return inspect.signature(forward)


_ANY_NUMBER = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


@functools.cache
def _positional(names: tuple[str, ...]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _inputs(arguments: Iterable[inspect.Parameter]) -> tuple[str, ...]:
    return tuple(p.name for p in arguments if p.default is p.empty and p.kind is not p.KEYWORD_ONLY)


def op(name: str) -> Callable[[Function], Function]:
    """Makes a forward function that runs the op `name` when it is given a Tensor.

    On arrays the function is its plain self. So one function serves people, rules and the op
    table: `table.add("swish", swish)`.

    >>> @op("swish")
    ... def swish(x):
    ...     return x / (1 + np.exp(-x))
    >>> swish(np.zeros(2))
    array([0., 0.])
    """

    def decorate(forward: Function) -> Function:
        arguments = list(inspect.signature(forward).parameters.values())

        def write(names: dict[str, Any]) -> str:
            return _dispatching(name, arguments, *signature_of(arguments, names))

        names = {"forward": forward, "Tensor": TensorBase}
        function: Any = define(forward.__name__, write, names)
        functools.update_wrapper(function, forward)
        function.__wrapped_forward__ = forward
        return function  # type: ignore[no-any-return]

    return decorate


def _dispatching(
    name: str, arguments: Iterable[inspect.Parameter], signature: str, passed: str
) -> str:
    """The text of a function that runs the op `name` of the most derived class among Tensors."""
    lines = [f"def call({signature}):", "    owner = None"]
    for p in arguments:
        choose = [
            f"if isinstance({p.name}, Tensor):",
            f"    if owner is None or isinstance({p.name}, owner.__class__):",
            f"        owner = {p.name}",
        ]
        if p.kind is p.VAR_POSITIONAL:
            items = [line.replace(p.name, "item") for line in choose]
            choose = [f"for item in {p.name}:", *(f"    {line}" for line in items)]
        lines += [f"    {line}" for line in choose]
    lines += [
        "    if owner is None:",
        f"        return forward({passed})",
        f"    return owner._calls[{name!r}]({passed})",
    ]
    return "\n".join(lines) + "\n"
