"""Described, a NumPy function with the arguments for the checks of its rule.

    Described("cumsum", parameters=[{"axis": 0}, {"axis": -1}], min_dims=1)

checks `np.cumsum` along these axes, for arrays of fixed shapes and of random ones.
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


def call_directly(function, *inputs, **parameters):
    return function(*inputs, **parameters)


def as_list(function, *inputs, **parameters):
    return function(list(inputs), **parameters)


@dataclass(frozen=True)
class Described:
    """A NumPy function and its arguments.

    Attributes:
        name: the name of the function after `np.`: "hypot", "linalg.inv", "add.reduce".
        shapes: the shapes of the input; for several inputs tuples of shapes.
        domain: the range of the input; for several inputs a tuple of ranges.
        parameters: keyword arguments, one dict for each call.
        call: `call(function, *inputs, **parameters)`, if the inputs are not the first arguments.
        torch: the name of torch's function with the same arguments, or a function of
            (torch, *inputs, **parameters), or None to compare with JAX only.
        jax: whether `jax.numpy` has the function under the same name, with the same arguments.
        complex: whether to check complex inputs too.
        drawn: the random shapes: "any", for several inputs "same" or "broadcast"; or None.
        min_dims, max_dims, min_side: the limits of random shapes.
        order: the highest order of derivative to check.
        float32: whether the result has the precision of the inputs.
        function: the function, if `name` is not its name in NumPy.
    """

    name: str
    shapes: Sequence[Any] = ONE
    domain: Any = (-2.0, 2.236)  # not symmetric, so that no input is 0
    parameters: Sequence[Mapping[str, Any]] = ({},)
    call: Callable[..., Any] = call_directly
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
        """Yield a case for each shape and each dict of parameters."""
        return (case for _, case in self.with_parameters())

    def with_parameters(self):
        """Yield each dict of parameters with a case, for each shape."""
        for shapes in map(several, self.shapes):
            for parameters in self.parameters:
                torch = self.torch and self.in_torch(parameters)
                yield parameters, self.case(shapes, parameters, torch)

    def complex_cases(self):
        """Yield the same cases with complex inputs."""
        for case in self.cases() if self.complex else ():
            arrays = tuple(a + 1j * spread(a.shape, -1, 1.2, seed=7) for a in case.arrays)
            yield Case(f"{case.name}, complex", case.function, arrays, case.torch)

    def case(self, shapes, parameters, torch=None):
        described = ", ".join(f"{k}={_brief(v)}" for k, v in parameters.items())
        return Case(
            f"np.{self.name}({described}) of {' '.join(map(str, shapes))}",
            self.squared(parameters),
            tuple(self.array(i, shape) for i, shape in enumerate(shapes)),
            torch,
        )

    def array(self, i, shape):
        """Return the numbers of input `i`, which differ from those of the other inputs."""
        low, high = self.domain[i] if isinstance(self.domain[0], tuple) else self.domain
        shift = i * (high - low) / 97
        return spread(shape, low + shift, high - shift / 2, seed=int(np.prod(shape)) + i)

    def squared(self, parameters):
        """Return the function squared, so that the second derivative of a linear one is not 0."""
        plain = self.plain(parameters)
        return lambda *inputs: concatenated(plain(*inputs)) ** 2

    def plain(self, parameters):
        """Return the function of the inputs alone, with these parameters."""
        return lambda *inputs: self.call(self.numpy, *inputs, **parameters)

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
        """Return a case with shapes that Hypothesis draws."""
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
    """Return a tuple of shapes, one for each input."""
    return shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)


def concatenated(out):
    """Return one tensor of all floating-point tensors that a function returned."""
    if not isinstance(out, list | tuple):
        return out
    floats = [o.reshape(-1) for o in out if isinstance(o, Tensor) and o.dtype.kind in "fc"]
    return np.concatenate(floats)


def _brief(value):
    return str(value).replace("\n", " ")[:40]
