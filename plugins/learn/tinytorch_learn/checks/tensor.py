"""The checks of chapter 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_learn.framework import tensor
from tinytorch_learn.report import expect, expect_that
from tinytorch_learn.trying import trying


def box(answer: Any) -> None:
    """Check that the class adds and multiplies boxes and numbers."""
    x, y = answer([1.0, 2.0]), answer([10.0, 20.0])
    hint = "Return a new Box of the result, and use other.data only if other is a Box."
    for call, found, expected in (
        ("Box([1, 2]) + Box([10, 20])", x + y, [11.0, 22.0]),
        ("Box([1, 2]) * Box([10, 20])", x * y, [10.0, 40.0]),
        ("Box([1, 2]) + 1", x + 1, [2.0, 3.0]),
        ("Box([1, 2]) * 3", x * 3, [3.0, 6.0]),
    ):
        kind = type(found).__name__
        expect_that(isinstance(found, answer), call, "a Box", f"a {kind}", hint)
        expect(found.data, expected, f"({call}).data", hint)
    expect(x.data, [1.0, 2.0], "the data of x after x + 1", "An operator must not change x.")


def standard(answer: Any) -> None:
    """Check the method that a plugin adds."""
    with trying(answer, "standardize"):
        x = Tensor([2.0, 4.0, 6.0])
        found = x.standardize()
        call = "Tensor([2., 4., 6.]).standardize()"
        hint = "Subtract x.mean(), and divide the difference by x.std()."
        expect_that(isinstance(found, Tensor), call, "a Tensor", f"a {type(found).__name__}", hint)
        expect(found, [-1.2247449, 0.0, 1.2247449], call, hint)
        expect(x, [2.0, 4.0, 6.0], "x after x.standardize()", "The method must not change x.")


def labels(answer: Any) -> None:
    """Check the attribute, the keyword and the word in the repr."""
    with trying(answer, "label"):
        hint = "tensor.add('label', None) gives tensors without a label the value None."
        plain = Tensor([1.0])
        expect_that(plain.label is None, "Tensor([1.0]).label", "None", repr(plain.label), hint)
        x = Tensor([1.0], label="weight")
        hint = "tensor.add_keyword needs a function that stores the value: setattr(x, 'label', v)."
        call = "Tensor([1.0], label='weight')"
        expect_that(x.label == "weight", f"{call}.label", "'weight'", repr(x.label), hint)
        hint = "tensor.add_repr takes a function that returns a text, or None without a label."
        expect_that("label='weight'" in repr(x), call, "label='weight' in the repr", repr(x), hint)
        expect_that(
            "label" not in repr(plain), "Tensor([1.0])", "no label in the repr", repr(plain), hint
        )
        np.testing.assert_equal(x.data, [1.0])


EXERCISES = ((box, tensor.Box), (standard, tensor.Standard), (labels, tensor.Labels))
