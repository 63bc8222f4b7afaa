"""Every op and rule works on the arrays of other libraries, at orders 1 and 2.

A `StrictArray` implements NumPy's protocols and refuses everything else. The result and the
derivatives must be those of ndarrays, and strict arrays themselves.
"""

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd import GradientTape, checkpoint, detect_anomaly, func
from tinytorch_autograd.debug.numerical import first_and_second
from tinytorch_devkit import StrictArray, StrictArrayError, expect_same, values_of

from .cases import DESCRIBED
from .checks import every_case

SHAPE = "the shape of the result depends on values"
MIXED = "an ndarray is indexed by an array of the library"

# The functions and cases that cannot work, with the reason.
REFUSED = {
    "arange": SHAPE,
    "nanmedian": "the number of NaNs selects the position",
    "nanpercentile": "the number of NaNs selects the position",
    "nanquantile": "the number of NaNs selects the position",
    "piecewise": "each function gets the elements that a condition selects",
    "polymul": SHAPE,
    "roots": "np.roots has no dispatch: its dispatcher iterates over the argument",
    "trim_zeros": SHAPE,
    "union1d": SHAPE,
    "unique": SHAPE,
    "unique_all": SHAPE,
    "unique_counts": SHAPE,
    "unique_inverse": SHAPE,
    "unique_values": SHAPE,
    "x[x > 0]": SHAPE,
    "np.quantile() of (2,)": MIXED,
}

each_function = pytest.mark.parametrize(
    "described", DESCRIBED, ids=[f"{i}-{d.name}" for i, d in enumerate(DESCRIBED)]
)


def check(case, dtype=None, tolerance=1e-12):
    arrays = [a if dtype is None else a.astype(dtype) for a in case.arrays]
    with np.errstate(all="ignore"):
        expected = first_and_second(case.function, arrays, np.asarray)
        expect_same(
            lambda: first_and_second(case.function, arrays, StrictArray),
            expected,
            tolerance=tolerance,
            of=case.name,
        )


def check_refused(case):
    with pytest.raises((StrictArrayError, TypeError), match=r"libraries|dispatcher"):
        case.function(*[Tensor(StrictArray(a), requires_grad=True) for a in case.arrays])


@every_case
def test_single_calls(case):
    if case.name in REFUSED:
        check_refused(case)
    else:
        check(case)
        check(case, np.float32, 1e-3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@each_function
def test_numpy_functions(described):
    for case in (*described.cases(), *described.complex_cases()):
        if described.name in REFUSED or case.name in REFUSED:
            if all(a.size for a in case.arrays):
                check_refused(case)
        else:
            check(case)


def test_a_mask_of_known_values_selects_elements():
    x = Tensor(StrictArray(np.array([1.0, 2.0, 3.0])), requires_grad=True)
    x[np.array([True, False, True])].backward(StrictArray(np.array([5.0, 7.0])))
    assert values_of(x.grad).tolist() == [5, 0, 7]


def test_repeated_indices_of_the_library_add_their_gradients():
    x = Tensor(StrictArray(np.array([1.0, 2.0, 3.0])), requires_grad=True)
    y = x[Tensor(StrictArray(np.array([2, 0, 2, 2])))]
    y.backward(StrictArray(np.array([1.0, 10.0, 100.0, 1000.0])))
    assert values_of(x.grad).tolist() == [10, 0, 1101]


def f(x):
    return (np.tanh(x) ** 2).sum()


def of_leaf(run):
    """Return the gradient of a leaf after `run`, a function of the leaf, has computed it."""

    def result(x):
        leaf = Tensor(x.data, requires_grad=True)
        found = run(leaf)
        return leaf.grad if found is None else found

    return result


def with_tape(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


def with_hook(x):
    x.register_hook(lambda grad: grad * 2)
    f(x).backward()


def with_retained_gradient(x):
    y = x * 2
    y.retain_grad()
    f(y).backward()
    return from_array(Tensor, y.grad)


def with_anomaly_detection(x):
    with detect_anomaly():
        f(x).backward()


def in_place(x):
    y = x * 2
    y += 1
    f(y).backward()


def twice(x):
    f(x).backward()
    f(x).backward()


FEATURES = {
    "func.grad": func.grad(f),
    "func.jacobian": func.jacobian(lambda x: np.tanh(x) * x[0]),
    "func.jacobian of a linear function": func.jacobian(lambda x: x + 1),
    "func.hessian": func.hessian(f),
    "func.jvp": lambda x: func.jvp(np.tanh, (x,), (x * 2,))[1],
    "func.vjp": lambda x: func.vjp(np.tanh, x)[1](x * 2)[0],
    "checkpoint": of_leaf(lambda x: checkpoint(f, x).backward()),
    "GradientTape": of_leaf(with_tape),
    "register_hook": of_leaf(with_hook),
    "retain_grad": of_leaf(with_retained_gradient),
    "detect_anomaly": of_leaf(with_anomaly_detection),
    "x += y": of_leaf(in_place),
    "accumulated gradients": of_leaf(twice),
}


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_other_features_of_autograd(feature):
    array = np.array([[1.0, -2.0, 3.0], [4.0, 5.5, -6.0]])
    found, expected = (unwrap(feature(Tensor(kind(array)))) for kind in (StrictArray, np.array))
    assert type(found) is StrictArray
    np.testing.assert_allclose(values_of(found), expected, rtol=1e-12)
