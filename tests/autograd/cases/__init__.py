"""Every differentiable op, called in every way that a rule must get right.

Each module is a family. `CASES` are calls written out, `DESCRIBED` the functions of NumPy that are
described by what they take.
"""

from . import (
    choices,
    compositions,
    einsum,
    elementwise,
    fourier,
    indices,
    joins,
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
    slopes,
)
from .case import SAME, Case, spread
from .described import Described

__all__ = ["CASES", "DESCRIBED", "SAME", "Case", "Described", "spread"]

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
    *joins.joins(),
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
    *slopes.DESCRIBED,
    *products.DESCRIBED,
    *einsum.DESCRIBED,
    *linear_algebra.DESCRIBED,
    *norms.DESCRIBED,
    *fourier.DESCRIBED,
)
