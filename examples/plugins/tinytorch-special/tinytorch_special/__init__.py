"""SciPy's special functions for the TinyTorch Tensor, with derivatives of every order.

The modules `stats`, `signal`, `linalg` and `integrate` contain functions of the modules of SciPy
with these names.

Each function has SciPy's name and arguments and takes Tensors, arrays and numbers. float32 and
float64 inputs keep their dtype; integers become float64 and float16 becomes float32. `erf`, `erfc`,
`erfcx`, `erfi`, `dawsn` and the functions of `signal` and `linalg` take complex numbers too; in the
others they raise TypeError.

Each docstring states the derivative that the rule computes. DLMF is the NIST Digital Library of
Mathematical Functions, https://dlmf.nist.gov; A&S is Abramowitz & Stegun, Handbook of Mathematical
Functions, 1964.

>>> import tinytorch_special as special
>>> from tinytorch_core import Tensor
>>> special.gammaln(Tensor([1.0, 10.0]))
Tensor([ 0.      , 12.801827])
"""

from __future__ import annotations

import importlib
from typing import Any

# Imported before the modules of this package: importing the core imports the active plugins,
# including this one.
import tinytorch_core  # noqa: F401

from tinytorch_special.bessel import (
    i0,
    i0e,
    i1,
    i1e,
    iv,
    ive,
    j0,
    j1,
    jn,
    jv,
    k0,
    k0e,
    k1,
    k1e,
    kv,
    kve,
    y0,
    y1,
    yn,
    yv,
)
from tinytorch_special.distribution_functions import pdtr, pdtrc, stdtr
from tinytorch_special.elementary import cbrt, cosm1, exp2, exp10, expm1, log1p, wrightomega
from tinytorch_special.entropy import (
    entr,
    huber,
    kl_div,
    pseudo_huber,
    rel_entr,
    xlog1py,
    xlogy,
)
from tinytorch_special.error_functions import (
    dawsn,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfi,
    erfinv,
    log_ndtr,
    ndtr,
    ndtri,
)
from tinytorch_special.gamma_functions import (
    beta,
    betainc,
    betaincc,
    betaincinv,
    betaln,
    digamma,
    gamma,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    multigammaln,
    poch,
    polygamma,
    psi,
    rgamma,
    zeta,
)
from tinytorch_special.hypergeometric import ellipe, ellipk, hyp0f1, hyp1f1, hyp2f1, hyperu
from tinytorch_special.integrals import exp1, expi, expn, spence
from tinytorch_special.logistic import expit, log_expit, logit, logsumexp

__all__ = [
    "beta",
    "betainc",
    "betaincc",
    "betaincinv",
    "betaln",
    "cbrt",
    "cosm1",
    "dawsn",
    "digamma",
    "ellipe",
    "ellipk",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfi",
    "erfinv",
    "exp1",
    "exp2",
    "exp10",
    "expi",
    "expit",
    "expm1",
    "expn",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "gammaln",
    "huber",
    "hyp0f1",
    "hyp1f1",
    "hyp2f1",
    "hyperu",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "integrate",
    "iv",
    "ive",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kl_div",
    "kv",
    "kve",
    "linalg",
    "log1p",
    "log_expit",
    "log_ndtr",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "pdtr",
    "pdtrc",
    "poch",
    "polygamma",
    "pseudo_huber",
    "psi",
    "rel_entr",
    "rgamma",
    "signal",
    "spence",
    "stats",
    "stdtr",
    "wrightomega",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "yn",
    "yv",
    "zeta",
]

_MODULES = ("integrate", "linalg", "signal", "stats")


def __getattr__(name: str) -> Any:
    """Import a module on first use: TinyTorch starts without `stats`, which has no ops."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
