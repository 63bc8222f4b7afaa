"""rearrange: values, names and errors."""

import time

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import gradcheck
from tinytorch_named import NamesError, rearrange

ARRAY = np.random.default_rng(0).standard_normal((2, 3, 8))

# The names of the input, the pattern, the sizes, the names of the output, and the same with NumPy.
BTF = ("batch", "time", "feature")
PATTERNS = [
    (None, "a b c -> c a b", {}, "c a b", lambda x: x.transpose(2, 0, 1)),
    (None, "a b (h d) -> a h b d", {"h": 4}, "a h b d", lambda x: _heads(x).transpose(0, 2, 1, 3)),
    (None, "a b (h d) -> (d a) h b", {"d": 2}, "- h b", lambda x: _joined(x)),
    (None, "a b c -> (a b c)", {}, "-", lambda x: x.ravel()),
    (None, "a b c -> a b 1 c", {}, "a b - c", lambda x: x[:, :, None]),
    ((None, *BTF[1:]), "a ... -> ... a", {}, "time feature a", lambda x: x.transpose(1, 2, 0)),
    (BTF, "... -> ...", {}, "batch time feature", lambda x: x),
    (None, "a b c ... -> c ... a b", {}, "c a b", lambda x: x.transpose(2, 0, 1)),
    (None, "a (b) c -> c (a b)", {"c": 8}, "c -", lambda x: x.transpose(2, 0, 1).reshape(8, 6)),
]


def _heads(x):
    return x.reshape(2, 3, 4, 2)


def _joined(x):
    return _heads(x).transpose(3, 0, 2, 1).reshape(4, 4, 3)


@pytest.mark.parametrize(("given", "pattern", "sizes", "names", "expected"), PATTERNS)
def test_values_and_names(given, pattern, sizes, names, expected):
    x = Tensor(ARRAY, names=given)
    for found in (rearrange(x, pattern, **sizes), x.rearrange(pattern, **sizes)):
        np.testing.assert_array_equal(found.data, expected(ARRAY))
        assert found.names == tuple(None if name == "-" else name for name in names.split())


def test_derivatives():
    gradcheck(lambda x: rearrange(x, "a b (h d) -> (d a) h b", d=4), [ARRAY])


def test_axes_of_length_one():
    x = Tensor(np.ones((2, 1, 3)))
    assert rearrange(x, "a 1 b -> b a").shape == (3, 2)
    with pytest.raises(NamesError, match="axis 0 has length 2, not 1"):
        rearrange(x, "1 a b -> a b")
    assert rearrange(x[0, 0, 0], " -> 1").shape == (1,)


ERRORS = [
    ("batch time (h d) -> h d", {}, ["'batch', 'time' must be on both sides"]),
    ("a b c -> a b", {}, ["'c' must be on both sides"]),
    ("a b a -> a b", {}, ["'a' must not occur twice"]),
    ("a b c", {}, ["one '->'"]),
    ("a b -> c -> a", {}, ["one '->'"]),
    ("a b (c -> a b c", {}, ["'('", "a group (a b)"]),
    ("a b ((c d) e) -> a b c d e", {}, ["'('"]),
    ("a b 2 -> a b 2", {}, ["'2' cannot name an axis"]),
    ("a b -> b a", {}, ["the pattern needs 2 axes, and the input has 3"]),
    ("a b c d ... -> a b c d ...", {}, ["at least 4 axes, and the input has 3"]),
    ("a b (h d) -> a b h d", {}, ["axis 2 of length 8", "h × d", "such as h="]),
    ("a b (h d) -> a b h d", {"h": 3}, ["axis 2 has length 8, not h=3 × d", "h=3"]),
    ("a b (h d) -> a b h d", {"h": 3, "d": 2}, ["axis 2 has length 8, not h=3 × d=2"]),
    ("a b c -> a b c", {"b": 5}, ["axis 1 has length 3, not b=5"]),
    ("a b c -> a b c", {"z": 5}, ["a size is given for 'z'"]),
    ("a b (h d) -> a b h d", {"h": 0}, ["axis 2 has length 8, not h=0 × d"]),
    ("a b (h d) -> a b h d", {"h": -4}, ["at least 0, not -4"]),
    ("a b (h d) -> a b h d", {"h": 4.0}, ["whole number", "not 4.0"]),
    ("batch feature time -> time", {}, ["must be on both sides"]),
    (
        "batch feature time -> time feature batch",
        {},
        ["axis 1 is 'feature' in the pattern", "'time'"],
    ),
]


@pytest.mark.parametrize(("pattern", "sizes", "words"), ERRORS)
def test_an_error_states_the_pattern_the_tensor_and_what_is_wrong(pattern, sizes, words):
    names = ("batch", "time", "feature") if "feature" in pattern else None
    with pytest.raises(NamesError) as raised:
        rearrange(Tensor(ARRAY, names=names), pattern, **sizes)
    message = str(raised.value)
    for word in [
        *words,
        repr(pattern),
        "of shape (2, 3, 8)",
        *(f"{k}={v}" for k, v in sizes.items()),
    ]:
        assert word in message


def test_a_long_wrong_pattern_is_refused_in_linear_time():
    start = time.process_time()
    with pytest.raises(NamesError, match="'!'"):
        rearrange(Tensor(ARRAY), "a" * 100_000 + "! -> a")
    assert time.process_time() - start < 5  # backtracking would take longer than the universe


def test_axes_may_have_the_names_of_arguments():
    x = Tensor(ARRAY, names=("x", "self", "pattern"))
    assert x.rearrange("x self pattern -> pattern x self", self=3).names == ("pattern", "x", "self")
    assert x.isel(self=0).rename(x="pattern", pattern="x").names == ("pattern", "x")


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match=r"rearrange\(\) takes a Tensor, not ndarray"):
        rearrange(ARRAY, "a b c -> c b a")
