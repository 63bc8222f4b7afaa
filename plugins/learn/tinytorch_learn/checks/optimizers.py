"""The checks of chapter 7."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tinytorch_learn.framework import optimizers, text
from tinytorch_learn.report import expect, expect_that


def _parameters() -> list[Any]:
    """Return two parameters with gradients of very different sizes."""
    return [
        SimpleNamespace(data=np.array([1.0, 2.0]), grad=np.array([0.5, -0.5])),
        SimpleNamespace(data=np.array([3.0]), grad=np.array([1000.0])),
    ]


def sgd(answer: Any) -> None:
    """Check a step and `zero_grad`."""
    parameters = _parameters()
    before = parameters[0].data
    optimizer = answer(parameters, lr=0.1)
    optimizer.step()
    hint = "Subtract lr · p.grad from p.data, for each parameter p."
    call = "p.data after a step with lr=0.1, from [1, 2] with gradient [0.5, -0.5]"
    if parameters[0].data is before:
        expect(before, [0.95, 2.05], call, hint)
    expect(parameters[0].data, [0.95, 2.05], call, hint)
    expect(parameters[1].data, [-97.0], "the second parameter, from 3 with gradient 1000", hint)
    optimizer.zero_grad()
    hint = "Set p.grad = None, so that the next backward() starts anew."
    none = all(p.grad is None for p in parameters)
    expect_that(none, "p.grad after zero_grad()", "None", repr(parameters[0].grad), hint)


def adam(answer: Any) -> None:
    """Check the first step, whose size does not depend on the gradient's, and later ones."""
    parameters = _parameters()
    optimizer = answer(parameters, lr=0.1)
    optimizer.step()
    hint = (
        "After the first step, m / (1 - β₁) is the gradient itself and v / (1 - β₂) its square, "
        "so each number moves by lr, up or down. Increase t before you use it."
    )
    call = "p.data after a step with lr=0.1, from [1, 2] with gradient [0.5, -0.5]"
    expect(parameters[0].data, [0.9, 2.1], call, hint)
    expect(parameters[1].data, [2.9], "the second parameter, from 3 with gradient 1000", hint)
    for p in parameters:
        p.grad = 0 * p.grad
    optimizer.step()
    hint = "m and v are kept from step to step: m = β₁ m + (1 - β₁) grad, v likewise with grad²."
    call = "p.data after a second step, with gradient 0"
    expect(parameters[0].data, [0.8330, 2.1670], call, hint, tolerance=1e-3)


def sample(answer: Any) -> None:
    """Check that likely symbols are drawn more often, and the effect of the temperature."""
    logits = np.log(np.array([1.0, 3.0]))

    def share(temperature: float, logits: Any) -> float:
        generator = np.random.default_rng(0)
        drawn = [answer(logits, temperature, generator) for _ in range(1000)]
        if drawn[0] is None:
            expect(None, 0, "sample(logits, temperature, generator)")
        return float(np.mean(np.asarray(drawn) == 1))

    for temperature, expected, hint in (
        (1.0, 0.75, "Draw symbol i with the probability softmax(logits)[i]."),
        (0.5, 0.9, "Divide the logits by the temperature before the softmax."),
    ):
        found = share(temperature, logits)
        expect_that(
            abs(found - expected) < 0.05,
            f"the share of symbol 1 for logits [log 1, log 3] at temperature {temperature}",
            f"about {expected}",
            f"{found:.3f}",
            hint,
        )
    with np.errstate(all="ignore"):
        found = share(1.0, np.array([1000.0, 1000.0]))
    hint = "Subtract the largest logit before np.exp, or e¹⁰⁰⁰ overflows."
    expect_that(
        abs(found - 0.5) < 0.05, "the same for logits [1000, 1000]", "about 0.5", str(found), hint
    )


EXERCISES = ((sgd, optimizers.SGD), (adam, optimizers.Adam), (sample, text.sample))
