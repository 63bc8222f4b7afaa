"""Chapter 1: a tensor class from nothing, and plugins that extend the plain Tensor."""

import numpy as np

from tinytorch_core import hookimpl


class Box:
    """An array with two operators."""

    def __init__(self, data):
        self.data = np.array(data, dtype=np.float32)

    def __add__(self, other):
        return Box(self.data + (other.data if isinstance(other, Box) else other))

    def __mul__(self, other):
        return Box(self.data * (other.data if isinstance(other, Box) else other))

    def __repr__(self):
        return f"Box({self.data})"


class Standard:
    """A plugin that adds the method `standardize`."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("standardize", lambda x: (x - x.mean()) / x.std())


class Labels:
    """A plugin that adds the keyword and attribute `label`, and shows the label in the repr."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("label", None)
        tensor.add_keyword(
            "label", lambda x, value: setattr(x, "label", value), lambda x: x.label, None
        )
        tensor.add_repr(lambda x: None if x.label is None else f"label={x.label!r}")
