"""Writes `expected.npz`, what PyTorch computes for each case, for machines that lack it.

    python -m tests.layers.make_expected

From the root of the repository, after a change of the cases.
"""

import warnings

import numpy as np

from tests.layers.cases import CASES, EXPECTED, compute_in_torch


def main():
    import torch  # here, because tests without it collect this file too

    warnings.filterwarnings("ignore", "Using padding='same'")
    arrays = {
        f"{case.id}: {name}": array
        for case in CASES
        for name, array in compute_in_torch(case, torch).items()
    }
    np.savez_compressed(EXPECTED, **arrays)
    print(f"{EXPECTED}: {len(arrays)} arrays, {EXPECTED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
