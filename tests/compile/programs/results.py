"""Programs that depend on results."""

import numpy as np

from tinytorch_core import Tensor

from .table import ONES, calls, program


@program
def the_kinds_of_results(compile):
    step = compile(
        lambda x: (x.sum(), x[0], x * 2, x.sum().item(), x.size, [x.max()], {"a": x + 1})
    )
    return [step(ONES * i) for i in range(6)]


@program
def powers_of_scalars(compile):
    step = compile(lambda x: (x.sum() ** 2.5, x[0] ** x[1], x ** x[0], x.mean() ** 3, 2.5 ** x[1]))
    rng = np.random.default_rng(0)
    return [step(rng.random(2).astype(dtype)) for dtype in "ffffdddd" * 50]


@program
def scalars_that_are_updated(compile):
    def step(x):
        total = x.sum()
        first = total
        total += 1
        total **= 2
        return total, first

    step = compile(step)
    return [step(ONES * i) for i in range(6)]


@program
def the_sign_of_zero(compile):
    step = compile(lambda x: np.copysign(x, float(x[0] * 0)))
    return [step(ONES * sign) for sign in (1, 1, 1, -1, 1, -1, np.nan, np.nan, np.nan)]


@program
def results_that_are_kept(compile):
    step = compile(lambda x: (x * 2, Tensor(x) + 1))
    return [step(ONES * i) for i in range(8)]


@program
def an_early_return(compile):
    state = {"calls": 0}

    def step(x):
        state["calls"] += 1
        if state["calls"] % 4 == 0:
            return None
        return x * 2

    return calls(compile(step), after=9)


@program
def a_stored_argument(compile):
    class Difference:
        last = ONES

        def __init__(self):
            self.last = np.zeros(2, np.float32)

        def __call__(self, x):
            difference, self.last = x - self.last, x
            return difference

    step, x = compile(Difference()), np.zeros(2, np.float32)
    found = []
    for _ in range(8):
        x += 1  # also changes what is stored
        found.append(step(x))
    return found


@program
def arrays_that_become_one(compile):
    arrays = [np.zeros(2), np.zeros(2)]

    def step(x):
        if x[0] > 3:
            arrays[1] = arrays[0]
        arrays[0] += x
        arrays[1] -= 2 * x
        return arrays[0] + arrays[1]

    step, found = compile(step), []
    for i in range(12):
        if i == 6 or i == 9:
            arrays[1] = arrays[1].copy()
        found.append(step(ONES * i))
    return found
