"""Module, the base class of layers and of networks made of them."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from tinytorch_layers.arguments import as_array
from tinytorch_layers.parameter import Parameter
from tinytorch_layers.state import IncompatibleKeys, load_arrays


class Module:
    """A layer, or a network: parameters, the modules it is made of, and a `forward`.

    What belongs to a module is what its attributes hold, also inside lists, tuples and
    dictionaries: nothing need be registered, and `super().__init__()` need not be called. Names
    are as in PyTorch: `blocks.0.weight` is `module.blocks[0].weight`. What is held twice counts
    once, under its first name.

    Attributes:
        training: whether layers that behave differently then, such as Dropout, shall do so.
            Set by `train` and `eval`; True at first.

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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # What belongs to the module.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that the attributes hold, with their names."""
        return ((name, held) for name, held in _held(vars(self)) if isinstance(held, Module))

    def children(self) -> Iterator[Module]:
        """The modules that the attributes hold."""
        return (module for _, module in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named "", and all below it, each before its own children."""
        # By identity: a subclass may define equality, and so lose its hash.
        seen = set()
        waiting: list[tuple[str, Module]] = [("", self)]
        while waiting:
            name, module = waiting.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                below = [(_join(name, child), m) for child, m in module.named_children()]
                waiting.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each before its own children."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and of all below it, with their names."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, held in _held(vars(module)):
                if isinstance(held, Parameter) and id(held) not in seen:
                    seen.add(id(held))
                    yield _join(prefix, name), held

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of this module and of all below it, as an optimizer takes them."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """The buffers of this module and of all below it, with their names."""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                value = vars(module).get(name)
                if value is not None:
                    yield _join(prefix, name), value

    def buffers(self) -> Iterator[Any]:
        """The buffers of this module and of all below it."""
        return (buffer for _, buffer in self.named_buffers())

    def register_buffer(self, name: str, value: Any) -> None:
        """Adds an attribute that is part of the state, but is not learned.

        Args:
            name: the attribute's name. Assigning to it later replaces the buffer.
            value: an array or a Tensor; None for one that is not there.

        Raises:
            ValueError: the name is no identifier, or is taken.
            TypeError: the value is something else.
        """
        who = type(self).__name__
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot name a buffer of {who}: it must be an identifier")
        if hasattr(self, name) and name not in self._buffers:
            raise ValueError(f"{who} has an attribute {name!r} already; choose another name")
        if value is not None and not hasattr(value, "dtype"):
            raise TypeError(
                f"the buffer {name!r} of {who} must be an array, a Tensor or None, "
                f"not {type(value).__name__}: {value!r:.60}"
            )
        self._buffers = tuple(dict.fromkeys((*self._buffers, name)))
        setattr(self, name, value)

    # What is done to all of them.

    def train(self, mode: bool = True) -> Self:
        """Sets `training` here and in all modules below; returns the module."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Sets `training` to False here and in all modules below; returns the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Has the gradients of all parameters computed, or not; returns the module.

        Parameters that were made while autograd was off require none until this is called.

        Raises:
            AttributeError: autograd is off.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters.

        Raises:
            AttributeError: autograd is off.
        """
        for parameter in self.parameters():
            parameter.zero_grad()

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Calls `function` with this module and all below; returns the module."""
        for module in list(self.modules()):
            function(module)
        return self

    # The state.

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of all parameters and buffers, by name.

        >>> from tinytorch_layers import Linear
        >>> {name: array.shape for name, array in Linear(3, 2).state_dict().items()}
        {'weight': (3, 2), 'bias': (2,)}
        """
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, mapping: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies values into the parameters and buffers, which keep their dtypes.

        Args:
            mapping: arrays or Tensors by name, as `state_dict` gives them.
            strict: False leaves alone what `mapping` lacks, and ignores what is unknown.

        Returns:
            The names that were missing and those that were unexpected; two empty lists if strict.

        Raises:
            TypeError: `mapping` is no mapping.
            ValueError: an entry has another shape, or a dtype that cannot be converted; or, if
                strict, entries are missing or unexpected. All of them are listed, and nothing has
                changed.
        """
        return load_arrays(type(self).__name__, self._arrays(), mapping, strict)

    def _arrays(self) -> dict[str, Any]:
        """Return the arrays of all parameters and buffers, by name, without copies."""
        values = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: as_array(value) for name, value in values.items()}

    # The repr.

    def extra_repr(self) -> str:
        """What the repr says in the brackets, besides the modules below."""
        return ""

    def _options(self, **defaults: Any) -> str:
        """The attributes that differ from their defaults, as `extra_repr` may show them."""
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
        """The modules that the attributes hold, and other functions of tensors."""
        for name, held in _held(vars(self)):
            public = callable(held) and not (isinstance(held, type) or name.startswith("_"))
            if public or isinstance(held, Module):
                yield name, held


def _held(values: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """All values with their names, those in lists, tuples and dictionaries one by one."""
    found = []
    for key, value in values.items():
        if isinstance(value, list | tuple):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            found += _held(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _text(part: Any) -> str:
    if isinstance(part, Module):
        return repr(part)
    # A function is known by its name, an object by its repr.
    return getattr(part, "__name__", None) or repr(part)
