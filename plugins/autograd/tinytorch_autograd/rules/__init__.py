"""The backward rules, by family.

A rule is a formula on NumPy arrays. With Tensors, which implement NumPy's protocols, the same
formula is recorded, which gives higher derivatives. `tinytorch_autograd.rule` lists the arguments
that a rule may name. The node that calls a rule sums the gradient over broadcast axes. For complex
numbers see `tinytorch_autograd.complex_numbers`.

The families in `FAMILIES` are ops of the surface. Those in `on_demand` are imported when one of
their NumPy functions first gets a tracked tensor; most of these functions are composed of other
ops and do not need a rule.
"""

from tinytorch_autograd.rules import (
    arithmetic,
    complex_parts,
    elementwise,
    linear_algebra,
    reductions,
    shapes,
)

FAMILIES = (
    arithmetic.family,
    complex_parts.family,
    elementwise.family,
    reductions.family,
    shapes.family,
    linear_algebra.family,
)
