"""The checks reject wrong rules of decompositions, products and transforms, each with one mistake.

The mistakes are made in the text of the right rule, so that nothing else differs.
"""

import inspect
import sys
import textwrap

import pytest

from tinytorch_autograd import NotDifferentiableError
from tinytorch_autograd.rules import einsum, fourier, inverses, norms, products, spectra, triangular

from .cases import DESCRIBED
from .checks import check

# The function whose checks must fail, a function of its rule, and what becomes what in its text.
MISTAKES = {
    "solve: not transposed": ("linalg.solve", inverses.solve_by_right, "a.mT, grad)", "a, grad)"),
    "solve: sign": ("linalg.solve", inverses.solve_by_matrix, "-by_b @", "by_b @"),
    "det: not transposed": (
        "linalg.det",
        inverses.cofactors,
        "np.linalg.inv(x).mT",
        "np.linalg.inv(x)",
    ),
    "adjugate: factor": ("linalg.det", inverses.adjugate, "trace / k", "trace / (k + 1)"),
    "slogdet: sign of the phase": ("linalg.slogdet", inverses.slogdet_rule, "+ 1j", "- 1j"),
    "pinv: a term left out": ("linalg.pinv", inverses.pinv_rule, "ppg - (ppg @ p) @ a", "0"),
    "pinv: not conjugated": ("linalg.pinv", inverses.pinv_rule, "adjoint(grad)", "grad.mT"),
    "cholesky: whole diagonal": ("linalg.cholesky", triangular.upper_half, "/ 2", "/ 1.5"),
    "qr: sign": ("linalg.qr", triangular.square_qr, "- adjoint(q)", "+ adjoint(q)"),
    "qr: not conjugated": ("linalg.qr", triangular.square_qr, "adjoint(q)", "q.mT"),
    "qr: wide": ("linalg.qr", triangular.qr_rule, "by_q + a[", "by_q - a["),
    "eigh: gaps reversed": (
        "linalg.eigh",
        spectra.eigh_rule,
        "values[..., None, :] - values[..., None]",
        "values[..., None] - values[..., None, :]",
    ),
    "eigh: not conjugated": (
        "linalg.eigh",
        spectra.eigh_rule,
        "@ adjoint(vectors))",
        "@ vectors.mT)",
    ),
    "eig: lengths": ("linalg.eig", spectra.eig_rule, "* lengths", "* 2 * lengths"),
    "eig: not conjugated": ("linalg.eig", spectra.eig_rule, "conj(values", "(values"),
    "svd: sides exchanged": (
        "linalg.svd",
        spectra.turning,
        "left * columns + rows * right",
        "left * rows + columns * right",
    ),
    "svd: phase": ("linalg.svd", spectra.turning, "/ 2, s", ", s"),
    "svd: outside": ("linalg.svd", spectra.svd_rule, "by_u - u @ left", "by_u"),
    "norm: exponent": ("linalg.vector_norm", norms.vector_norm_rule, "ord - 1", "ord"),
    "norm: not conjugated": ("linalg.vector_norm", norms.vector_norm_rule, "conj(x)", "x"),
    "norm: axes": (
        "linalg.matrix_norm",
        norms.norm_of_matrices,
        "-2 if abs(ord)",
        "-1 if abs(ord)",
    ),
    "fft: inverse": ("fft.fft", fourier.fft_rule, "np.fft.fft(", "np.fft.ifft("),
    "fft: axis": ("fft.ifft", fourier.ifft_rule, "None, axis", "None, 0"),
    "irfft: weights": ("fft.irfft", fourier.irfft_rule, "weights[0] = 1", "weights[0] = 2"),
    "hfft: not conjugated": ("fft.hfft", fourier.hfft, "np.conjugate(a)", "a"),
    "convolve: not reversed": ("convolve", products.convolve_rule, "[::-1]", "[::1]"),
    "convolve: start": ("convolve", products.convolve_rule, "(shorter - 1) // 2", "shorter // 2"),
    "multi_dot: order": ("linalg.multi_dot", products.multi_dot_rule, "insert(0, ", "append("),
    "vdot: not conjugated": ("vdot", products.vdot, "np.conjugate(np.ravel(a))", "np.ravel(a)"),
    "einsum: on the diagonal": ("einsum", einsum._restore, "np.eye(", "1 + 0 * np.eye("),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_rule_is_rejected(mistake, monkeypatch):
    name, function, right, wrong = MISTAKES[mistake]
    function = inspect.unwrap(function)
    text = textwrap.dedent(inspect.getsource(function))
    assert right in text
    text = text[text.index("def ") :].replace(right, wrong)
    names = dict(vars(sys.modules[function.__module__]))
    exec(compile(text, "a wrong rule", "exec"), names)
    # The function itself is changed: it is held by name, by the table and by other functions.
    monkeypatch.setattr(function, "__code__", names[function.__name__].__code__)
    with pytest.raises((AssertionError, ValueError, NotDifferentiableError)):
        check_all(name)


def check_all(name):
    for described in DESCRIBED:
        if described.name == name:
            for case in (*described.cases(), *described.complex_cases()):
                check(case)
