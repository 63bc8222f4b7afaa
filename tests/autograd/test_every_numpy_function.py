"""No public function of numpy, numpy.linalg or numpy.fft loses a gradient silently.

Each has a derivative that `test_numpy_functions.py` checks, or is declared to have none, or raises
with its name, or has nothing to do with tensors.
"""

import re
import warnings
from collections import Counter

import numpy as np
import pytest

from tinytorch_core import Tensor

from docs.numpy_functions import DIFFERENTIABLE, FLAT, OTHER, PAGE, VERSION, kind, page, public
from tinytorch_autograd import AutogradError, InPlaceError, NoRuleError, UntrackedError, grad
from tinytorch_autograd.numpy_functions import called, table
from tinytorch_autograd.rules.further import FAMILIES as FURTHER

from .cases import DESCRIBED

FUNCTIONS = {function: names[0] for function, names in public().items()}

# Functions that raise: how to call each with a tracked tensor of three elements, x.
WITHOUT_RULE = {
    "np.histogram": lambda f, x: f(x)[1],
    "np.histogram_bin_edges": lambda f, x: f(x),
    "np.histogram2d": lambda f, x: f(x, x)[1],
    "np.histogramdd": lambda f, x: f([x, x])[1][0],
    "np.intersect1d": lambda f, x: f(x, x),
    "np.setdiff1d": lambda f, x: f(x, x[:1]),
    "np.setxor1d": lambda f, x: f(x, x[:1]),
    "np.unique_all": lambda f, x: f(x)[0],
    "np.unique_counts": lambda f, x: f(x)[0],
    "np.unique_inverse": lambda f, x: f(x)[0],
    "np.polydiv": lambda f, x: f(x, x[:2])[0],
    "np.polyfit": lambda f, x: f(x, x, 1),
    "np.roots": lambda f, x: np.real(f(x)),
}
# Functions that make a bare array of their argument, which a tracked tensor refuses at once.
MAKE_AN_ARRAY = {
    "np.array": lambda f, x: f(x),
    "np.asarray": lambda f, x: f(x),
    "np.asanyarray": lambda f, x: f(x),
    "np.asarray_chkfinite": lambda f, x: f(x),
    "np.ascontiguousarray": lambda f, x: f(x),
    "np.asfortranarray": lambda f, x: f(x),
    "np.asmatrix": lambda f, x: f(x),
    "np.bmat": lambda f, x: f([[x]]),
    "np.require": lambda f, x: f(x),
    "np.from_dlpack": lambda f, x: f(x),
    "np.frompyfunc": lambda f, x: f(lambda v: v * v, 1, 1)(x),
}
WRITE = {
    "np.copyto": lambda f, x: f(x, 1.0),
    "np.fill_diagonal": lambda f, x: f(x.reshape(1, 3), 1.0),
    "np.place": lambda f, x: f(x, [True, False, False], [1.0]),
    "np.put": lambda f, x: f(x, [0], [1.0]),
    "np.put_along_axis": lambda f, x: f(x, np.array([0]), 1.0, 0),
    "np.putmask": lambda f, x: f(x, [True, False, False], [1.0]),
}
# What has nothing to do with tensors that have a gradient, and why.
NO_TENSORS = {
    "takes numbers, shapes or dtypes": (
        "arange base_repr bartlett binary_repr blackman broadcast_shapes diag_indices empty eye "
        "fromfunction full hamming hanning identity indices isdtype issubdtype kaiser mask_indices "
        "mintypecode ones promote_types tri tril_indices triu_indices typename zeros fft.fftfreq "
        "fft.rfftfreq format_float_positional format_float_scientific"
    ),
    "takes whole numbers": "ravel_multi_index unravel_index",
    "takes dates": ("busday_count busday_offset datetime_as_string datetime_data is_busday isnat"),
    "reads or writes files, buffers or text": (
        "frombuffer fromfile fromiter fromregex fromstring genfromtxt load loadtxt save savetxt "
        "savez savez_compressed"
    ),
    "sets or tells how NumPy works": (
        "get_include get_printoptions getbufsize geterr geterrcall info nested_iters printoptions "
        "set_printoptions setbufsize seterr seterrcall show_config show_runtime test linalg.test "
        "fft.test"
    ),
    "tells what an object is": "isfortran isscalar iterable",
    "calls another function here": "row_stack",
    "deprecated, and removed in NumPy 2.4": "in1d trapz",
}
NAMELESS = {f"np.{name}" for names in NO_TENSORS.values() for name in names.split()}

UNKNOWN = {name: f for f, name in FUNCTIONS.items() if kind(f) == OTHER}


def x():
    return Tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True)


def test_every_function_is_of_one_kind():
    explained = {*WITHOUT_RULE, *MAKE_AN_ARRAY, *WRITE, *NAMELESS}
    assert set(UNKNOWN) - explained == set(), "neither a rule nor declared nor explained"


def test_what_is_differentiable_is_described_for_the_tests():
    described = {d.numpy for d in DESCRIBED}
    differentiable = {f: name for f, name in FUNCTIONS.items() if kind(f) == DIFFERENTIABLE}
    assert {name for f, name in differentiable.items() if f not in described} == set()


def test_no_two_families_compose_the_same_function():
    assert len(table().compositions) == sum(len(family.compositions) for family in FURTHER)


def test_230_functions_are_differentiable(capsys):
    kinds = Counter(map(kind, public()))
    methods = sum(isinstance(f, str) for f in table().compositions)
    with capsys.disabled():
        print(f"\n{dict(kinds)}, and {methods - 1} methods of ufuncs")
    assert kinds[DIFFERENTIABLE] >= 230


@pytest.mark.parametrize("name", WITHOUT_RULE)
def test_a_function_without_rule_raises_with_its_name(name):
    if name not in UNKNOWN:
        pytest.skip("not in this version of NumPy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = WITHOUT_RULE[name](UNKNOWN[name], x())
    assert out.requires_grad
    with pytest.raises(NoRuleError, match=r"np\.\w+.* has no backward rule"):
        out.sum().backward()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", MAKE_AN_ARRAY)
def test_a_function_that_makes_an_array_refuses(name):
    with pytest.raises((AutogradError, AttributeError, TypeError)):
        MAKE_AN_ARRAY[name](UNKNOWN[name], x())


@pytest.mark.parametrize("name", WRITE)
def test_a_function_that_writes_refuses(name):
    with pytest.raises(InPlaceError, match=name):
        WRITE[name](UNKNOWN[name], x())


# How to call what is declared flat, where one argument is not enough.
TWO = [
    "allclose",
    "array_equal",
    "array_equiv",
    "isclose",
    "digitize",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "isin",
    "may_share_memory",
    "shares_memory",
    "nextafter",
    "floor_divide",
    "searchsorted",
]
OF_INTEGERS = [
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_right_shift",
    "gcd",
    "lcm",
    "invert",
    "left_shift",
    "right_shift",
    "packbits",
    "unpackbits",
]
OTHERWISE = {
    "np.argpartition": lambda f, x: f(x, 1),
    "np.can_cast": lambda f, x: f(x.dtype, np.float32),
    "np.einsum_path": lambda f, x: f("i,i", x, x),
    "np.diag_indices_from": lambda f, x: f(x[:, None] * x),
    "np.tril_indices_from": lambda f, x: f(x[:, None] * x),
    "np.triu_indices_from": lambda f, x: f(x[:, None] * x),
    "np.linalg.matrix_rank": lambda f, x: f(x[:, None] * x),
    "np.ix_": lambda f, x: f(x > 0),
}


@pytest.mark.parametrize("name", sorted(n for f, n in FUNCTIONS.items() if kind(f) == FLAT))
def test_what_is_declared_flat_is_not_tracked_and_gives_what_numpy_gives(name):
    function = {n: f for f, n in FUNCTIONS.items()}[name]
    short = name.removeprefix("np.")
    if short in OF_INTEGERS:
        return  # no tensor of integers is tracked

    def call(x):
        if name in OTHERWISE:
            return OTHERWISE[name](function, x)
        return function(x, np.array([0.5, 1.5, 2.5])) if short in TWO else function(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions deprecate np.fix
        found, expected = call(x()), call(Tensor(x().data))
    for f, e in zip(listed(found), listed(expected), strict=True):
        assert not getattr(f, "requires_grad", False)
        if short not in ("empty_like", "array_repr", "array2string", "array_str", "einsum_path"):
            np.testing.assert_array_equal(f, e)


def listed(value):
    return value if isinstance(value, tuple | list) else [value]


def test_an_option_that_a_rule_cannot_serve_raises_with_its_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about what is left undefined
        out = np.exp(x(), where=np.array([True, True, True]))
    with pytest.raises(NoRuleError, match=r"np\.exp\(where=\)"):
        out.sum().backward()


def test_a_name_in_a_module_is_told():
    assert called(np.linalg.svd) == "np.linalg.svd"
    assert called(np.add.reduce, {"where": 1}) == "np.add.reduce(where=)"


def test_a_path_that_reaches_no_tracked_tensor_costs_nothing():
    y = np.histogram(Tensor([1.0, 2.0]))[1]
    with pytest.raises(UntrackedError):
        grad(y.sum(), x())


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    if f"NumPy {VERSION}," not in text:
        pytest.skip("it is made with another version of NumPy")
    assert text == page(), "run `python -m docs.numpy_functions`"


def test_the_examples_of_the_page_print_what_stands_beside_them(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
        expected = re.findall(r"print\(.*\)  # (.*)", block)
        assert capsys.readouterr().out.splitlines() == expected


MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.flip(x, 5),
        lambda x: np.flip(x, (0, 0)),
        lambda x: np.cumsum(x, axis=2),
        lambda x: np.cumprod(x, axis=-3),
        lambda x: np.diff(x, axis=2),
        lambda x: np.diff(x, n=-1),
        lambda x: np.median(x, axis=2),
        lambda x: np.quantile(x, 0.5, axis=-3),
        lambda x: np.quantile(x, 1.5),
        lambda x: np.quantile(x, 0.5, method="no such"),
        lambda x: np.take(x, [7]),
        lambda x: np.take(x, [7], axis=1),
        lambda x: np.take(x, [0], axis=3),
        lambda x: np.split(x, 2, axis=1),
        lambda x: np.split(x, 2, axis=4),
        lambda x: np.unstack(x, axis=2) if hasattr(np, "unstack") else np.split(x, 7),
        lambda x: np.moveaxis(x, 0, 5),
        lambda x: np.rollaxis(x, 5),
        lambda x: np.gradient(x, axis=3),
        lambda x: np.gradient(x, 1.0, 2.0, 3.0),
        lambda x: np.gradient(x[:1]),
        lambda x: np.trapezoid(x, axis=3),
        lambda x: np.average(x, axis=3),
        lambda x: np.average(x, weights=[1.0, 2.0]),
        lambda x: np.average(x, weights=np.zeros((2, 3))),
        lambda x: np.select([], []),
        lambda x: np.tile(x, "two"),
        lambda x: np.pad(x, -1),
        lambda x: np.pad(x, 1, mode="no such"),
        lambda x: np.sort(x, axis=2),
        lambda x: np.partition(x, 9),
        lambda x: np.compress([True] * 9, x),
        lambda x: np.concatenate([x, x[:, :1]]),
        lambda x: np.add.reduce(x, axis=2),
        lambda x: np.logaddexp.reduce(x, axis=2),
        lambda x: np.maximum.accumulate(x, axis=2),
        lambda x: np.add.reduceat(x, [0, 9]),
        lambda x: np.add.outer(x),
        lambda x: np.hypot(x, x[:, :2]),
        lambda x: np.ptp(x, axis=2),
        lambda x: np.nanmean(x, axis=2),
        lambda x: np.max(x, where=[True, False, True]),
        lambda x: np.interp(x, [0.0, 1.0], [0.0]),
        lambda x: np.vander(x),
        lambda x: np.diag(x[None]),
        lambda x: np.apply_along_axis(np.sum, 3, x),
        lambda x: np.repeat(x, [1, 2]),
        lambda x: np.insert(x, 9, 0.0),
        lambda x: np.delete(x, 9),
        lambda x: np.append(x, x[:, :1], axis=0),
        lambda x: np.cumulative_sum(x) if hasattr(np, "cumulative_sum") else np.cumsum(x, 3),
        lambda x: np.select([x.data > 0], [x, x]),
        lambda x: np.choose([5], [x]),
        lambda x: np.unwrap(x, axis=2),
        lambda x: np.cov(x, x[:, :1]),
    ],
)
def test_a_bad_argument_raises_as_without_gradients(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:  # noqa: PT011
            call(MATRIX)
        with pytest.raises(Exception) as found:  # noqa: PT011
            call(Tensor(MATRIX, requires_grad=True))
    kinds = (AutogradError, TypeError, ValueError, IndexError, *type(expected.value).__mro__[:1])
    assert isinstance(found.value, kinds)


def test_an_array_to_write_into_is_refused_by_position_too():
    with pytest.raises(InPlaceError, match=r"np\.cumsum"):
        np.cumsum(x(), 0, None, np.zeros(3))
