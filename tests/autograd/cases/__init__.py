"""Calls of every differentiable op, with which the tests check its rule.

`CASES` are single calls. `DESCRIBED` are NumPy functions, each with many combinations of arguments.
"""

from . import (
    choices,
    compositions,
    concatenation,
    differences,
    einsum,
    elementwise,
    fourier,
    indices,
    linear_algebra,
    methods_of_ufuncs,
    norms,
    numbers,
    operators,
    products,
    rearranging,
    reducing,
    reductions,
    selecting,
    shapes,
)
from .case import SAME, Case, naming, spread
from .described import Described, concatenated

__all__ = [
    "CASES",
    "DESCRIBED",
    "SAME",
    "Case",
    "Described",
    "by_function",
    "concatenated",
    "naming",
    "spread",
]

CASES = (
    *operators.operators(),
    *operators.other_operands(),
    *operators.powers(),
    *products.products_of_matrices(),
    *elementwise.elementwise(),
    *choices.choices(),
    *reductions.reductions(),
    *shapes.shapes(),
    *indices.indices(),
    *concatenation.concatenation(),
    *compositions.through_numpy(),
    *compositions.methods(),
    *compositions.compositions(),
)

DESCRIBED = (
    *numbers.DESCRIBED,
    *reducing.DESCRIBED,
    *methods_of_ufuncs.DESCRIBED,
    *rearranging.DESCRIBED,
    *selecting.DESCRIBED,
    *differences.DESCRIBED,
    *products.DESCRIBED,
    *einsum.DESCRIBED,
    *linear_algebra.DESCRIBED,
    *norms.DESCRIBED,
    *fourier.DESCRIBED,
)


def by_function(cases_of):
    """Return each of CASES by name, and the cases `cases_of(described)` by name of the function.

    Thousands of tests of one case each would take longer than the cases.
    """
    found = {case.name: [case] for case in CASES}
    for described in DESCRIBED:
        found.setdefault(f"np.{described.name}", []).extend(cases_of(described))
    return found
