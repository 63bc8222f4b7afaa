"""A kernel that is replaced by its NumPy calls gives the bits that it gives itself."""

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import kernel

from tinytorch_compile import compile
from tinytorch_compile.inlining import Inlined, NotFixed
from tinytorch_compile.memory import Pool
from tinytorch_layers import AvgPool2d, Conv2d, MaxPool2d

LAYERS = {
    "padding": lambda: Conv2d(8, 6, 5, padding=2, generator=0),
    "stride and dilation": lambda: Conv2d(8, 6, 3, stride=2, dilation=2, generator=0),
    "groups": lambda: Conv2d(8, 8, 3, padding=1, groups=4, bias=False, generator=0),
    "maxima": lambda: MaxPool2d(2),
    "maxima of padded windows": lambda: MaxPool2d(3, stride=2, padding=1),
    "averages": lambda: AvgPool2d(3, stride=1, padding=1),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(4, 8, 11, 9), (1, 8, 40, 33)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_of_images_give_the_same_bits_without_new_arrays(name, shape, dtype):
    rng = np.random.default_rng(0)
    layer = LAYERS[name]()
    scale = rng.standard_normal(shape).astype(dtype)

    compiled = compile(lambda x: layer(x * scale).detach(), strict=True)
    for _ in range(4):
        x = Tensor(rng.standard_normal(shape).astype(dtype))
        expected = layer(x * scale).data
        assert compiled(x).data.tobytes() == expected.tobytes()
    assert "creates a new array" not in compiled.explain()


def replayed(function, *args):
    """Return the result of the calls of a kernel, made again, and of the kernel itself."""
    inlined = Inlined(kernel("x", fixed=True)(function), args, Pool())
    inlined.result[...] = 7
    for call, given in inlined.calls:
        call(*given)
    return inlined.result, function(*args)


def add_up(x):
    out = np.zeros(x.shape, x.dtype, like=x)
    for i in range(3):
        out += (x * i) @ x.T
        out[1:, 0] += x[i, 1:]
    return out


KERNELS = {
    "writing": add_up,
    "copies": lambda x: np.ascontiguousarray(x.T, like=x) + x.T.copy(),
    "a reshaped copy": lambda x: x.T.reshape(-1) * 2,
    "conversions": lambda x: x.astype(np.float32) + x.astype(np.float64, copy=False),
    "reductions": lambda x: x.sum(axis=1, keepdims=True) * np.maximum(x, 0).sum(axis=0),
    "filled": lambda x: np.full_like(x, 3) - np.ones_like(x) * x,
    "gaps": lambda x: np.multiply(x, 2, out=np.empty((3, 6), like=x)[:, ::2]).T + x,
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_calls_of_a_kernel_give_the_same_bits(name):
    x = np.random.default_rng(0).standard_normal((3, 3))
    found, expected = replayed(KERNELS[name], x)
    assert found.dtype == expected.dtype
    assert found.strides == expected.strides
    assert found.tobytes() == expected.tobytes()


NOT_FIXED = {
    "a decision": lambda x: x * 2 if (x > 0).all() else x * 3,
    "a number": lambda x: x * x.max(),
    "an element": lambda x: x * x[0, 0],
    "a conversion": lambda x: x * float(x[:1, 0].reshape(())),
    "a list": lambda x: x * x.tolist(),
    "chosen elements": lambda x: x[x > 0],
    "another function": lambda x: np.sort(x),
    "an iterator": lambda x: x * sum(x.flat),
    "an argument itself": lambda x: x,
    "an array that is not created like x": lambda x: np.add(x, x, out=np.empty((3, 3))),
}


@pytest.mark.parametrize("name", NOT_FIXED)
def test_a_kernel_that_depends_on_values_is_not_replaced(name):
    x = np.random.default_rng(0).standard_normal((3, 3))
    with pytest.raises(NotFixed):
        replayed(NOT_FIXED[name], x)


def test_memory_of_a_kernel_is_used_again():
    def kernel_of_many_steps(x):
        for _ in range(20):
            x = x + 1
        return x

    pool = Pool()
    x = np.zeros(1000)
    inlined = Inlined(kernel("x", fixed=True)(kernel_of_many_steps), (x,), pool)
    assert len(inlined.calls) == 20
    assert pool.bytes <= 2 * x.nbytes


@pytest.mark.parametrize(
    "other", ["y", "y[:1]", "y[..., ::-1]", "y.T.copy().T", "2", "0.5", "True"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_results_of_elementwise_calls_have_the_layout_that_numpy_chooses(other, dtype):
    x = np.ones((4, 3, 2), np.float32).transpose(2, 0, 1)
    y = eval(other, {"y": np.ones((2, 4, 3), dtype)})

    inlined, expected = replayed(lambda x, y: x * y + y, x, y)

    assert (inlined.dtype, inlined.strides) == (expected.dtype, expected.strides)
    assert inlined.tobytes() == expected.tobytes()
