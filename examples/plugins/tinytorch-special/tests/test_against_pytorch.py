"""Values and first derivatives, compared with the functions of torch.special."""

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_special as special

pytestmark = pytest.mark.peers

REAL = np.array([-2.5, -0.7, 0.2, 1.9])
POSITIVE = np.array([0.3, 0.9, 1.7, 4.2])
UNIT = np.array([0.05, 0.3, 0.6, 0.97])


@pytest.mark.parametrize(
    ("name", "theirs", "arrays"),
    [
        ("erf", "erf", [REAL]),
        ("erfc", "erfc", [REAL]),
        ("erfcx", "erfcx", [REAL]),
        ("erfinv", "erfinv", [UNIT]),
        ("ndtr", "ndtr", [REAL]),
        ("log_ndtr", "log_ndtr", [REAL]),
        ("ndtri", "ndtri", [UNIT]),
        ("gammaln", "gammaln", [POSITIVE]),
        ("digamma", "digamma", [POSITIVE]),
        ("expit", "expit", [REAL]),
        ("logit", "logit", [UNIT]),
        ("i0", "i0", [REAL]),
        ("i0e", "i0e", [REAL]),
        ("i1", "i1", [REAL]),
        ("i1e", "i1e", [REAL]),
        ("entr", "entr", [POSITIVE]),
        ("xlogy", "xlogy", [REAL, POSITIVE]),
        ("xlog1py", "xlog1py", [REAL, POSITIVE]),
        ("exp2", "exp2", [REAL]),
        ("expm1", "expm1", [REAL]),
        ("log1p", "log1p", [POSITIVE]),
    ],
)
def test_agrees(torch, name, theirs, arrays):
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    y = getattr(special, name)(*ours)
    y.sum().backward()
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    z = getattr(torch.special, theirs)(*others)
    z.sum().backward()
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9)
    for mine, other in zip(ours, others, strict=True):
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-9)


def test_multigammaln_agrees(torch):
    x = np.array([1.6, 2.5, 7.0])
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    special.multigammaln(ours, 3).sum().backward()
    torch.special.multigammaln(theirs, 3).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12)
