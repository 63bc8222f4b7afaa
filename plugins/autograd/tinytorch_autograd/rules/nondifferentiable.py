"""Functions whose results are constant wherever they have a derivative at all."""

from __future__ import annotations

import numpy as np

from tinytorch_autograd.rules.family import Family

family = Family()

# Whole numbers, and numbers of the computer's grid.
family.constants(np.round, np.around, np.fix, np.spacing, np.nextafter)
family.constants(np.floor_divide, np.bitwise_count, np.gcd, np.lcm)
family.constants(np.left_shift, np.right_shift, np.digitize, np.packbits, np.unpackbits)
# Indices and counts.
family.constants(np.argsort, np.argpartition, np.argwhere, np.flatnonzero, np.nonzero)
family.constants(np.ix_, np.diag_indices_from, np.tril_indices_from, np.triu_indices_from)
family.constants(
    np.einsum_path, np.lexsort, np.nanargmax, np.nanargmin, np.searchsorted, np.count_nonzero
)
family.constants(np.isin, np.shape, np.ndim, np.size)
# Truth.
family.constants(np.all, np.any, np.allclose, np.isclose, np.array_equal, np.array_equiv)
family.constants(np.iscomplex, np.isreal, np.iscomplexobj, np.isrealobj, np.isneginf, np.isposinf)
family.constants(np.may_share_memory, np.shares_memory)
# What takes no more than the shape and the dtype.
family.constants(np.zeros_like, np.ones_like, np.empty_like, np.common_type, np.result_type)
family.constants(np.min_scalar_type, np.can_cast)
# Text.
family.constants(np.array2string, np.array_repr, np.array_str)
