"""The messages of checks name the call, what was expected, what was found, and a hint."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_learn.report import Wrong, expect
from tinytorch_learn.trying import trying


@pytest.mark.parametrize("found", [np.array([1.0, 2.0]), [1, 2], Tensor([1.0, 2.0 + 1e-7])])
def test_equal_values_of_any_type_are_right(found):
    expect(found, [1.0, 2.0], "f(x)")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "f(x)\n  found:    None. Does your function return its result?\nAdd them."),
        ("12", "f(x)\n  expected: the shape (2,)\n  found:    the shape ()\nAdd them."),
        ("a text", "f(x)\n  expected: numbers\n  found:    'a text'"),
        ([1.0], "f(x)\n  expected: the shape (2,)\n  found:    the shape (1,)\nAdd them."),
        ([1.0, np.nan], "f(x)\n  expected: [1. 2.]\n  found:    [ 1. nan]\nAdd them."),
    ],
)
def test_other_values_are_wrong(found, message):
    with pytest.raises(Wrong) as caught:
        expect(found, [1.0, 2.0], "f(x)", "Add them.")
    assert str(caught.value) == message


class Nothing:
    @hookimpl
    def tinytorch_activate(self):
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [(Nothing, "The plugin must add 'norm' to Tensor"), (object, "cannot be registered")],
)
def test_an_answer_that_is_not_the_plugin_is_wrong(answer, message):
    active = plugins.active()
    with pytest.raises(Wrong, match=message), trying(answer, "norm"):
        pass
    assert plugins.active() == active
    assert "answer" not in {status.name for status in plugins.status()}
