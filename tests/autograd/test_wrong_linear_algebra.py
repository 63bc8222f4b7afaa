"""The checks reject wrong rules of decompositions, products and transforms, each with one mistake.

A mistake wraps one function of a rule and changes its arguments or its result, or replaces it.
"""

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd import NotDifferentiableError
from tinytorch_autograd.node import functions
from tinytorch_autograd.rules import einsum, fourier, inverses, norms, products, spectra, triangular

from .cases import DESCRIBED
from .checks import check


def conjugation_left_out(conj):
    return lambda x: x


def adjoint_not_conjugated(adjoint):
    return lambda x: x.mT


def negated(function):
    return lambda *args: -function(*args)


def scaled(function):
    return lambda *args: function(*args) * 1.25


def left_out(function):
    return lambda *args: 0 * function(*args)


def first_negated(function):
    def wrong(*args):
        first, *others = function(*args)
        return [-first, *others]

    return wrong


def off_diagonal(function):
    def wrong(*args):
        x = function(*args)
        return x * (1 - np.eye(x.shape[-1]))

    return wrong


def ones_for_identities(add_missing_axes):
    def wrong(term, factor_terms, factors, lengths):
        given = len(factors)
        axes = add_missing_axes(term, factor_terms, factors, lengths)
        factors[given:] = [np.ones_like(unwrap(x)) for x in factors[given:]]
        return axes

    return wrong


# The function whose checks must fail, the module and name of a function of its rule, and what the
# mistake makes of that function.
MISTAKES = {
    "solve: not transposed": (
        "linalg.solve",
        inverses,
        "solve_by_right",
        lambda right: lambda grad, a, b: right(grad, a.mT, b),
    ),
    "solve: sign": ("linalg.solve", inverses, "solve_by_matrix", negated),
    "det: not transposed": (
        "linalg.det",
        inverses,
        "cofactors",
        lambda right: lambda det, x: right(det, x).mT,
    ),
    "adjugate: transposed": (
        "linalg.det",
        inverses,
        "adjugate",
        lambda right: lambda x: right(x).mT,
    ),
    "slogdet: sign of the phase": (
        "linalg.slogdet",
        inverses,
        "slogdet_rule",
        lambda right: lambda grads, outs, a: right(sign_negated(grads), outs, a),
    ),
    "pinv: only the term of inv": (
        "linalg.pinv",
        inverses,
        "pinv_rule",
        lambda right: lambda grad, out, a: -out.mT @ grad @ out.mT,
    ),
    "pinv: not conjugated": ("linalg.pinv", inverses, "adjoint", adjoint_not_conjugated),
    "cholesky: diagonal": ("linalg.cholesky", triangular, "upper_half", scaled),
    "cholesky: whole diagonal": (
        "linalg.cholesky",
        triangular,
        "upper_half",
        lambda right: lambda x: x * np.triu(np.ones(x.shape[-2:])),
    ),
    "qr: sign": (
        "linalg.qr",
        triangular,
        "square_qr",
        lambda right: lambda by_q, by_r, q, r: right(by_q, -by_r, q, r),
    ),
    "qr: not conjugated": ("linalg.qr", triangular, "adjoint", adjoint_not_conjugated),
    "qr: wide": (
        "linalg.qr",
        triangular,
        "qr_rule",
        lambda right: lambda grads, outs, a, mode: right(grads, outs, a * wide_signs(a), mode),
    ),
    "eigh: gaps reversed": (
        "linalg.eigh",
        spectra,
        "divide_by_gaps",
        lambda right: lambda x, gaps, equal: right(x, -gaps, equal),
    ),
    "eigh: not conjugated": ("linalg.eigh", spectra, "adjoint", adjoint_not_conjugated),
    "eig: lengths": (
        "linalg.eig",
        spectra,
        "keep_lengths",
        lambda right: lambda rotation, vectors: rotation,
    ),
    "eig: not conjugated": ("linalg.eig", spectra, "conj", conjugation_left_out),
    "svd: sides exchanged": (
        "linalg.svd",
        spectra,
        "rotation_of_singular_vectors",
        lambda right: lambda left, other, *values: right(other, left, *values),
    ),
    "svd: phase": ("linalg.svd", spectra, "rotation_of_singular_vectors", off_diagonal),
    "svd: outside": ("linalg.svd", spectra, "divide_by_values", left_out),
    "norm: exponent": (
        "linalg.vector_norm",
        norms,
        "power",
        lambda right: lambda ratio, exponent: right(ratio, exponent + 1),
    ),
    "norm: not conjugated": ("linalg.vector_norm", norms, "conj", conjugation_left_out),
    "norm: axes": (
        "linalg.matrix_norm",
        norms,
        "norm_of_matrices",
        lambda right: lambda x, ord, axes, keepdims: right(x, ord, axes[::-1], keepdims),
    ),
    "fft: inverse": ("fft.fft", fourier, "fft_rule", lambda right: fourier.ifft_rule),
    "fft: axis": (
        "fft.ifft",
        fourier,
        "ifft_rule",
        lambda right: lambda grad, a_shape, axis, norm: right(grad, a_shape, 0, norm),
    ),
    "irfft: weights": (
        "fft.irfft",
        fourier,
        "half_weights",
        lambda right: lambda length, dtype: np.full(length // 2 + 1, 2, dtype),
    ),
    "hfft: not conjugated": (
        "fft.hfft",
        fourier,
        "hfft",
        lambda right: lambda a, n=None, axis=-1, norm=None: right(a.conj(), n, axis, norm),
    ),
    "convolve: not reversed": (
        "convolve",
        products,
        "convolve_rule",
        lambda right: lambda grad, x, y, mode: right(grad, x, y.reshape(-1)[::-1], mode),
    ),
    "convolve: start": (
        "convolve",
        products,
        "full_range",
        lambda right: lambda grad, start, length: right(grad, max(start - 1, 0), length),
    ),
    "multi_dot: sign": ("linalg.multi_dot", products, "multi_dot_rule", first_negated),
    "vdot: not conjugated": (
        "vdot",
        products,
        "vdot",
        lambda right: lambda a, b: np.conjugate(right(a, np.conjugate(b))),
    ),
    "einsum: on the diagonal": ("einsum", einsum, "add_missing_axes", ones_for_identities),
}


def wide_signs(a):
    """Return 1 for the square part of a matrix and -1 for the columns after it."""
    return np.where(np.arange(a.shape[-1]) < a.shape[-2], 1, -1)


def sign_negated(grads):
    by_sign, by_log = grads
    return None if by_sign is None else -by_sign, by_log


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_rule_is_rejected(mistake, monkeypatch):
    name, module, attribute, make_wrong = MISTAKES[mistake]
    differentiate_all(name)
    right = getattr(module, attribute)
    replace(right, make_wrong(right), module, monkeypatch)
    with pytest.raises((AssertionError, ValueError, NotDifferentiableError)):
        check_all(name)


def replace(right, wrong, module, monkeypatch):
    """Replace a function in its module, in the rules of nodes and among the compositions."""
    monkeypatch.setattr(module, right.__name__, wrong)
    compositions = module.family.compositions
    rules = [kind().gradients.__globals__ for kind in functions.values()]
    for names in (compositions, *rules):
        for key, value in list(names.items()):
            if value is right:
                monkeypatch.setitem(names, key, wrong)


def differentiate_all(name):
    """Differentiate all calls: the rules that `replace` changes are created on first use."""
    for described in DESCRIBED:
        for case in described.cases() if described.name == name else ():
            out = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
            out.backward(np.ones(out.shape))


def check_all(name):
    """Run the checks of `test_numpy_functions.py`, which the right rules pass."""
    for described in DESCRIBED:
        if described.name == name:
            for case in described.cases():
                check(case, range(1, described.order + 1), described.float32)
            for case in described.complex_cases():
                check(case)
