"""manual_seed."""

import numpy as np
import pytest

from tinytorch_layers import Dropout, Linear, Sequential, manual_seed
from tinytorch_modules import randomness
from tinytorch_training import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def without_seed(monkeypatch):
    monkeypatch.setattr(randomness, "_seeds", None)


def draws():
    model = Sequential(Linear(3, 3), Linear(3, 3), Dropout(0.5))
    loader = DataLoader(TensorDataset(np.arange(8)), 8, shuffle=True)
    ((order,),) = loader
    return [*(p.data for p in model.parameters()), model(np.ones((4, 3), np.float32)), order.data]


def test_a_seed_makes_layers_masks_and_orders_repeatable():
    manual_seed(3)
    first = draws()
    further = draws()
    manual_seed(3)
    again = draws()
    manual_seed(4)
    other = draws()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, further, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))
    assert not (first[0] == first[2]).all()  # two layers of one model


def test_explicit_generators_do_not_depend_on_the_seed():
    expected = Linear(2, 2, generator=0).weight.data
    manual_seed(1)
    assert (Linear(2, 2, generator=0).weight.data == expected).all()


def test_without_a_seed_every_model_differs():
    assert (Linear(4, 4).weight.data != Linear(4, 4).weight.data).any()


@pytest.mark.parametrize("seed", [1.5, True, None, "1"])
def test_the_seed_must_be_an_integer(seed):
    with pytest.raises(TypeError, match=r"seed of manual_seed\(\) must be an integer"):
        manual_seed(seed)


def test_the_seed_must_not_be_negative():
    with pytest.raises(ValueError, match=r"must not be negative, got -1"):
        manual_seed(-1)
