"""The families that are looked up when a NumPy function first meets a tracked tensor.

A start pays only for those in `tinytorch_autograd.rules`, whose functions are ops of the surface.
"""

from tinytorch_autograd.rules import (
    accumulations,
    converting,
    cutting,
    differences,
    flat,
    joining,
    moving,
    nan_functions,
    numbers,
    padding,
    polynomials,
    rounding,
    selecting,
    sorting,
    special,
    statistics,
    ufuncs,
    whole_reductions,
)

FAMILIES = (
    numbers.family,
    rounding.family,
    special.family,
    ufuncs.family,
    whole_reductions.family,
    nan_functions.family,
    statistics.family,
    accumulations.family,
    differences.family,
    polynomials.family,
    moving.family,
    padding.family,
    joining.family,
    cutting.family,
    sorting.family,
    selecting.family,
    converting.family,
    flat.family,
)
