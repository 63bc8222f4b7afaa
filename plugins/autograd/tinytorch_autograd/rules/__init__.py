"""The backward rules, by family.

Each is a formula on NumPy arrays. Given Tensors, which speak NumPy's protocols, the same formula
is recorded, and so can be differentiated in turn. A rule may name whatever
`tinytorch_autograd.rule` lists; the node that calls it sums gradients over broadcast axes. For
complex numbers the formula of calculus serves as it stands; `tinytorch_autograd.complex_numbers`
says why, and what a function needs that is not holomorphic.

The families here are ops of the surface. Those in `further` are looked up when such a function of
NumPy first meets a tracked tensor; most functions there are composed of others, and have no rule.
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
