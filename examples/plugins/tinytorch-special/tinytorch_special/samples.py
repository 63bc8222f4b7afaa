"""Descriptions for the conformance kit; the references are the functions of scipy.special."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy

from tinytorch_devkit import Call, Samples, call

Interval = tuple[float, float]

_EVERYWHERE = (-3.0, 3.0)
_POSITIVE = (0.3, 4.0)
_UNIT = (0.05, 0.95)

# Functions with a derivative for every input, and the interval from which inputs are drawn.
_DOMAINS: Mapping[str, Interval] = {
    **dict.fromkeys(("erf", "erfc", "erfcx", "dawsn", "ndtr", "log_ndtr"), _EVERYWHERE),
    "erfi": (-2, 2),
    "erfinv": (-0.95, 0.95),
    "erfcinv": (0.05, 1.95),
    "ndtri": _UNIT,
    **dict.fromkeys(("gamma", "gammaln", "digamma", "beta", "betaln"), _POSITIVE),
    **dict.fromkeys(("j0", "j1", "i0", "i1"), _EVERYWHERE),
    **dict.fromkeys(("y0", "y1", "k0", "k1", "k0e", "k1e"), (0.5, 5)),
    **dict.fromkeys(("expit", "log_expit"), _EVERYWHERE),
    "logit": _UNIT,
    "entr": _POSITIVE,
    **dict.fromkeys(("xlogy", "xlog1py", "rel_entr", "kl_div", "pseudo_huber"), _POSITIVE),
    **dict.fromkeys(("exp1", "expi", "spence"), (0.4, 4)),
    **dict.fromkeys(("ellipk", "ellipe"), (-2, 0.8)),
    "cbrt": (0.3, 4),
    "log1p": (-0.8, 3),
    **dict.fromkeys(("exp2", "exp10", "expm1", "cosm1", "wrightomega"), (-2, 2)),
}

_X = np.array([0.6, 1.1, 1.9, 3.2])
_Y = np.array([[0.15, 0.4], [0.62, 0.85]])

# Functions without a derivative for their first arguments: these are untracked numbers here.
_WITH_CONSTANTS: Mapping[str, list[Call]] = {
    **{name: [call(v, _X) for v in (0, 1, 2.5)] for name in ("jv", "yv", "iv", "ive", "kv", "kve")},
    **{name: [call(a, _X) for a in (0.7, 1.0, 3.5)] for name in ("gammainc", "gammaincc")},
    **{name: [call(a, _Y) for a in (0.7, 1.0, 3.5)] for name in ("gammaincinv", "gammainccinv")},
    **{
        name: [call(a, b, _Y) for a, b in ((0.7, 1.3), (2.0, 3.5))]
        for name in ("betainc", "betaincinv")
    },
    "zeta": [call(1.5, _X), call(4.0, _X)],
    "hyp0f1": [call(1.5, _X), call(2, -_X)],
    "hyp1f1": [call(0.5, 1.5, _X), call(2, 3, -_X)],
    "hyperu": [call(0.5, 1.5, _X), call(2, 3, _X)],
    "hyp2f1": [call(0.5, 1.5, 2.5, _Y), call(1, 2, 3, -_X)],
}

_A = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
_B = np.array([0.5, 2.0, 1.25])

# Functions with parameters among their inputs: an order before the input, an axis between two.
_WITH_PARAMETERS: Mapping[str, list[Call]] = {
    "polygamma": [call(n, _X) for n in (0, 1, 3)],
    "expn": [call(n, _X) for n in (0, 1, 3)],
    "logsumexp": [
        call(_A),
        call(_A, 0),
        call(_A, axis=(-1, 0), keepdims=True),
        call(_A, 1, _B),
        call(_B, 0, np.exp(_A)),
        call(np.array(0.5)),
        call(np.array([-math.inf, 0.5]), None, _B[:2]),
    ],
}

_SIGNED = np.array([-3.0, -0.5, 0.4, 2.5])


def describe(samples: Samples) -> None:
    """Describe every op of this plugin."""
    for name, domain in _DOMAINS.items():
        samples.add(f"special_{name}", getattr(scipy.special, name), domain=domain)
    for name, calls in {**_WITH_CONSTANTS, **_WITH_PARAMETERS}.items():
        samples.add(f"special_{name}", getattr(scipy.special, name), calls=calls)
    for name in ("i0e", "i1e"):  # not differentiable at 0
        samples.add(f"special_{name}", getattr(scipy.special, name), kinks=[0])
    deltas = np.array([1.0, 1.5, 0.8, 2.0])  # not close to |r|, where ∂/∂delta has a kink
    samples.add("special_huber", scipy.special.huber, calls=[call(deltas, _SIGNED)])
    _multigammaln(samples)
    _invalid_arguments(samples)


def _multigammaln(samples: Samples) -> None:
    dimensions = [{"d": 1}, {"d": 4}]
    reference = scipy.special.multigammaln
    samples.add("special_multigammaln", reference, domain=(2.1, 5), parameters=dimensions)


def _invalid_arguments(samples: Samples) -> None:
    for name, parameter in (("polygamma", "n"), ("expn", "n")):
        samples.refuse(f"special_{name}", TypeError, parameter, 1.5, _X)
        samples.refuse(f"special_{name}", ValueError, parameter, -1, _X)
    samples.refuse("special_multigammaln", TypeError, "d", d=1.5)
    samples.refuse("special_multigammaln", ValueError, "d", d=0)
    samples.refuse("special_multigammaln", ValueError, "a > 0.5", np.array([0.5]), d=2)
    samples.refuse("special_logsumexp", ValueError, "axis", _A, 2)
    samples.refuse("special_erf", TypeError, "complex", np.array([1j]))
