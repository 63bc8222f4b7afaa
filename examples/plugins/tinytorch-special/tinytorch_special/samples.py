"""Descriptions for the conformance kit; most references are the functions of SciPy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy

from tinytorch_devkit import Call, Samples, call
from tinytorch_special.family import Array
from tinytorch_special.integrate import TRACKED, Problem

Interval = tuple[float, float]

# SciPy's ufuncs compute each element on its own, so a few thousand take the place of a million.
_ELEMENTS = 4096

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
    **dict.fromkeys(("gamma", "gammaln", "rgamma", "digamma", "poch", "beta", "betaln"), _POSITIVE),
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
    "yn": [call(n, _X) for n in (0, 1, 3)],
    "stdtr": [call(df, _X - 1.5) for df in (0.7, 4)],
    **{name: [call(a, _X) for a in (0.7, 1.0, 3.5)] for name in ("gammainc", "gammaincc")},
    **{name: [call(a, _Y) for a in (0.7, 1.0, 3.5)] for name in ("gammaincinv", "gammainccinv")},
    **{
        name: [call(a, b, _Y) for a, b in ((0.7, 1.3), (2.0, 3.5))]
        for name in ("betainc", "betaincc", "betaincinv")
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

# Functions that SciPy writes in Python or Fortran; the others are ufuncs.
_CONVERTING = [
    f"special_{name}"
    for name in ("logsumexp", "sqrtm", "solve_sylvester", "solve_banded", "convolve", "odeint")
]

_SIGNED = np.array([-3.0, -0.5, 0.4, 2.5])


def describe(samples: Samples) -> None:
    """Describe every op of this plugin."""
    for check in ("takes_half_precision", "keeps_half_precision_of_gradients"):
        samples.leave_out(check, "SciPy has no functions of float16 and returns wider numbers")
    for name, domain in _DOMAINS.items():
        function = getattr(scipy.special, name)
        samples.add(f"special_{name}", function, domain=domain, largest=_ELEMENTS)
    for name, calls in {**_WITH_CONSTANTS, **_WITH_PARAMETERS}.items():
        samples.add(f"special_{name}", getattr(scipy.special, name), calls=calls)
    for name in ("i0e", "i1e"):  # not differentiable at 0
        function = getattr(scipy.special, name)
        samples.add(f"special_{name}", function, kinks=[0], largest=_ELEMENTS)
    deltas = np.array([1.0, 1.5, 0.8, 2.0])  # not close to |r|, where ∂/∂delta has a kink
    samples.add("special_huber", scipy.special.huber, calls=[call(deltas, _SIGNED)])
    for name in ("pdtr", "pdtrc"):  # whole numbers are where the functions of k jump
        calls = [call(np.array([0.5, 1.5, 4.5, 9.5]), _X), call(3, _X)]
        samples.add(f"special_{name}", getattr(scipy.special, name), calls=calls, stepwise=["k"])
    _multigammaln(samples)
    _matrices(samples)
    _convolutions(samples)
    _differential_equations(samples)
    _invalid_arguments(samples)


def _multigammaln(samples: Samples) -> None:
    dimensions = [{"d": 1}, {"d": 4}]
    reference = scipy.special.multigammaln
    samples.add("special_multigammaln", reference, domain=(2.1, 5), parameters=dimensions)


def _matrices(samples: Samples) -> None:
    square = np.array([[2.5, 0.3, -0.4], [0.1, 1.5, 0.6], [-0.2, 0.7, 3.0]])
    # The reference solves the equation as a linear system of the elements of X.
    samples.add("special_sqrtm", scipy.linalg.sqrtm, calls=[call(square), call(square[:1, :1])])
    samples.add(
        "special_solve_sylvester",
        lambda a, b, q: np.linalg.solve(
            np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b.T), q.ravel()
        ).reshape(q.shape),
        calls=[call(square, square[:2, :2] + 1, _A.T), call(square[:1, :1], square, _A[:1])],
    )
    ab = np.array([[0.0, 0.2, -0.3, 0.6], [2.0, 3.0, -2.5, 1.8], [0.4, -0.5, 0.7, 0.0]])
    samples.add(
        "special_solve_banded",
        lambda l_and_u, ab, b: np.linalg.solve(_dense(l_and_u, ab), b),
        calls=[
            call((1, 1), ab, _X),
            call((0, 2), ab[[0, 0, 1]], _X),
            call((2, 0), ab[[1, 2, 2]], np.stack([_X, _X**2], axis=-1)),
        ],
    )
    samples.refuse("special_solve_banded", TypeError, "l_and_u", (0.5, 1.5), ab, _X)
    samples.refuse("special_solve_banded", ValueError, "l_and_u", (-1, 3), ab, _X)


def _dense(l_and_u: tuple[int, int], ab: Array) -> Array:
    """Return the matrix with the diagonals `ab`."""
    below, above = l_and_u
    n = ab.shape[1]
    rows, columns = np.indices((n, n))
    inside = (rows - columns >= -above) & (rows - columns <= below)
    return np.where(inside, ab[(above + rows - columns) % len(ab), columns], 0)


def _convolutions(samples: Samples) -> None:
    options = [{"mode": mode} for mode in ("full", "same", "valid")]
    samples.add(
        "special_convolve",
        scipy.signal.convolve,
        calls=[
            *(call(_X, _B, **option) for option in options),
            *(call(_B, _X, **option) for option in options),
            *(call(_A, _Y, **option) for option in options),
            call(_A, _Y, method="fft"),
        ],
    )
    samples.refuse("special_convolve", ValueError, "mode", _X, _B, mode="half")
    samples.refuse("special_convolve", ValueError, "method", _X, _B, method="guess")


def _differential_equations(samples: Samples) -> None:
    tight = {"rtol": 1e-12, "atol": 1e-12}
    rotation = Problem(_rotation, (TRACKED,), False, tight)
    times = np.array([0.2, 0.5, 1.1])
    samples.add(
        "special_odeint",
        lambda y0, t, rate, problem: np.stack([_rotated(y0, rate * (s - t[0])) for s in t]),
        calls=[call(np.array([1.0, 0.5]), times, np.array(0.7), problem=rotation)],
    )
    reason = "the tests of integrate solve other problems"
    samples.leave_out("varies_every_parameter", reason, "special_odeint")


def _rotation(y: Array, t: Array, rate: Array) -> Array:
    return rate * y[::-1] * np.array([-1.0, 1.0])


def _rotated(y: Array, angle: float) -> Array:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([cos * y[0] - sin * y[1], sin * y[0] + cos * y[1]])


def _invalid_arguments(samples: Samples) -> None:
    for name, parameter in (("polygamma", "n"), ("expn", "n")):
        samples.refuse(f"special_{name}", TypeError, parameter, 1.5, _X)
        samples.refuse(f"special_{name}", ValueError, parameter, -1, _X)
    samples.refuse("special_multigammaln", TypeError, "d", d=1.5)
    samples.refuse("special_multigammaln", ValueError, "d", d=0)
    samples.refuse("special_multigammaln", ValueError, "a > 0.5", np.array([0.5]), d=2)
    for check in ("takes_any_array", "differentiates_any_array"):
        samples.leave_out(check, "SciPy converts its arguments to ndarrays", *_CONVERTING)
    reason = "SciPy calls the function that is integrated, with ndarrays"
    samples.leave_out("can_be_compiled", reason, "special_odeint")
    samples.refuse("special_logsumexp", ValueError, "axis", _A, 2)
    samples.refuse("special_gamma", TypeError, "complex", np.array([1j]))
