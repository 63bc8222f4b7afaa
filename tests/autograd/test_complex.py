"""Gradients of complex numbers, in PyTorch's convention."""

import operator
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import GradientTape, NonScalarError, custom_gradient, func, grad
from tinytorch_autograd.debug.numerical import check_derivative, gradients, random_weights

from .cases import Case, by_function, concatenated, naming


def numbers(shape, dtype=complex, seed=0):
    random = np.random.default_rng(seed)
    real = random.uniform(0.5, 2, shape) * random.choice([-1, 1], shape)
    return real + 1j * random.uniform(0.25, 1, shape) if np.dtype(dtype).kind == "c" else abs(real)


def tracked(values):
    return Tensor(np.asarray(values), requires_grad=True)


def test_the_gradient_is_the_direction_of_steepest_ascent():
    z = tracked([3 + 4j])
    (z.real**2 + 5 * z.imag).sum().backward()
    assert z.grad.tolist() == [6 + 5j]  # dL/da + i dL/db


def test_the_gradient_of_a_holomorphic_function_is_the_conjugate_of_its_derivative():
    z = tracked([1 + 2j])
    (z**3).backward(np.array([1 + 0j]))
    np.testing.assert_allclose(z.grad, np.conj(3 * z.data**2))


@pytest.mark.parametrize("start", [lambda y: y.backward(), lambda y: grad(y, y)])
def test_backward_of_a_complex_output_requires_a_gradient(start):
    z = tracked(1 + 2j)
    with pytest.raises(NonScalarError, match="complex128 has no gradient without a direction"):
        start(z * z)
    assert z.grad is None


def test_backward_of_a_real_output_refuses_a_complex_gradient():
    x = tracked([1.0])
    with pytest.raises(TypeError, match="complex128, and the tensor real"):
        (x * 2).backward(np.array([1j]))
    assert x.grad is None


def test_the_gradient_of_a_real_tensor_is_real_next_to_complex_tensors():
    x, z = tracked([2.0]), tracked([1 + 2j])
    y = x * z
    y.backward(np.array([1 + 1j]))
    assert x.grad.dtype == np.float64
    assert x.grad.tolist() == [3.0]  # the real part of (1 + i)(1 + 2i)*
    assert z.grad.tolist() == [2 + 2j]


def test_retain_grad_and_grad_of_a_real_intermediate_tensor_are_real():
    x = tracked([2.0])
    y = x * 2
    z = y * np.array([1 + 2j])
    (found,) = grad([z], [y], [np.array([1j])], retain_graph=True)
    y.retain_grad()
    z.backward(np.array([1j]))
    assert y.grad.dtype == found.dtype == np.float64
    assert y.grad.tolist() == found.tolist() == [2.0]


def test_retained_gradients_have_the_convention_of_users():
    z = tracked([1 + 2j])
    y = z * z
    y.retain_grad()
    y.imag.sum().backward()
    assert y.grad.tolist() == [1j]
    np.testing.assert_allclose(z.grad, 1j * np.conj(2 * z.data))


def test_apply_has_the_convention_of_users():
    z = tracked([1 + 2j])
    (found,) = (z**2).grad_fn.apply(np.array([1j]))[:1]
    np.testing.assert_allclose(found, 1j * np.conj(2 * z.data))


def test_float32_and_complex64_are_kept():
    x, z = Tensor([2.0], requires_grad=True), Tensor([1 + 2j], requires_grad=True)
    y = x * z.conj() + z.imag - z.real
    assert y.dtype == np.complex64
    y.backward(np.array([1], np.complex64))
    assert (x.grad.dtype, z.grad.dtype) == (np.float32, np.complex64)


def test_transforms_and_the_tape():
    z = 1 + 2j
    assert func.grad(lambda z: (z * z.conj()).real)(z).tolist() == 2 + 4j
    with pytest.raises(NonScalarError):
        func.grad(lambda z: z * z)(z)
    with GradientTape() as tape:
        tape.watch(z := Tensor(z))
        y = (z * z.conj()).real
    assert tape.gradient(y, z).tolist() == 2 + 4j


ELEMENTWISE = {
    "conj": np.conj,
    "real": np.real,
    "imag": np.imag,
    "x.real": lambda z: z.real,
    "x.imag": lambda z: z.imag,
    "x.conj()": lambda z: z.conj(),
    "z z*": lambda z: z * z.conj(),
    "|z|^2 as a real number": lambda z: (z * z.conj()).real,
    "neg": operator.neg,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "tanh": np.tanh,
    "reciprocal": np.reciprocal,
    "square": np.square,
    "z ** 2": lambda z: z**2,
    "z ** 2.5": lambda z: z**2.5,
    "z ** 1j": lambda z: z**1j,
    "2 ** z": lambda z: 2**z,
    "sum": lambda z: z.sum(axis=0) ** 2,
    "mean": lambda z: z.mean(axis=0) ** 2,
    "prod": lambda z: z.prod(axis=0),
    "var": lambda z: z.var(axis=0),
    "std": lambda z: z.std(axis=1, ddof=1),
    "abs": abs,
    "indexing": lambda z: z[[0, 0, 1]] ** 2,
    "reshape": lambda z: z.reshape(3, 2) ** 2,
    "where": lambda z: np.where(z.real.data > 0, z * z, z),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dtype", [complex, float])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_one_argument(name, dtype, order):
    check_derivative(ELEMENTWISE[name], [numbers((2, 3), dtype)], order)


PAIRS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "matmul": lambda x, y: x @ y.T,
    "where": lambda x, y: np.where([True, False, True], x * x, y) ** 2,
    "concatenate": lambda x, y: np.concatenate([x, y]) ** 2,
    "stack": lambda x, y: np.stack([x, y]) ** 2,
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kinds", [(complex, complex), (float, complex), (complex, float)])
@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_arguments_real_or_complex(name, kinds, order):
    shapes = [(2, 3), (2, 3) if name in ("matmul", "stack", "concatenate") else (3,)]
    arrays = [numbers(s, k, i) for i, (s, k) in enumerate(zip(shapes, kinds, strict=True))]
    check_derivative(PAIRS[name], arrays, order)


def test_real_functions_between_complex_ones():
    """A real intermediate tensor may get a complex gradient, of which the real part counts."""

    def function(z, x):
        modulus = (z * z.conj()).real.sqrt()
        return modulus * x * z + np.exp(1j * modulus) * z.imag

    for order in (1, 2, 3):
        check_derivative(function, [numbers((3,)), numbers((3,), float)], order)


def then_complex(function):
    """Return a real number that passes a complex gradient to each output of a function."""

    def combined(*inputs):
        out = concatenated(function(*inputs))
        phases = np.exp(1j * np.arange(1, out.size + 1).reshape(out.shape))
        return ((out * phases).sum() ** 2).imag

    return combined


OF_REAL_NUMBERS = by_function(
    lambda described: [
        Case(case.name, described.plain(parameters), case.arrays)
        for parameters, case in described.with_parameters()
    ]
)


@pytest.mark.parametrize("name", OF_REAL_NUMBERS)
def test_the_gradient_of_a_real_output_is_the_real_part(name):
    for case in OF_REAL_NUMBERS[name]:
        with naming(case):
            for order in (1, 2):
                check_derivative(then_complex(case.function), case.arrays, order)


def test_the_hessian_of_eigenvalues_that_depend_on_the_modulus_of_a_spectrum():
    def smallest(x):
        spectrum = np.abs(np.fft.fft(x))
        m = spectrum[:, None] * np.arange(1.0, 5) + np.diag(np.arange(4.0))
        return np.linalg.eigvalsh((m + m.T) / 2)[0]

    for order in (1, 2):
        check_derivative(smallest, [np.array([1.0, 3.0, 2.0, 0.5])], order)


REAL_OPS = {
    "an op that saves its input": lambda x: x.watched(),
    "an op that saves nothing": lambda x: x.reshape(-1),
    "custom_gradient": custom_gradient(lambda x: (x * 1, lambda grad: grad)),
}


@pytest.fixture
def watched_dtypes():
    """The dtypes of the gradients that the rule of the op `watched` gets."""
    seen = []

    def rule(grad, x):
        seen.append(grad.dtype)
        return grad * (2 * x)

    def register_ops(ops):
        ops.add("watched", lambda x: x * x, method=True)

    def register_backward(rules):
        rules.add("watched", rule)

    plugin = SimpleNamespace(
        tinytorch_register_ops=hookimpl(register_ops),
        tinytorch_register_backward=hookimpl(optionalhook=True)(register_backward),
    )
    plugins.register(plugin, name="watched")
    yield seen
    plugins.unregister("watched")


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "combine", [lambda y: y * (1 + 2j), lambda y: y + 1j * y, lambda y: y.astype(complex) * 1j]
)
def test_the_rule_of_an_op_with_real_output_gets_a_real_gradient(
    watched_dtypes, combine, create_graph
):
    x = tracked([1.0, 2.0])
    loss = (combine(x.watched().reshape(2, 1)) ** 2).imag.sum()
    grad(loss, x, create_graph=create_graph)
    assert watched_dtypes == [np.dtype(np.float64)]


@pytest.mark.parametrize("name", REAL_OPS)
def test_a_hook_of_a_real_tensor_gets_a_real_gradient(watched_dtypes, name):
    x = tracked([1.0, 2.0])
    y = REAL_OPS[name](x)
    seen = []
    for tensor in (x, y):
        tensor.register_hook(lambda grad: seen.append(grad.dtype))
        tensor.register_hook(lambda grad: 2 * grad)
    ((y * (1 + 2j)) ** 2).imag.sum().backward()
    assert seen == [np.dtype(np.float64)] * 2
    slope = 2 * 2 * (4 * 2 * y.data)  # of Im (1 + 2i)² y², doubled by two hooks
    inner = 2 * x.data if name == "an op that saves its input" else 1
    np.testing.assert_allclose(x.grad, slope * inner)


def test_astype_between_real_and_complex():
    def function(x):
        return x.astype(complex) ** 2 * (1 + 2j)

    check_derivative(function, [numbers((3,), float)], 2)
    z = tracked(numbers((3,)))
    with pytest.warns(np.exceptions.ComplexWarning):
        y = z.astype(float)
    y.sum().backward()
    assert z.grad.tolist() == [1, 1, 1]


@pytest.mark.peers
@pytest.mark.parametrize("name", ["conj", "real", "imag", "exp", "log", "z ** 2.5", "z z*", "prod"])
def test_agrees_with_pytorch(torch, name):
    from .test_against_pytorch import torch_gradients

    theirs = {
        "conj": "conj",
        "real": "real",
        "imag": "imag",
        "exp": "exp",
        "log": "log",
        "prod": lambda torch, z: z.prod(0),
    }
    case = Case(name, ELEMENTWISE[name], (numbers((2, 3)),))
    if name in theirs:
        case = Case(name, ELEMENTWISE[name], (numbers((2, 3)),), theirs[name])
    for order in (1, 2):
        weight, directions = random_weights(case.function, case.arrays, order - 1)
        ours = gradients(case.function, case.arrays, weight, directions)
        for a, b in zip(ours, torch_gradients(torch, case, weight, directions), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
