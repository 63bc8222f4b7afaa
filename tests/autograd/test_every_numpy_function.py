"""No public function of numpy, numpy.linalg or numpy.fft loses a gradient silently.

Each function has a derivative that `test_numpy_functions.py` checks, or is declared not
differentiable, or raises an error with its name, or does not take tensors.
"""

import re
import subprocess
import sys
import textwrap
import warnings
from collections import Counter

import numpy as np
import pytest

from tinytorch_core import Tensor

from docs.numpy_functions import (
    DIFFERENTIABLE,
    NOT_DIFFERENTIABLE,
    OTHER,
    PAGE,
    VERSION,
    kind,
    page,
    public,
)
from tinytorch_autograd import AutogradError, InPlaceError, NoRuleError, UntrackedError, grad
from tinytorch_autograd.numpy_lookup import called
from tinytorch_autograd.rules.on_demand import INDEX, families, family_of, index_name

from .cases import DESCRIBED

FUNCTIONS = {function: names[0] for function, names in public().items()}

# Functions that raise in backward, and how to call each with a tracked tensor of three elements.
CALLS_WITHOUT_RULE = {
    "np.histogram_bin_edges": lambda f, x: f(x),
    "np.intersect1d": lambda f, x: f(x, x),
    "np.setdiff1d": lambda f, x: f(x, x[:1]),
    "np.setxor1d": lambda f, x: f(x, x[:1]),
    "np.polydiv": lambda f, x: f(x, x[:2])[0],
}
# Functions that convert their argument to an array, which a tracked tensor refuses.
CONVERT_TO_ARRAY = {
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
# Functions that do not take tensors that require grad, and why.
WITHOUT_TENSORS = {
    "takes numbers, shapes or dtypes": (
        "base_repr bartlett binary_repr blackman broadcast_shapes diag_indices empty eye "
        "fromfunction hamming hanning identity indices isdtype issubdtype kaiser mask_indices "
        "mintypecode ones promote_types tri tril_indices triu_indices typename zeros fft.fftfreq "
        "fft.rfftfreq format_float_positional format_float_scientific"
    ),
    "takes whole numbers": "ravel_multi_index unravel_index",
    "takes dates": ("busday_count busday_offset datetime_as_string datetime_data is_busday isnat"),
    "reads or writes files, buffers or text": (
        "frombuffer fromfile fromiter fromregex fromstring genfromtxt load loadtxt save savetxt "
        "savez savez_compressed"
    ),
    "sets or returns settings of NumPy": (
        "get_include get_printoptions getbufsize geterr geterrcall info nested_iters printoptions "
        "set_printoptions setbufsize seterr seterrcall show_config show_runtime test linalg.test "
        "fft.test"
    ),
    "returns a property of an object": "isfortran isscalar iterable",
    "is an alias": "row_stack",
    "deprecated, and removed in NumPy 2.4": "in1d trapz",
}
OTHERS = {f"np.{name}" for names in WITHOUT_TENSORS.values() for name in names.split()}

UNKNOWN = {name: f for f, name in FUNCTIONS.items() if kind(f) == OTHER}


def x():
    return Tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True)


def test_every_function_has_a_rule_or_a_declaration_or_an_explanation():
    explained = {*CALLS_WITHOUT_RULE, *CONVERT_TO_ARRAY, *WRITE, *OTHERS}
    assert set(UNKNOWN) - explained == set(), "neither a rule nor declared nor explained"


def test_every_differentiable_function_has_cases():
    described = {d.numpy for d in DESCRIBED}
    differentiable = {f: name for f, name in FUNCTIONS.items() if kind(f) == DIFFERENTIABLE}
    assert {name for f, name in differentiable.items() if f not in described} == set()


def registered(family):
    """Return what a family registers: NumPy functions and methods of ufuncs."""
    functions = {*family.compositions, *family.nondifferentiable_functions}
    return functions.union(*(op.numpy for op in family.ops.values()))


def test_each_function_is_in_the_index_of_its_family():
    for module, family in zip(INDEX, families(), strict=True):
        names = {index_name(function) for function in registered(family)}
        assert names <= set(INDEX[module].split()), f"add to INDEX[{module!r}]"
        assert all(family_of(function) is family for function in registered(family))


# Functions that the oldest NumPy we support lacks.
NEWER = {"cumulative_prod", "cumulative_sum", "matvec", "unstack", "vecmat"}


def test_each_name_in_the_index_is_registered():
    for module, family in zip(INDEX, families(), strict=True):
        names = {index_name(function) for function in registered(family)}
        missing = set(INDEX[module].split()) - names
        assert missing <= NEWER, f"remove from INDEX[{module!r}]"
        assert not any(hasattr(np, name) for name in missing)


def test_no_name_is_in_the_index_twice():
    names = [name for names in INDEX.values() for name in names.split()]
    assert len(names) == len(set(names))


class Unhashable:
    """A callable with the name of a NumPy function, and without a hash."""

    __name__ = "cbrt"
    __hash__ = None

    def __call__(self, x):
        return x


@pytest.mark.parametrize("function", [np.exp, np.linalg, len, None, 3, Unhashable(), np.add.at])
def test_other_objects_have_no_family(function):
    assert family_of(function) is None


def test_methods_and_aliases_have_the_family_of_their_function():
    assert family_of(np.add.reduce) is family_of(np.hypot.outer) is family_of(np.ufunc.reduce)
    assert family_of(np.add.reduce).composition(np.add.reduce) is not None
    assert family_of(np.amax) is family_of(np.max)
    assert family_of(np.degrees).op(np.degrees) is family_of(np.rad2deg).op(np.rad2deg)


def test_the_first_call_imports_one_family():
    code = """
        import sys
        import numpy as np
        from tinytorch_core import Tensor
        np.linalg.inv(Tensor([[2.0]], requires_grad=True))
        from tinytorch_autograd.rules.on_demand import INDEX
        print([m for m in INDEX if f"tinytorch_autograd.rules.{m}" in sys.modules])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found == "['inverses']\n"


def test_230_functions_are_differentiable():
    assert Counter(map(kind, public()))[DIFFERENTIABLE] >= 230


@pytest.mark.parametrize("name", CALLS_WITHOUT_RULE)
def test_a_function_without_rule_raises_in_backward_with_its_name(name):
    if name not in UNKNOWN:
        pytest.skip("not in this version of NumPy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = CALLS_WITHOUT_RULE[name](UNKNOWN[name], x())
    assert out.requires_grad
    with pytest.raises(NoRuleError, match=r"np\.\w+.* has no backward rule"):
        out.sum().backward()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", CONVERT_TO_ARRAY)
def test_a_function_that_converts_to_an_array_refuses_a_tracked_tensor(name):
    with pytest.raises((AutogradError, AttributeError, TypeError)):
        CONVERT_TO_ARRAY[name](UNKNOWN[name], x())


@pytest.mark.parametrize("name", WRITE)
def test_a_function_that_writes_refuses_a_tracked_tensor(name):
    with pytest.raises(InPlaceError, match=name):
        WRITE[name](UNKNOWN[name], x())


# How to call functions that need more than one argument.
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
SPECIAL_CALLS = {
    "np.argpartition": lambda f, x: f(x, 1),
    "np.can_cast": lambda f, x: f(x.dtype, np.float32),
    "np.einsum_path": lambda f, x: f("i,i", x, x),
    "np.diag_indices_from": lambda f, x: f(x[:, None] * x),
    "np.tril_indices_from": lambda f, x: f(x[:, None] * x),
    "np.triu_indices_from": lambda f, x: f(x[:, None] * x),
    "np.linalg.matrix_rank": lambda f, x: f(x[:, None] * x),
    "np.ix_": lambda f, x: f(x > 0),
}


# Without those of integers, because a tensor of integers is never tracked.
NONDIFFERENTIABLE = {
    name: f
    for f, name in FUNCTIONS.items()
    if kind(f) == NOT_DIFFERENTIABLE and name.removeprefix("np.") not in OF_INTEGERS
}


@pytest.mark.parametrize("name", NONDIFFERENTIABLE)
def test_a_nondifferentiable_function_returns_the_result_of_numpy_untracked(name):
    function = NONDIFFERENTIABLE[name]
    short = name.removeprefix("np.")

    def call(x):
        if name in SPECIAL_CALLS:
            return SPECIAL_CALLS[name](function, x)
        return function(x, np.array([0.5, 1.5, 2.5])) if short in TWO else function(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions deprecate np.fix
        found, expected = call(x()), call(Tensor(x().data))
    for f, e in zip(as_sequence(found), as_sequence(expected), strict=True):
        assert not getattr(f, "requires_grad", False)
        if short not in ("empty_like", "array_repr", "array2string", "array_str", "einsum_path"):
            np.testing.assert_array_equal(f, e)


def as_sequence(value):
    return value if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: np.linspace(x[0], 1, dtype=np.float32), r"np\.linspace\(dtype=\)"),
        (lambda x: np.histogram(x)[1], r"np\.histogram"),
        (lambda x: np.histogram(x, weights=x)[0], r"np\.histogram\(weights=\)"),
        (lambda x: np.histogram([0.0, 1.0, 2.0], x * x, weights=x)[0], r"np\.histogram"),
        (lambda x: np.histogram2d(x, x)[1], r"np\.histogram2d"),
        (lambda x: np.histogramdd([x, x])[1][0], r"np\.histogramdd"),
        (lambda x: np.roots(np.append([0.0], x)), r"np\.roots"),
        (lambda x: np.nan_to_num(x + 1j, nan=x[0]), r"np\.nan_to_num\(nan=\)"),
        (lambda x: np.linalg.norm(x, x[1]), r"np\.linalg\.norm"),
        (lambda x: np.linalg.norm(x[:, None], x[0]), r"np\.linalg\.norm"),
    ],
)
def test_an_argument_that_a_rule_does_not_support_raises_in_backward(call, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = call(x())
    with pytest.raises(NoRuleError, match=name):
        np.real(out).sum().backward()


def test_the_name_of_a_function_includes_its_module():
    assert called(np.linalg.svd) == "np.linalg.svd"
    assert called(np.add.reduce, {"where": 1}) == "np.add.reduce(where=)"


def test_a_function_without_rule_of_an_untracked_tensor_is_not_recorded():
    y = np.histogram(Tensor([1.0, 2.0]))[1]
    with pytest.raises(UntrackedError):
        grad(y.sum(), x())


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    if f"NumPy {VERSION}," not in text:
        pytest.skip("it was written with another version of NumPy")
    assert text == page(), "run `python -m docs.numpy_functions`"


def test_the_examples_of_the_page_print_what_their_comments_show(capsys):
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
        lambda x: np.unstack(x, axis=2),
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
        lambda x: np.cumulative_sum(x),
        lambda x: np.select([x.data > 0], [x, x]),
        lambda x: np.choose([5], [x]),
        lambda x: np.unwrap(x, axis=2),
        lambda x: np.cov(x, x[:, :1]),
    ],
)
def test_a_bad_argument_raises_the_same_error_for_tracked_tensors(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:  # noqa: PT011
            call(MATRIX)
        with pytest.raises(Exception) as found:  # noqa: PT011
            call(Tensor(MATRIX, requires_grad=True))
    kinds = (AutogradError, TypeError, ValueError, IndexError, *type(expected.value).__mro__[:1])
    assert isinstance(found.value, kinds)


def test_out_is_refused_as_a_positional_argument_too():
    with pytest.raises(InPlaceError, match=r"np\.cumsum"):
        np.cumsum(x(), 0, None, np.zeros(3))
