"""Modules that combine other modules: Sequential and Residual."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

from tinytorch_core import Tensor

from tinytorch_modules.module import Module

Array = Any
Layer = Callable[..., Any]


class Sequential(Module):
    """Layers applied one after the other.

    It is a list of layers: `model[0]` is the first one, `model[1:]` is a Sequential of the others,
    and `model[0] = layer` replaces one.

    Args:
        layers: modules, or functions of one tensor, such as `np.tanh` or an activation.

    Raises:
        TypeError: a layer is not callable, or is a class.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_layers import Linear
    >>> import numpy as np
    >>> model = Sequential(Linear(2, 3, generator=0), np.tanh, Linear(3, 1, generator=1))
    >>> model
    Sequential(
      (0): Linear(2, 3)
      (1): tanh
      (2): Linear(3, 1)
    )
    >>> model(Tensor([[1.0, 2.0]])).shape
    (1, 1)
    """

    def __init__(self, *layers: Layer) -> None:
        self._length = 0
        self._set(layers)

    def append(self, layer: Layer) -> Sequential:
        """Add a layer at the end; return the module.

        Raises:
            TypeError: the layer is not callable, or is a class.
        """
        return self.insert(self._length, layer)

    def extend(self, layers: Iterable[Layer]) -> Sequential:
        """Add several layers at the end; return the module.

        Raises:
            TypeError: a layer is not callable, or is a class. No layer is added.
        """
        return self._set([*self, *layers])

    def insert(self, index: int, layer: Layer) -> Sequential:
        """Add a layer before the one at `index`, as in a list; return the module.

        Raises:
            TypeError: the layer is not callable, or is a class.
        """
        layers = list(self)
        layers.insert(index, layer)
        return self._set(layers)

    def pop(self, index: int = -1) -> Any:
        """Remove a layer and return it.

        Raises:
            IndexError: the module has no layer at `index`.
        """
        layers = list(self)
        layer = layers.pop(index)
        self._set(layers)
        return layer

    def _set(self, layers: Sequence[Layer]) -> Sequential:
        """Replace all layers, after checking them; return the module."""
        name = type(self).__name__
        checked = [_checked(f"layer {i} of {name}", layer) for i, layer in enumerate(layers)]
        for i in range(self._length):
            delattr(self, str(i))
        for i, layer in enumerate(checked):
            setattr(self, str(i), layer)
        self._length = len(checked)
        return self

    def forward(self, x: Array) -> Tensor:
        for layer in self:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Layer]:
        return (getattr(self, str(i)) for i in range(self._length))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Any:
        layers = list(self)
        return Sequential(*layers[index]) if isinstance(index, slice) else layers[index]

    @overload
    def __setitem__(self, index: int, layer: Layer) -> None: ...
    @overload
    def __setitem__(self, index: slice, layer: Iterable[Layer]) -> None: ...
    def __setitem__(self, index: int | slice, layer: Any) -> None:
        layers = list(self)
        layers[index] = layer
        self._set(layers)

    def __delitem__(self, index: int | slice) -> None:
        layers = list(self)
        del layers[index]
        self._set(layers)


class Residual(Module):
    """Layers with a shortcut around them: x + f(x).

    He, Zhang, Ren & Sun, "Deep residual learning for image recognition", 2016, arXiv:1512.03385.

    Args:
        layers: the modules or functions of f, applied one after the other.
        shortcut: a module or function applied to x before the addition, for an f that changes
            the shape; by default the identity.

    Raises:
        TypeError: a layer or the shortcut is not callable, or is a class.

    >>> import numpy as np
    >>> Residual(np.square)(np.array([1.0, 2.0]))
    array([2., 6.])
    """

    def __init__(self, *layers: Layer, shortcut: Layer | None = None) -> None:
        self.body = Sequential(*layers)
        self.shortcut = None if shortcut is None else _checked("shortcut of Residual", shortcut)

    def forward(self, x: Array) -> Tensor:
        out = self.body(x)
        identity = x if self.shortcut is None else self.shortcut(x)
        if out.shape != identity.shape:
            what = "the input" if self.shortcut is None else "the output of the shortcut"
            raise ValueError(
                f"the output of the layers of {type(self).__name__} has shape {out.shape}, but "
                f"{what} has shape {identity.shape}; pass a shortcut= that gives the same shape"
            )
        return identity + out


def _checked(what: str, layer: Layer) -> Layer:
    """Return the layer after checking that it is a module or a function."""
    if isinstance(layer, type):
        raise TypeError(
            f"{what} must be a module or a function, not the class {layer.__name__}; "
            f"create an instance: {layer.__name__}(...)"
        )
    if not callable(layer):
        raise TypeError(f"{what} must be a module or a function, not {layer!r:.60}")
    return layer
