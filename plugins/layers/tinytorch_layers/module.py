"""Module, the base class of layers and networks."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from tinytorch_layers.arguments import as_array
from tinytorch_layers.parameter import Parameter
from tinytorch_layers.state import IncompatibleKeys, check_origin, load_arrays


class Module:
    """A layer or a network: parameters, child modules, and a `forward` method.

    The attributes of a module determine its parameters and child modules, including those in
    lists, tuples and dictionaries. Nothing needs to be registered, and subclasses do not need to
    call `super().__init__()`. Names are as in PyTorch: `blocks.0.weight` is
    `module.blocks[0].weight`. An object held by several attributes counts once, under the first
    name.

    Attributes:
        training: whether the module is in training mode, in which layers such as Dropout behave
            differently. Set by `train` and `eval`; initially True.

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
    _buffers: tuple[str, ...] = ()
    # The parameters that are transposed in PyTorch; see `load_torch_state`.
    _transposed_in_torch: tuple[str, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass must define this method."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # Parameters, buffers and child modules.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the modules that the attributes hold, with their names."""
        return ((name, value) for name, value in _leaves(vars(self)) if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """Iterate over the modules that the attributes hold."""
        return (module for _, module in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Iterate over this module, named "", and all its descendants, parents first."""
        # Compare by identity: a subclass that defines __eq__ is not hashable.
        seen = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            name, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                children = [(_join(name, child), m) for child, m in module.named_children()]
                stack.extend(reversed(children))

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all its descendants, parents first."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters of this module and its descendants, with their names."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in _leaves(vars(module)):
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(prefix, name), value

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

    def _under_all_names(
        self, prefix: str = "", parents: tuple[Module, ...] = ()
    ) -> Iterator[tuple[str, Any, bool]]:
        """Iterate over the parameters and buffers, under each name if several attributes hold one.

        Yields:
            The name, the parameter or buffer, and whether PyTorch transposes it.
        """
        inside = (*parents, self)
        for name, value in _leaves(vars(self)):
            is_buffer = name in self._buffers and value is not None
            if isinstance(value, Parameter) or is_buffer:
                yield prefix + name, value, name in self._transposed_in_torch
            elif isinstance(value, Module) and not any(value is parent for parent in inside):
                yield from value._under_all_names(f"{prefix}{name}.", inside)

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
        if value is not None and not hasattr(value, "dtype"):
            raise TypeError(
                f"the buffer {name!r} of {who} must be an array, a Tensor or None, "
                f"not {type(value).__name__}: {value!r:.60}"
            )
        self._buffers = tuple(dict.fromkeys((*self._buffers, name)))
        setattr(self, name, value)

    # Operations on all parameters or modules.

    def train(self, mode: bool = True) -> Self:
        """Set `training` of this module and its descendants; return the module."""
        for module in self.modules():
            module.training = bool(mode)
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
        for parameter in self.parameters():
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

        Args:
            mapping: arrays or Tensors by name, as returned by `state_dict`.
            strict: whether a missing or unexpected name is an error. If False, parameters that
                `mapping` lacks keep their values, and unexpected names are ignored.

        Returns:
            `missing_keys` and `unexpected_keys`; both are empty if strict.

        Raises:
            TypeError: `mapping` is not a mapping.
            ValueError: a value has the wrong shape or a dtype that cannot be converted, or, if
                strict, a name is missing or unexpected. The message lists all of them, and
                nothing has been copied. Also if `mapping` is a state of PyTorch; use
                `load_torch_state`.
        """
        check_origin(type(self).__name__, mapping)
        return load_arrays(type(self).__name__, self._arrays(), mapping, strict)

    def _arrays(self) -> dict[str, Any]:
        """Return the arrays of all parameters and buffers, by name, without copies."""
        values = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: as_array(value) for name, value in values.items()}

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


def _leaves(values: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return all values with their names, with lists, tuples and dictionaries flattened."""
    found = []
    for key, value in values.items():
        if isinstance(value, list | tuple):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _text(part: Any) -> str:
    if isinstance(part, Module):
        return repr(part)
    # The repr of a function contains its address, so show its name.
    return getattr(part, "__name__", None) or repr(part)
