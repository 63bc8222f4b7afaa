"""The checks of chapter 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_learn.framework import ops
from tinytorch_learn.report import expect, expect_that
from tinytorch_learn.trying import trying


def softplus(answer: Any) -> None:
    """Check the values, also where eˣ overflows."""
    x = np.array([-1.0, 0.0, 2.0])
    call = "softplus([-1, 0, 2])"
    expect(answer(x), [0.3132616875, 0.6931471806, 2.1269280110], call, "It is log(1 + eˣ).")
    hint = "e¹⁰⁰⁰ overflows. np.logaddexp(a, b) is log(eᵃ + eᵇ) without this problem."
    with np.errstate(over="ignore"):
        expect(answer(np.array([1000.0])), [1000.0], "softplus([1000])", hint)
    small = answer(np.array([1.0], np.float32))
    hint = "Use Python numbers for constants; NumPy's float64 numbers would change the dtype."
    expect_that(
        small.dtype == np.float32, "softplus(float32 array)", "float32", str(small.dtype), hint
    )


def blending(answer: Any) -> None:
    """Check the op with two inputs and a parameter."""
    with trying(answer, "blend"):
        x, y = Tensor([0.0, 10.0]), Tensor([4.0, 20.0])
        call = "Tensor([0., 10.]).blend(Tensor([4., 20.])"
        expect(x.blend(y), [2.0, 15.0], f"{call})", "The default value of share is 0.5.")
        hint = "The result is (1 - share) · x + share · y."
        expect(x.blend(y, share=0.25), [1.0, 12.5], f"{call}, share=0.25)", hint)
        expect(x.blend(y, share=1), [4.0, 20.0], f"{call}, share=1)", hint)


def counter(answer: Any) -> None:
    """Check that the plugin counts ops, and leaves their results alone."""
    with trying(answer) as plugin:
        x = Tensor([1.0, 2.0])
        hint = "The wrapper must return call(*args, **kwargs)."
        product = x * x
        expect(product, [1.0, 4.0], "x * x for x = [1, 2]", hint)
        expect(product + x * 3, [4.0, 10.0], "x * x + x * 3 for x = [1, 2]", hint)
        hint = "Count under op.name, in the function that you return, each time that it runs."
        counts = dict(plugin.counts)
        expect_that(
            counts == {"mul": 2, "add": 1},
            "the counts after x * x + x * 3",
            "{'mul': 2, 'add': 1}",
            repr(counts),
            hint,
        )
        x.sum(axis=0)
        hint = "Pass on the keyword arguments too: call(*args, **kwargs)."
        expect_that(
            plugin.counts.get("sum") == 1, "after x.sum(axis=0)", "'sum': 1", "another count", hint
        )


EXERCISES = ((softplus, ops.softplus), (blending, ops.Blending), (counter, ops.Counter))
