"""Functions that are not differentiable: their results are not numbers that vary with the input."""

from __future__ import annotations

import numpy as np

from tinytorch_autograd.rules.family import Family

family = Family()

family.not_differentiable(
    # Whole numbers and bits.
    *(np.bitwise_count, np.gcd, np.lcm, np.left_shift, np.right_shift),
    *(np.digitize, np.packbits, np.unpackbits),
    # Indices and counts.
    *(np.argsort, np.argpartition, np.argwhere, np.flatnonzero, np.nonzero, np.ix_),
    *(np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.einsum_path),
    *(np.lexsort, np.nanargmax, np.nanargmin, np.searchsorted, np.count_nonzero),
    *(np.shape, np.ndim, np.size),
    # Truth values.
    *(np.all, np.any, np.allclose, np.isclose, np.array_equal, np.array_equiv, np.isin),
    *(np.iscomplex, np.isreal, np.iscomplexobj, np.isrealobj, np.isneginf, np.isposinf),
    *(np.may_share_memory, np.shares_memory),
    # Functions that use only the shape and the dtype.
    *(np.zeros_like, np.ones_like, np.empty_like, np.common_type, np.result_type),
    *(np.min_scalar_type, np.can_cast),
    # Text.
    *(np.array2string, np.array_repr, np.array_str),
)
