"""Write `expected.npz`: PyTorch's results for each case, so that the tests run without PyTorch.

Run this from the root of the repository after changing the cases:

    python -m tests.layers.make_expected
"""

import warnings

import numpy as np

from tests.layers.cases import CASES, EXPECTED, compute_in_torch


def main():
    import torch  # not at module level: pytest may import this file without PyTorch

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
