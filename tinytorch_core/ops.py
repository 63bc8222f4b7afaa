"""Op, the description of one operation, and the table of ops to which plugins add."""

from __future__ import annotations

import inspect
from collections import UserDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from tinytorch_core.errors import NameTakenError, did_you_mean
from tinytorch_core.source import arguments_of, is_in_c, numpy_name, signature_of


class Op(NamedTuple):
    """One operation: a function on arrays, and how a Tensor offers it.

    Attributes:
        name: the name of the op, unique among the active plugins.
        forward: the function on arrays.
        inputs: the names of the arguments that may be Tensors, in order. Empty for an op with
            `numpy_call`.
        argument_names: the names of all arguments of `forward`, in order.
        variadic: all positional arguments are inputs, as in `concatenate(*arrays, axis=0)`.
        methods: the names under which Tensor offers the op.
        operator: the op is `x + y` or the like, and leaves foreign operands to the other side.
        reflected: the name of the method for the swapped operands (`__radd__`), or None.
        numpy: the NumPy functions that run this op when they get a Tensor.
        in_place: the op writes into its first input and returns it. If `forward` returns an array,
            that array replaces the one of the first input, for arrays that cannot be written into.
        raw: the result is returned as it is, not as a Tensor.
        numpy_call: the op is a NumPy function that no plugin offers as an op. It takes NumPy's
            own arguments, among which Tensors may be anywhere, in lists too.
        provider: the title of the plugin that provides the op; `tinytorch-core`; or, for a
            `numpy_call`, `NumPy` or `another library`.
        doc: the docstring of the method.
        replaced_by: the titles of the plugins that have replaced `forward`, the latest last.
    """

    name: str
    forward: Callable[..., Any]
    inputs: tuple[str, ...]
    argument_names: tuple[str, ...] = ()
    variadic: bool = False
    methods: tuple[str, ...] = ()
    operator: bool = False
    reflected: str | None = None
    numpy: tuple[Callable[..., Any], ...] = ()
    in_place: bool = False
    raw: bool = False
    numpy_call: bool = False
    provider: str = "tinytorch-core"
    doc: str | None = None
    replaced_by: tuple[str, ...] = ()

    @property
    def signature(self) -> inspect.Signature:
        """The signature of `forward`, read when it is needed: a program runs few of the ops."""
        if not self.numpy_call and is_in_c(self.forward, self.inputs):
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            return inspect.Signature([inspect.Parameter(x, kind) for x in self.argument_names])
        try:
            return signature_of(self.forward)
        except (TypeError, ValueError):  # a NumPy function in C
            return inspect.signature(lambda *args, **kwargs: None)

    @property
    def arguments(self) -> tuple[inspect.Parameter, ...]:
        """All arguments of `forward`, in order."""
        return tuple(self.signature.parameters.values())

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments that are not inputs: `axis`, `keepdims` and the like."""
        return tuple(name for name in self.argument_names if name not in self.inputs)

    def replaced(self, forward: Callable[..., Any], by: str) -> Op:
        """Return the op with another forward function, which `by` provides.

        ValueError if it has other arguments than the present one.
        """
        new = self._replace(forward=forward, replaced_by=(*self.replaced_by, by))
        expected, found = [
            str(inspect.Signature([p.replace(annotation=p.empty) for p in op.arguments]))
            for op in (self, new)
        ]
        count = getattr(forward, "nin", None)  # the names of a ufunc's arguments do not matter
        if found != expected or count not in (None, len(self.inputs)):
            takes = found if count is None else f"{count} input{'s' * (count != 1)}"
            raise ValueError(
                f"the forward function of op {self.name!r} must have the arguments {expected}, and "
                f"{numpy_name(forward)} takes {takes}"
            )
        return new

    def fit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any]] | None:
        """Return arguments of a function in `numpy` as positional and keyword arguments of the op.

        Return None if the op lacks one of them.
        """
        inputs = len(self.inputs)
        if len(args) == inputs and not kwargs and not self.variadic:
            return args, kwargs  # most calls
        known = len(args) >= inputs and (not kwargs or kwargs.keys() <= set(self.parameters))
        if known and self.variadic and len(args) == 1 and isinstance(args[0], list | tuple):
            return args[0], kwargs
        if known and not self.variadic and len(args) <= inputs + 1:
            return args, kwargs
        try:
            signature = signature_of(function)
            given = signature.bind(*args, **kwargs).arguments
        except (TypeError, ValueError):
            return None
        given.update(given.pop("kwargs", {}))
        # The inputs come first in NumPy too, often under another name.
        names = zip(self.inputs, list(signature.parameters), strict=False)
        fitted = {x: given.pop(name) for x, name in names if name in given} | given
        required = {p.name for p in self.arguments if p.default is p.empty}
        if not required <= fitted.keys() <= set(self.argument_names):
            return None
        if self.variadic:
            return fitted.pop(self.inputs[0]), fitted
        # By position: the first input of a method is named `self`.
        leading = takewhile(lambda x: x in fitted, self.inputs)
        return [fitted.pop(x) for x in leading], fitted


class OpTable(UserDict[str, Op]):
    """The ops of one surface, by name. `tinytorch_register_ops` receives it.

    Attributes:
        provider: the title of the plugin that adds ops through this table.
        replacements: what plugins passed to `replace`, by the title of the plugin.

    >>> table = OpTable()
    >>> op = table.add("swish", lambda x: x / (1 + np.exp(-x)), method=True)
    >>> op.inputs, op.methods
    (('x',), ('swish',))
    """

    def __init__(self, provider: str = "tinytorch-core", ops: dict[str, Op] | None = None) -> None:
        super().__init__()
        self.provider = provider
        self.data = {} if ops is None else ops
        self.replacements: dict[str, list[tuple[str, Callable[..., Any]]]] = {}

    def of(self, provider: str) -> OpTable:
        """Return a view of this table; ops that are added through it have this provider."""
        table = OpTable(provider, self.data)
        table.replacements = self.replacements
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
        """Add an op.

        Args:
            name: the name of the op, an identifier.
            forward: a function from arrays to an array. It must not modify its inputs.
            method: True to offer the op as `Tensor.<name>`, or the name or names of the method.
            inputs: the names of the arguments that may be Tensors. By default all arguments
                without a default value; `*arrays` makes the op variadic.
            numpy: the NumPy function, or functions, that run this op on Tensors. Arguments after
                the inputs must have NumPy's names.
            operator, reflected, in_place, raw: see `Op`.
            doc: the docstring of the method; by default that of `forward`.

        Raises:
            NameTakenError: an op has this name.
            ValueError: the name, `numpy` or the arguments of `forward` cannot be used.
        """
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot name an op: it must be a Python identifier")
        if name in self:
            raise NameTakenError(f"op {name!r}", self[name].provider)
        numpy = (numpy,) if callable(numpy) or isinstance(numpy, str) else tuple(numpy)
        if wrong := [function for function in numpy if not callable(function)]:
            raise ValueError(
                f"numpy= of op {name!r} contains {wrong[0]!r}, which is not a function; "
                "pass the functions themselves, such as numpy=np.exp"
            )
        forward = getattr(forward, "__wrapped_forward__", forward)
        names, required, variadic = _arguments(name, forward, inputs)
        if isinstance(method, bool):
            method = (name,) if method else ()
        self[name] = op = Op(
            name,
            forward,
            required if inputs is None else tuple(inputs),
            names,
            variadic,
            methods=(method,) if isinstance(method, str) else tuple(method),
            operator=operator,
            reflected=reflected,
            numpy=numpy,
            in_place=in_place,
            raw=raw,
            provider=self.provider,
            doc=doc or getattr(forward, "__doc__", None),
        )
        return op

    def replace(self, name: str, forward: Callable[..., Any]) -> None:
        """Replace the forward function of an op of the core or of another plugin.

        The op keeps its name, arguments, methods, NumPy functions, docstring and derivative. It is
        replaced when all plugins have added their ops. If several plugins replace it, the last
        one in the order of the plugins takes effect.

        Args:
            name: the name of the op.
            forward: a function with the arguments and default values of the present one.

        PluginError follows if the op does not exist, if `forward` has other arguments, or if the
        plugin neither needs nor uses the plugin that provides the op, or replaced it before.
        """
        forward = getattr(forward, "__wrapped_forward__", forward)
        self.replacements.setdefault(self.provider, []).append((name, forward))

    def provider_of(self, name: str) -> str:
        """Return the plugin that provides an op's forward function; ValueError without the op."""
        if name not in self:
            raise ValueError(f"unknown op {name!r}. {did_you_mean(name, self)}")
        return (self[name].provider, *self[name].replaced_by)[-1]

    def put(self, name: str, forward: Callable[..., Any], provider: str) -> None:
        """Replace an op's forward function; ValueError if it has other arguments."""
        self[name] = self[name].replaced(forward, provider)


def numpy_op(function: Callable[..., Any], ops: Mapping[str, Op]) -> Op:
    """Return an op that runs a function of NumPy or another library with all of its options.

    The op gets a name that is free in `ops`, the table that it will be added to.

    >>> import numpy as np
    >>> numpy_op(np.linalg.inv, {}).name
    'linalg.inv'
    """
    long_name = numpy_name(function)
    of_numpy = long_name.startswith("np.")
    short_name = long_name.removeprefix("np.") if of_numpy else long_name.rpartition(".")[2]
    candidates = (short_name, long_name, *(f"{long_name} ({i})" for i in range(2, len(ops) + 3)))
    name = next(name for name in candidates if name not in ops)
    doc = getattr(function, "__doc__", None)
    op = Op(name, function, (), numpy=(function,), numpy_call=True, doc=doc)
    provider = "NumPy" if of_numpy else "another library"
    return op._replace(argument_names=tuple(op.signature.parameters), provider=provider)


def _arguments(
    name: str, forward: Callable[..., Any], inputs: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the arguments of a forward, its inputs by default, and whether it is variadic."""
    if is_in_c(forward, inputs):
        names = tuple(inputs or ("x", "y", "z")[: getattr(forward, "nin", 0)])
        return names, names, False
    try:
        names, required, star, double_star = arguments_of(forward)
    except (TypeError, ValueError):
        raise ValueError(
            f"the arguments of op {name!r} cannot be read from {forward!r}; "
            "wrap it in a Python function with named arguments"
        ) from None
    if double_star:
        raise ValueError(f"op {name!r} takes **{double_star}; name each parameter instead")
    if internal := [x for x in names if x.startswith("_")]:
        raise ValueError(
            f"an argument of op {name!r} is named {internal[0]!r}; rename it, because names that "
            "begin with an underscore belong to generated code"
        )
    if unknown := set(inputs or ()) - set(names):
        raise ValueError(
            f"op {name!r} has no argument {sorted(unknown)[0]!r}, which `inputs` names; "
            f"its arguments are {', '.join(names)}"
        )
    return names, required, star is not None
