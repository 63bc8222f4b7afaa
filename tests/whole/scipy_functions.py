"""Calls functions of SciPy with Tensors, and prints what becomes of them; see test_array_api.py.

A program of its own, because SciPy reads SCIPY_ARRAY_API when it is imported. Each function is
compared with its result for arrays, and each derivative with differences of values. Names in the
arguments select functions; without arguments it runs all. It prints JSON: a list of functions for
each outcome, and why a function is not differentiable.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["SCIPY_ARRAY_API"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "plugins" / "tinytorch-special"))

import numpy as np
from scipy import (
    constants,
    differentiate,
    fft,
    integrate,
    linalg,
    ndimage,
    optimize,
    signal,
    special,
    stats,
)
from scipy.cluster import vq
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation

from tinytorch_core import Tensor, plugins

import tinytorch_special.plugin
from tinytorch_autograd import func

random = np.random.default_rng(0)
V, W, K = random.normal(size=8), random.normal(size=8), random.normal(size=3)
P, Q = random.uniform(0.2, 0.9, size=8), random.uniform(0.7, 1.4, size=8)
M, N, QUATERNIONS = (random.normal(size=shape) for shape in ((5, 4), (5, 4), (3, 4)))
LONG = np.concatenate([P, Q, W])
INCREASING = np.sort(random.normal(size=8))

CASES = {}  # by name: the function, and the arguments that have derivatives


def add(module, names, *arrays, of=lambda f, *arrays: f(*arrays)):
    """Add functions of a module, each called by `of` with the arrays."""
    for name in names.split():
        function = getattr(module, name)

        def case(*arrays, function=function):
            return of(function, *arrays)

        CASES[f"{module.__name__.removeprefix('scipy.')}.{name}"] = case, arrays


def constant(x, *values):
    """Return numbers in the namespace of an argument."""
    return np.asarray(values) if isinstance(x, np.ndarray) else Tensor(np.asarray(values))


add(
    special,
    "cbrt cosdg cosm1 digamma ellipk ellipkm1 entr erf erfc erfcx erfinv exp1 exp10 exp2 expi expit"
    " expm1 exprel gamma gammaln i0 i0e i1 i1e j0 j1 k0 k1 log1p log_ndtr logit ndtr ndtri psi"
    " rgamma sindg spence y0 y1 zetac",
    P,
)
add(
    special,
    "betaln binom boxcox chdtr chdtrc gammainc gammaincc gammaincinv huber inv_boxcox kl_div pdtr"
    " poch pseudo_huber rel_entr stdtr xlog1py xlogy zeta",
    P,
    Q,
)
add(special, "betainc fdtr gdtr hyp1f1", P, Q, P)
add(special, "logsumexp softmax log_softmax", M, of=lambda f, x: f(x, axis=-1))
add(
    stats,
    "circmean circstd circvar differential_entropy entropy gmean gstd gzscore hmean iqr kstat"
    " kstatvar kurtosis lmoment median_abs_deviation sem skew tmax tmean tmin tsem tstd tvar"
    " variation zscore",
    P,
)
add(stats, "moment pmean", P, of=lambda f, x: f(x, 3))
add(stats, "trim_mean", P, of=lambda f, x: f(x, 0.2))
add(stats, "sigmaclip", P, of=lambda f, x: f(x).clipped)
add(stats, "quantile", P, of=lambda f, x: f(x, constant(x, 0.3)[0]))
add(stats, "describe", P, of=lambda f, x: f(x).variance)
add(stats, "zmap", P, Q)
add(stats, "directional_stats", M, of=lambda f, x: f(x).mean_direction)
add(stats, "boxcox_llf yeojohnson_llf", P, of=lambda f, x: f(0.4, x))
add(
    stats,
    "jarque_bera kurtosistest normaltest skewtest combine_pvalues",
    P,
    of=lambda f, x: f(x).statistic,
)
add(stats, "ttest_1samp", P, of=lambda f, x: f(x, 0.1).statistic)
add(stats, "pearsonr ttest_ind ttest_rel", P, Q, of=lambda f, x, y: f(x, y).statistic)
add(
    stats,
    "chisquare power_divergence",
    P,
    Q,
    of=lambda f, x, y: f(x, y / y.sum() * x.sum()).statistic,
)
add(
    stats,
    "alexandergovern bartlett f_oneway levene",
    P,
    Q,
    W,
    of=lambda f, x, y, z: f(x, y, z).statistic,
)
add(signal, "fftconvolve oaconvolve", V, K)
add(signal, "convolve correlate", V, K, of=lambda f, x, y: f(x, y, method="fft"))
add(signal, "hilbert", V, of=lambda f, x: abs(f(x)))
add(signal, "gauss_spline resample", V, of=lambda f, x: f(x, 4))
add(signal, "envelope", V, of=lambda f, x: f(x)[0])
add(signal, "freqz", K, of=lambda f, x: abs(f(x, constant(x, 1.0), worN=4)[1]))
add(signal, "freqz_zpk", K, of=lambda f, x: abs(f(x, x / 2, constant(x, 1.0), worN=4)[1]))
add(signal, "lp2lp", K, K + 3, of=lambda f, b, a: f(b, a, 2.0)[0])
add(signal, "vectorstrength", V, of=lambda f, x: f(x, constant(x, 2.0)[0])[0])
add(signal, "detrend medfilt", V)
add(signal, "lfilter", V, of=lambda f, x: f(constant(x, 1.0, 2.0), constant(x, 1.0), x))
add(integrate, "trapezoid cumulative_trapezoid", V, INCREASING)
add(integrate, "cumulative_simpson romb", LONG[:9], of=lambda f, x: f(x, dx=0.5))
add(
    integrate,
    "cubature",
    P[:2],
    of=lambda f, a: (
        f(lambda t: np.exp(-t @ a), constant(a, 0.0, 0.0), constant(a, 1.0, 1.0)).estimate
    ),
)
add(
    integrate,
    "tanhsinh",
    P,
    of=lambda f, a: f(lambda t, a: np.exp(-a * t * t), a * 0, a * 0 + 1, args=(a,)).integral,
)
add(fft, "fft ifft rfft ihfft", V, of=lambda f, x: abs(f(x)))
add(fft, "fft2 fftn ifftn rfftn", M, of=lambda f, x: abs(f(x)))
add(fft, "fftshift hfft irfft", V)
add(fft, "irfftn", M)
add(fft, "fht", V, of=lambda f, x: f(x, 0.1, 0.2))
add(fft, "dct", V)
add(differentiate, "derivative", P, of=lambda f, x: f(np.sin, x).df)
add(differentiate, "jacobian", P[:2], of=lambda f, x: f(lambda v: v**3, x).df)
add(differentiate, "hessian", P[:2], of=lambda f, x: f(lambda v: v[0] ** 3 * v[1] ** 2, x).ddf)
add(optimize, "rosen rosen_der rosen_hess", V)
add(optimize, "rosen_hess_prod", V, W)
add(
    elementwise,
    "find_root",
    P,
    of=lambda f, a: f(lambda x, a: x * x - a, (a * 0, a * 0 + 2), args=(a,)).x,
)
add(ndimage, "gaussian_filter", M, of=lambda f, x: f(x, 1.0))
add(vq, "whiten", M)
add(linalg, "block_diag", M, N)
add(linalg, "orthogonal_procrustes", M, N, of=lambda f, a, b: f(a, b)[0])
add(linalg, "fiedler", V)
add(constants, "lambda2nu nu2lambda", P)
add(constants, "convert_temperature", P, of=lambda f, x: f(x, "Celsius", "Kelvin"))

for name in ("as_matrix", "as_rotvec", "as_mrp", "inv", "magnitude", "mean"):

    def convert(x, name=name):
        """Return the array that a method of a rotation returns."""
        found = getattr(Rotation.from_quat(x), name)()
        return found.as_quat() if isinstance(found, Rotation) else found

    CASES[f"Rotation.{name}"] = convert, (QUATERNIONS,)
CASES |= {
    "Rotation.as_euler": (lambda x: Rotation.from_quat(x).as_euler("xyz"), (QUATERNIONS,)),
    "Rotation.apply": (lambda x, v: Rotation.from_quat(x).apply(v), (QUATERNIONS, M[:3, :3])),
    "Rotation.from_rotvec": (lambda x: Rotation.from_rotvec(x).as_quat(), (M[:, :3],)),
    "Rotation.from_euler": (lambda x: Rotation.from_euler("xyz", x).as_matrix(), (M[:, :3],)),
    "Rotation.from_mrp": (lambda x: Rotation.from_mrp(x).as_matrix(), (M[:, :3],)),
    "RigidTransform.from_translation": (
        lambda x, v: RigidTransform.from_translation(x).apply(v),
        (M[:, :3], N[:, :3]),
    ),
    "RigidTransform.from_exp_coords": (
        lambda x: RigidTransform.from_exp_coords(x).as_matrix(),
        (random.normal(size=(2, 6)),),
    ),
}


def values(function, arrays, kind):
    """Return the result as an array, which must be of a kind."""
    result = function(*map(kind, arrays))
    assert kind is np.asarray or type(result) is Tensor, type(result).__name__
    return np.asarray(result)


def check_derivative(function, arrays, i):
    """Compare the derivative of an argument in a random direction with a difference of values."""
    random = np.random.default_rng(i)
    weights = random.normal(size=values(function, arrays, np.asarray).shape)
    direction = random.normal(size=arrays[i].shape)

    def loss(x, kind=Tensor):
        return (function(*map(kind, arrays[:i]), x, *map(kind, arrays[i + 1 :])) * weights).sum()

    slope = np.sum(func.grad(loss)(arrays[i]) * direction)
    ends = [loss(arrays[i] + step * direction, np.asarray) for step in (1e-5, -1e-5)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-6)


def outcome(function, arrays):
    """Return what becomes of a function, and the reason if it is not differentiable."""
    expected = values(function, arrays, np.asarray)
    np.testing.assert_allclose(values(function, arrays, Tensor), expected, rtol=1e-8, atol=1e-10)
    reasons = []
    for i in range(len(arrays)):
        try:
            check_derivative(function, arrays, i)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            reasons.append(type(error).__name__)
    if not reasons:
        return "differentiable", ""
    return "in some arguments" if len(reasons) < len(arrays) else "values only", reasons[0]


def main(names):
    """Print the outcomes of functions."""
    found = {}
    plugins.register(tinytorch_special.plugin, name="special")
    warnings.simplefilter("ignore")
    for name, case in CASES.items():
        if not names or name in names:
            result, reason = outcome(*case)
            found.setdefault(result, {})[name] = reason
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
