"""Derivatives of any order by the engine, and the check of each against finite differences.

The derivative of order k is taken in random directions: F_0 is a weighted sum of the function's
elements, and F_k the derivative of F_{k-1} along a direction of its own. F_k by the engine must
agree with a central difference of F_{k-1}, where F_0 is the function on tensors that are not
tracked. By induction nothing but the plain forward is trusted.

Complex numbers count as pairs of real ones: a sum weighted by w is the real part of sum(w* f), and
the gradient g along v the real part of sum(g* v).
"""

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import grad

# Five points: the error is h^4/30 F^(5), about 2e-15 F^(5), and the rounding 1.5 eps/h |F|, about
# 7e-13 |F|. The cases keep |F^(5)| below 1e5 |F|, so 1e-8 leaves room, and no wrong factor hides.
STEP = 2.0**-11
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
TOLERANCE = 1e-8


def random_weights(function, arrays, order, seed=0):
    """A weight for each element of the output, and `order` directions for the inputs."""
    random = np.random.default_rng(seed)
    out = function(*[Tensor(a) for a in arrays])
    directions = [[_random(random, a, -1, 1) for a in arrays] for _ in range(order)]
    return _random(random, out, 0.5, 1.5), directions


def _random(random, like, low, high):
    """Numbers of the shape and kind of `like`, an array or tensor."""
    real = random.uniform(low, high, like.shape)
    return real + 1j * random.uniform(low, high, like.shape) if like.dtype.kind == "c" else real


def inner(a, b):
    """The sum of the products of two arrays' elements, as pairs where they are complex."""
    return float(np.sum(np.conjugate(a) * b).real)


def gradients(function, arrays, weight, directions=()):
    """The gradient of F_k with respect to each array, for k directions, in the arrays' dtype.

    The last derivative runs on arrays, as `backward` does, the ones before it on Tensors.
    """
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    found, weights = [function(*inputs)], [weight]
    for direction in directions:
        found = _derivative(found, weights, inputs, create_graph=True)
        weights = direction
    found = _derivative(found, weights, inputs, create_graph=False)
    return [np.zeros_like(a) if g is None else g.data for a, g in zip(arrays, found, strict=True)]


def _derivative(outputs, weights, inputs, create_graph):
    tracked = [
        (output, weight)
        for output, weight in zip(outputs, weights, strict=True)
        if output is not None and output.requires_grad
    ]
    if not tracked:
        return [None] * len(inputs)
    outputs, weights = map(list, zip(*tracked, strict=True))
    return grad(outputs, inputs, weights, create_graph=create_graph, allow_unused=True)


def directional(function, arrays, weight, directions):
    """F_k at `arrays`, a number; with no direction the function itself, untracked."""
    if not directions:
        return inner(weight, function(*[Tensor(a) for a in arrays]).data)
    found = gradients(function, arrays, weight, directions[:-1])
    return sum(inner(g, v) for g, v in zip(found, directions[-1], strict=True))


def check_derivative(function, arrays, order, seed=0):
    """Raises AssertionError unless the derivative of this order agrees with differences."""
    weight, directions = random_weights(function, arrays, order, seed)
    before = directions[:-1]
    along = directions[-1]
    values = {
        i: directional(
            function,
            [a + i * STEP * v for a, v in zip(arrays, along, strict=True)],
            weight,
            before,
        )
        for i in STENCIL
    }
    expected = sum(factor * values[i] for i, factor in STENCIL.items()) / STEP
    actual = directional(function, arrays, weight, directions)
    scale = max(1.0, abs(expected), *map(abs, values.values()))
    assert abs(actual - expected) <= TOLERANCE * scale, (
        f"order {order}: the engine says {actual}, differences say {expected}"
    )
