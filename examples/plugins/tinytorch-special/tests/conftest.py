"""A fixture for the tests marked `peers`: PyTorch, limited to one thread."""

import pytest


@pytest.fixture(scope="session")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch
