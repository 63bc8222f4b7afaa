"""Module, the base class of layers and networks."""

from __future__ import annotations

import reprlib
import sys
import warnings
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import did_you_mean, to_array

from tinytorch_modules.arguments import flag
from tinytorch_modules.hooks import HookHandle, ModuleHooks, add_hook
from tinytorch_modules.parameter import Parameter
from tinytorch_modules.state import IncompatibleKeys, check_origin, load_arrays

Named = tuple[str, Any]

if TYPE_CHECKING:
    Arguments = ParamSpec("Arguments")
    Output = TypeVar("Output", covariant=True)

    class _HasForward(Protocol[Arguments, Output]):
        """A module, so that `model(x)` has the arguments and the result type of its `forward`."""

        registered_hooks: Any

        def forward(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Output: ...


# The containers in which modules and parameters are found, and those whose items have no names.
_SEARCHED = (list, tuple, dict)
_UNNAMED = (set, frozenset, deque)
_CONTAINERS = _SEARCHED + _UNNAMED


class Module:
    """A layer or a network: parameters, child modules, and a `forward` method.

    The attributes of a module determine its parameters and child modules, including those in
    lists, tuples and dictionaries. Nothing needs to be registered, and subclasses do not need to
    call `super().__init__()`. Names are as in PyTorch: `blocks.0.weight` is
    `module.blocks[0].weight`. An object held by several attributes counts once, under the first
    name.

    Parameters are not lost silently. It is an error to assign an array or a Tensor to an attribute
    that holds a Parameter, and to list the parameters or modules while a set, a deque or an
    attribute of the class holds one that no name leads to. A Tensor that requires grad but is not
    a Parameter causes a warning.

    Attributes:
        training: whether the module is in training mode, in which layers such as Dropout behave
            differently. Set by `train` and `eval`; initially True.
        registered_hooks: the hooks of the module, or None.

    >>> from tinytorch_core import Tensor
    >>> class Scale(Module):
    ...     def __init__(self, size):
    ...         self.factor = Parameter(np.ones(size))
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> scale = Scale(2)
    >>> scale(Tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    >>> [name for name, _ in scale.named_parameters()]
    ['factor']
    """

    training: bool = True
    registered_hooks: ModuleHooks | None = None
    _buffers: tuple[str, ...] = ()
    # The names of the class attributes that hold modules or parameters.
    _class_parts: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        inherited = [name for base in cls.__bases__ for name in getattr(base, "_class_parts", ())]
        own = [name for name, value in vars(cls).items() if _parts_in(value)]
        cls._class_parts = tuple(dict.fromkeys([*inherited, *own]))

    def __setattr__(self, name: str, value: Any) -> None:
        current = self.__dict__.get(name)
        if isinstance(current, _PARTS):
            _check_replacement(type(self).__name__, name, current, value)
        if name in self._buffers:
            _check_buffer(type(self).__name__, name, value)
        super().__setattr__(name, value)

    # The parameters that are transposed in PyTorch; see `load_torch_state`.
    _transposed_in_torch: tuple[str, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass must define this method."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(
        self: _HasForward[Arguments, Output], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Output:
        if self.registered_hooks is None:
            return self.forward(*args, **kwargs)
        return self.registered_hooks.call(self, args, kwargs)

    # Parameters, buffers and child modules.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the modules that the attributes hold, with their names."""
        return ((name, value) for name, value in _leaves(vars(self)) if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """Iterate over the modules that the attributes hold."""
        return (module for _, module in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Iterate over this module, named "", and all its descendants, parents first."""
        return ((name, module) for name, module, _ in self._traverse([]))

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all its descendants, parents first."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters of this module and its descendants, with their names."""
        seen = set()
        unnamed: list[Named] = []
        for prefix, module, attributes in self._traverse(unnamed):
            for name, value in attributes:
                if isinstance(value, Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    if isinstance(value, Parameter):
                        yield _join(prefix, name), value
                    elif name not in module._buffers:
                        _warn_if_learned(type(module).__name__, name, value)
        if unnamed:
            _check_all_seen(Parameter, unnamed, seen)

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over the parameters of this module and its descendants."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the buffers of this module and its descendants, with their names."""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                value = vars(module).get(name)
                if value is not None:
                    yield _join(prefix, name), value

    def buffers(self) -> Iterator[Any]:
        """Iterate over the buffers of this module and its descendants."""
        return (buffer for _, buffer in self.named_buffers())

    def set_buffer(self, name: str, value: Any) -> None:
        """Replace a buffer of this module or of a descendant, without copying.

        Args:
            name: the dotted name, as in `named_buffers`.
            value: an array or a Tensor, of this or another library.

        Raises:
            ValueError: no buffer has that name.
            TypeError: the value has a different type.

        >>> from tinytorch_layers import BatchNorm1d, Sequential
        >>> model = Sequential(BatchNorm1d(2))
        >>> model.set_buffer("0.running_mean", np.ones(2))
        >>> model[0].running_mean
        array([1., 1.])
        """
        owner, _, last = name.rpartition(".")
        module = dict(self.named_modules()).get(owner)
        if module is None or last not in module._buffers:
            known = [name for name, _ in self.named_buffers()]
            raise ValueError(
                f"{type(self).__name__} has no buffer {name!r}. {did_you_mean(name, known)}"
            )
        setattr(module, last, value)

    def _under_all_names(
        self, prefix: str = "", parents: tuple[Module, ...] = ()
    ) -> Iterator[tuple[str, Any, bool]]:
        """Iterate over the parameters and buffers, under each name if several attributes hold one.

        Those of a module come before those of its children, as in PyTorch.

        Yields:
            The name, the parameter or buffer, and whether PyTorch transposes it.
        """
        for name, value in _leaves(vars(self)):
            if isinstance(value, Parameter) or (name in self._buffers and value is not None):
                yield prefix + name, value, name in self._transposed_in_torch
        inside = (*parents, self)
        for name, child in self.named_children():
            if not any(child is parent for parent in inside):
                yield from child._under_all_names(f"{prefix}{name}.", inside)

    def add_module(self, name: str, module: Module | None) -> None:
        """Set an attribute to a module; the same as `setattr`, with checks of the name.

        Args:
            name: an identifier, or a number as text.
            module: a module, or None.

        Raises:
            TypeError: `module` is not a Module.
            ValueError: the name is not possible, or belongs to another attribute.
        """
        who = type(self).__name__
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module() of {who} takes a Module, not {module!r:.60}")
        if not isinstance(name, str) or not (name.isidentifier() or name.isdecimal()):
            raise ValueError(f"the name of a module of {who} must be an identifier, not {name!r}")
        if hasattr(self, name) and not isinstance(getattr(self, name), Module):
            raise ValueError(f"{who} already has an attribute {name!r}; choose another name")
        setattr(self, name, module)

    def register_buffer(self, name: str, value: Any) -> None:
        """Add an attribute that is part of the state but is not a parameter.

        Args:
            name: the attribute's name. Assigning to it later replaces the buffer.
            value: an array or a Tensor. None reserves the name without adding to the state.

        Raises:
            ValueError: the name is not an identifier, or already is an attribute.
            TypeError: the value has a different type.
        """
        who = type(self).__name__
        if not name.isidentifier():
            raise ValueError(f"the name of a buffer of {who} must be an identifier, not {name!r}")
        if hasattr(self, name) and name not in self._buffers:
            raise ValueError(f"{who} already has an attribute {name!r}; choose another name")
        _check_buffer(who, name, value)
        self._buffers = tuple(dict.fromkeys((*self._buffers, name)))
        setattr(self, name, value)

    def _traverse(self, unnamed: list[Named]) -> Iterator[tuple[str, Module, list[Named]]]:
        """Iterate over this module and its descendants, with their names and attributes.

        Args:
            unnamed: a list that receives what `_attributes` adds to it.

        Raises:
            TypeError: `unnamed` contains a module that was not reached.
        """
        # Compare by identity: a subclass that defines __eq__ is not hashable.
        seen = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            name, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                attributes = module._attributes(unnamed)
                yield name, module, attributes
                children = [(_join(name, n), v) for n, v in attributes if isinstance(v, Module)]
                stack.extend(reversed(children))
        if unnamed:
            _check_all_seen(Module, unnamed, seen)

    def _attributes(self, unnamed: list[Named]) -> list[Named]:
        """Return the values that the attributes hold, with their names.

        Values whose items have no names are added to `unnamed`, each with an explanation.
        """
        sets: list[Named] = []
        leaves = _leaves(self.__dict__, "", sets)
        if sets or self._class_parts:
            owner = type(self).__name__
            remedy = "use a list, a tuple or a dict"
            unnamed += [(f"{owner}.{n} is a {type(v).__name__}; {remedy}", v) for n, v in sets]
            unnamed += [
                (f"{owner}.{n} belongs to the class; assign self.{n}", getattr(type(self), n))
                for n in self._class_parts
                if n not in self.__dict__
            ]
        return leaves

    # Operations on all parameters or modules.

    def train(self, mode: bool = True) -> Self:
        """Set `training` of this module and its descendants; return the module.

        Raises:
            TypeError: `mode` is not True or False.
        """
        mode = flag("train()", "mode", mode)
        for module in list(self.modules()):
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` of this module and its descendants to False; return the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters require grad; return the module.

        Parameters created while autograd was disabled do not require grad until this is called.

        Raises:
            AttributeError: autograd is disabled.
        """
        for parameter in list(self.parameters()):
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None.

        Raises:
            AttributeError: autograd is disabled.
        """
        for parameter in self.parameters():
            parameter.zero_grad()

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on this module and its descendants; return the module."""
        for module in list(self.modules()):
            function(module)
        return self

    def to(self, dtype: Any) -> Self:
        """Convert the floating parameters and buffers to a dtype; return the module.

        Gradients are converted too. An optimizer that has made a step keeps its state as it is, so
        convert the model before creating the optimizer.

        Args:
            dtype: a floating dtype, such as `np.float64` or "float32".

        Raises:
            TypeError: `dtype` is not a floating dtype.

        >>> from tinytorch_layers import Linear
        >>> Linear(2, 1).to(np.float64).weight.dtype
        dtype('float64')
        """
        try:
            target = None if dtype is None else np.dtype(dtype)
        except TypeError:
            target = None
        if target is None or target.kind != "f":
            raise TypeError(f"to() takes a floating dtype, such as np.float64, not {dtype!r:.60}")
        for parameter in list(self.parameters()):
            if parameter.dtype.kind == "f":
                grad = getattr(parameter, "grad", None)
                parameter.data = parameter.data.astype(target)
                if grad is not None:
                    parameter.grad = grad.astype(target)
        for name, buffer in list(self.named_buffers()):
            if buffer.dtype.kind == "f":
                self.set_buffer(name, buffer.astype(target))
        return self

    # Hooks.

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(module, args)` before each call of `forward`.

        Args:
            hook: returns None, or what replaces the positional arguments: a tuple, or one value.

        Returns:
            A handle; `handle.remove()`, or the end of a `with` block on it, removes the hook.

        Raises:
            TypeError: `hook` is not callable.
        """
        return add_hook(self, "before", hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(module, args, output)` after each call of `forward`.

        Args:
            hook: returns None, or what replaces the output.

        Returns, raises: see `register_forward_pre_hook`.

        >>> from tinytorch_layers import Linear
        >>> shapes = []
        >>> layer = Linear(2, 3)
        >>> with layer.register_forward_hook(lambda layer, args, y: shapes.append(y.shape)):
        ...     y = layer(np.ones((4, 2), np.float32))
        >>> shapes
        [(4, 3)]
        """
        return add_hook(self, "after", hook)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known.

        Args:
            hook: is called with a tuple of tensors; returns None, or the gradients that replace
                them.

        Returns, raises: see `register_forward_pre_hook`.
        """
        return add_hook(self, "before_gradients", hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Args:
            hook: is called with two tuples of tensors, for the positional arguments and the
                outputs; the gradient of an argument that does not require grad is None. Returns
                None, or the gradients that replace those of the arguments.

        Returns, raises: see `register_forward_pre_hook`. A call of the module raises TypeError if
        it returns other things than tensors.

        >>> from tinytorch_layers import Linear
        >>> norms = []
        >>> layer = Linear(2, 1, generator=0)
        >>> with layer.register_full_backward_hook(
        ...     lambda layer, grad_input, grad_output: norms.append(grad_output[0].tolist())
        ... ):
        ...     layer(Tensor([[1.0, 2.0]])).sum().backward()
        >>> norms
        [[[1.0]]]
        """
        return add_hook(self, "after_gradients", hook)

    # The state.

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return copies of the arrays of all parameters and buffers, by name.

        >>> from tinytorch_layers import Linear
        >>> {name: array.shape for name, array in Linear(3, 2).state_dict().items()}
        {'weight': (3, 2), 'bias': (2,)}
        """
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, mapping: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into the parameters and buffers, which keep their dtypes.

        A parameter or buffer that several attributes hold can have any of its names in `mapping`.

        Args:
            mapping: arrays or Tensors by name, as returned by `state_dict`.
            strict: whether a missing or unexpected name is an error. If False, parameters that
                `mapping` lacks keep their values, and unexpected names are ignored.

        Returns:
            `missing_keys` and `unexpected_keys`; both are empty if strict.

        Raises:
            TypeError: `mapping` is not a mapping, or `strict` is not True or False.
            ValueError: a value has the wrong shape or a dtype that cannot be converted, two names
                of one parameter have different values, or, if strict, a name is missing or
                unexpected. The message lists all of them, and nothing has been copied. Also if
                `mapping` is a state of PyTorch; use `load_torch_state`.
        """
        strict = flag("load_state_dict()", "strict", strict)
        check_origin(type(self).__name__, mapping)
        if isinstance(mapping, Mapping):
            mapping = self._by_first_name(mapping)
        return load_arrays(type(self).__name__, self._arrays(), mapping, strict, self._replace)

    def _replace(self, name: str, array: Any) -> None:
        """Replace the array of a parameter or buffer."""
        parameter = dict(self.named_parameters()).get(name)
        if parameter is not None:
            parameter.data = array
        else:
            self.set_buffer(name, array)

    def _by_first_name(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        """Return `mapping` with one name, the first, for what several attributes hold."""
        own = [*self.named_parameters(), *self.named_buffers()]
        first = {id(value): name for name, value in own}
        names = set(first.values())
        result: dict[str, Any] = {}
        for name, value in mapping.items():
            known = name if name in names else first.get(id(self._find(str(name))), name)
            if known in result and not _equal(result[known], value):
                raise ValueError(
                    f"cannot load this state into {type(self).__name__}; nothing was changed: "
                    f"{name} and {known} are the same array in the model, but their values in the "
                    "state differ"
                )
            result[known] = value
        return result

    def _find(self, name: str) -> Any:
        """Return the parameter or buffer with one of its names, or None."""
        for found, value in _leaves(self.__dict__):
            if isinstance(value, Module) and name.startswith(f"{found}."):
                if (inner := value._find(name.removeprefix(f"{found}."))) is not None:
                    return inner
            elif found == name and (isinstance(value, Parameter) or name in self._buffers):
                return value
        return None

    def _arrays(self) -> dict[str, Any]:
        """Return the arrays of all parameters and buffers, by name, without copies."""
        values = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: to_array(value) for name, value in values.items()}

    # The repr.

    def extra_repr(self) -> str:
        """Return the text that the repr shows before the child modules."""
        return ""

    def _options(self, **defaults: Any) -> str:
        """Return the attributes that differ from their defaults, as ", name=value" each."""
        found = {name: getattr(self, name) for name in defaults}
        return "".join(f", {n}={v!r}" for n, v in found.items() if v != defaults[n])

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        lines = [f"({name}): {_text(part)}" for name, part in self._parts()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n".join([extra, *lines] if extra else lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the modules and the public functions that the attributes hold."""
        for name, value in _leaves(vars(self)):
            public = callable(value) and not (isinstance(value, type) or name.startswith("_"))
            if public or isinstance(value, Module):
                yield name, value


_PARTS = (Module, Parameter)


def _leaves(
    values: Mapping[Any, Any], prefix: str = "", unnamed: list[Named] | None = None
) -> list[Named]:
    """Return all values with their names, with lists, tuples and dictionaries flattened.

    Containers whose items have no names are added to `unnamed` instead, if it is a list.
    """
    found = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if not isinstance(value, _CONTAINERS):
            found.append((name, value))
        elif isinstance(value, _SEARCHED):
            items = value if isinstance(value, dict) else dict(enumerate(value))
            found += _leaves(items, f"{name}.", unnamed)
        elif unnamed is not None:
            unnamed.append((name, value))
    return found


# Checks that no parameter is lost.


def _parts_in(value: Any) -> list[Any]:
    """Return the modules and parameters in a value, including those in containers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, _CONTAINERS):
        return [part for item in value for part in _parts_in(item)]
    return [value] if isinstance(value, _PARTS) else []


def _check_all_seen(kind: type, unnamed: Iterable[Named], seen: Container[int]) -> None:
    """Raise TypeError if a part of a type, in an attribute without names, was not seen."""
    for reason, value in unnamed:
        for part in _parts_in(value):
            if isinstance(part, kind) and id(part) not in seen:
                raise TypeError(f"{_described(part)} would be neither trained nor saved: {reason}")


def _check_replacement(owner: str, name: str, current: Any, value: Any) -> None:
    """Raise TypeError if assigning a value would lose the parameters of the current one."""
    if value is None or isinstance(value, _PARTS):
        return
    refused = f"and cannot be replaced by {_described(value)}"
    if isinstance(current, Parameter):
        raise TypeError(
            f"{name} of {owner} is a Parameter, {refused}, which would not be trained or saved. "
            f"Copy the values with {name}.data[...] = values, assign a Parameter, or delete the "
            "attribute first"
        )
    if isinstance(value, type) or not (callable(value) or isinstance(value, _SEARCHED)):
        raise TypeError(
            f"{name} of {owner} is a module, {refused}. Assign a module, a function or None"
        )


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"{value!r:.60}" if shape is None else f"{kind} of shape {shape}"


def _check_buffer(owner: str, name: str, value: Any) -> None:
    """Raise TypeError if a value cannot be part of the state."""
    if value is not None and not hasattr(value, "dtype"):
        raise TypeError(
            f"the buffer {name!r} of {owner} must be an array, a Tensor or None, "
            f"not {type(value).__name__}: {value!r:.60}"
        )


def _warn_if_learned(owner: str, name: str, value: Tensor) -> None:
    """Warn about a leaf that requires grad but is not a Parameter."""
    if getattr(value, "requires_grad", False) and value.is_leaf:
        _warn(
            f"{owner}.{name} is a Tensor that requires grad. Only Parameters are trained and "
            f"saved: assign Parameter(...) to train it, or {name}.detach() if it is a constant"
        )


def _warn(message: str) -> None:
    """Warn at the innermost line outside of TinyTorch's packages."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("tinytorch_"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _equal(one: Any, other: Any) -> bool:
    return np.array_equal(to_array(one), to_array(other), equal_nan=True)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _text(part: Any) -> str:
    if isinstance(part, Module):
        return repr(part)
    # The repr of a function contains its address, so show its name.
    return getattr(part, "__name__", None) or repr(part)
