"""Described, what an op takes; all checks of its rule are made from it.

    Described("cumsum", parameters=[{"axis": 0}, {"axis": -1}], min_dims=1)

stands for `np.cumsum` along these axes, of arrays of some fixed shapes and of any that Hypothesis
thinks of, with numbers from the usual domain.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tinytorch_core import Tensor

from .case import Case, spread

ONE = ((2, 3), (), (0, 3))
PAIRS = (
    ((2, 3), (2, 3)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((), (3,)),
    ((), ()),
    ((1, 3), (0, 3)),
)


def plainly(function, *inputs, **parameters):
    return function(*inputs, **parameters)


def as_list(function, *inputs, **parameters):
    return function(list(inputs), **parameters)


@dataclass(frozen=True)
class Described:
    """A NumPy function and what it takes.

    Attributes:
        name: of the function, after `np.`: "hypot", "linalg.inv", "add.reduce".
        shapes: shapes to differentiate it at; for several inputs a tuple of shapes each.
        domain: between which numbers the inputs lie; for several inputs a pair each.
        parameters: keyword arguments to call it with, one dict after the other.
        call: `call(function, *inputs, **parameters)`, where the inputs do not simply come first.
        torch: the same in torch: the name of a function that takes the same arguments, or a
            function of (torch, *inputs, **parameters); None where only JAX has it.
        jax: whether `jax.numpy` has it under the same name, with the same arguments.
        complex: whether it takes complex numbers.
        drawn: how Hypothesis draws the shapes: "any", for several inputs "same" or "broadcast";
            None where it cannot.
        min_dims, max_dims, min_side: what it may draw.
        order: the highest order of derivative to check.
        float32: whether the result is of the inputs' precision.
        function: the function itself, where `name` is not the name of one in NumPy.
    """

    name: str
    shapes: Sequence[Any] = ONE
    domain: Any = (-2.0, 2.236)  # not evenly around 0, which so is never met
    parameters: Sequence[Mapping[str, Any]] = ({},)
    call: Callable[..., Any] = plainly
    torch: Any = None
    jax: bool = True
    complex: bool = False
    drawn: str | None = "any"
    min_dims: int = 0
    max_dims: int = 3
    min_side: int = 1
    order: int = 2
    float32: bool = True
    function: Any = None

    @property
    def numpy(self) -> Any:
        """The NumPy function."""
        return self.function or attrgetter(self.name)(np)

    def cases(self):
        """A case for each shape and each dict of parameters."""
        for shapes in map(several, self.shapes):
            for parameters in self.parameters:
                yield self.case(shapes, parameters, self.torch and self.in_torch(parameters))

    def complex_cases(self):
        """The same at complex numbers."""
        for shapes in map(several, self.shapes) if self.complex else ():
            for parameters in self.parameters:
                case = self.case(shapes, parameters, self.torch and self.in_torch(parameters))
                arrays = tuple(a + 1j * spread(a.shape, -1, 1.2, seed=7) for a in case.arrays)
                yield Case(f"{case.name}, complex", case.function, arrays, case.torch)

    def case(self, shapes, parameters, torch=None):
        described = ", ".join(f"{k}={_brief(v)}" for k, v in parameters.items())
        return Case(
            f"np.{self.name}({described}) of {' '.join(map(str, shapes))}",
            self.squared(self.numpy, parameters),
            tuple(self.array(i, shape) for i, shape in enumerate(shapes)),
            torch,
        )

    def array(self, i, shape):
        """The numbers of input `i`, never the same as those of another."""
        low, high = self.domain[i] if isinstance(self.domain[0], tuple) else self.domain
        apart = i * (high - low) / 97
        return spread(shape, low + apart, high - apart / 2, seed=int(np.prod(shape)) + i)

    def squared(self, function, parameters):
        """The function of tensors; squared, so that linear ones have second derivatives."""

        def squared(*inputs):
            out = self.call(function, *inputs, **parameters)
            return joined(out) ** 2

        return squared

    def in_torch(self, parameters):
        def theirs(torch, *inputs):
            if isinstance(self.torch, str):
                out = self.call(attrgetter(self.torch)(torch), *inputs, **parameters)
            else:
                out = self.torch(torch, *inputs, **parameters)
            if isinstance(out, list | tuple):
                out = torch.cat(
                    [o.reshape(-1) for o in out if o.is_floating_point() or o.is_complex()]
                )
            return out**2

        return theirs

    def draw(self, data):
        """A case of shapes that Hypothesis draws."""
        count = len(several(self.shapes[0]))
        limits = {"min_dims": self.min_dims, "max_dims": self.max_dims, "max_side": 3}
        if self.drawn == "broadcast":
            strategy = arrays_of.mutually_broadcastable_shapes(num_shapes=count, **limits)
            shapes = data.draw(strategy).input_shapes
        else:
            shape = data.draw(arrays_of.array_shapes(min_side=self.min_side, **limits))
            shapes = (shape,) * count
        return self.case(shapes, data.draw(st.sampled_from(list(self.parameters))))


def several(shapes):
    """A tuple of shapes, one for each input, also from the shape of the only one."""
    return shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)


def joined(out):
    """One tensor of all that a function returned and that has a derivative."""
    if not isinstance(out, list | tuple):
        return out
    floats = [o.reshape(-1) for o in out if isinstance(o, Tensor) and o.dtype.kind in "fc"]
    return np.concatenate(floats)


def _brief(value):
    return str(value).replace("\n", " ")[:40]
