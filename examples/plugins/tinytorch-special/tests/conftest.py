"""What the tests share: PyTorch, on one thread, for tests marked `peers`."""

import pytest


@pytest.fixture(scope="session")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch
