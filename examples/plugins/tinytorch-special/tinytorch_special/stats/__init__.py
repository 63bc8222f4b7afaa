"""Probability distributions, with the names and arguments of scipy.stats.

Each distribution is a module with functions of Tensors, arrays and numbers, composed of the ops of
this package, so they have derivatives of every order. Arguments broadcast, and float32 stays
float32. Values are those of SciPy, which means NaN for invalid parameters, 0 for a density
outside of the support and -inf for its logarithm; the derivative outside of the support is 0. At an
end of the support, the derivative of a density is NaN unless the density is finite and positive.
Where a probability underflows to 0, its logarithm is -inf, and the derivative of that is NaN or
infinite; only the logarithms of `norm` do not underflow.

The distribution functions of `t`, `chi2`, `gamma` and `beta` have no closed form for the derivative
with respect to a shape (`df`, `a`, `b`): if it requires grad, `backward()` raises
NotImplementedError.

>>> from tinytorch_core import Tensor
>>> from tinytorch_special import stats
>>> stats.norm.logpdf(Tensor([0.0, 1.0]), loc=0.0, scale=2.0)
Tensor([-1.6120857, -1.7370857])
"""

from tinytorch_special.stats import (
    beta,
    chi2,
    dirichlet,
    gamma,
    multivariate_normal,
    norm,
    poisson,
    t,
)

__all__ = [
    "beta",
    "chi2",
    "dirichlet",
    "gamma",
    "multivariate_normal",
    "norm",
    "poisson",
    "t",
]
