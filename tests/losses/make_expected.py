"""Write `expected.npz`: PyTorch's results for each case, so that the tests run without PyTorch.

Run this from the root of the repository after changing the cases:

    python -m tests.losses.make_expected
"""

import numpy as np

from tests.losses.composite_cases import CASES, EXPECTED, compute_in_torch, flat


def main():
    import torch  # not at module level: pytest may import this file without PyTorch

    arrays = {case.id: flat(compute_in_torch(case, torch)) for case in CASES}
    assert len(arrays) == len(CASES)
    np.savez_compressed(EXPECTED, **arrays)
    print(f"{EXPECTED}: {len(arrays)} arrays, {EXPECTED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
