"""Sequential as a list of layers."""

import numpy as np
import pytest

from tinytorch_layers import Linear, Sequential


def names(model):
    return [getattr(layer, "__name__", None) or str(layer) for layer in model]


@pytest.fixture
def model():
    return Sequential(np.sin, np.cos, np.tanh)


def test_items_can_be_replaced_inserted_and_removed(model):
    model[1] = np.exp
    model.insert(0, np.log1p)
    assert names(model) == ["log1p", "sin", "exp", "tanh"]
    model.insert(-1, np.abs).extend([np.sqrt]).append(np.square)
    assert names(model) == ["log1p", "sin", "exp", "absolute", "tanh", "sqrt", "square"]
    assert model.pop() is np.square
    assert model.pop(0) is np.log1p
    del model[0]
    model[1:3] = [np.negative]
    assert names(model) == ["exp", "negative", "sqrt"]
    np.testing.assert_allclose(model(-1j), np.sqrt(-np.exp(-1j)))
    assert len(model) == 3
    assert vars(model).keys() == {"_length", "0", "1", "2"}


def test_parameters_follow_the_items():
    model = Sequential(Linear(1, 2), Linear(2, 3))
    model.insert(0, Linear(1, 1))
    assert [name for name, _ in model.named_parameters()][::2] == [
        "0.weight",
        "1.weight",
        "2.weight",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.extend([np.sin, 3]),
        lambda model: model.insert(1, Linear),
        lambda model: model.__setitem__(0, "relu"),
        lambda model: model.__setitem__(9, np.sin),
        lambda model: model.pop(5),
    ],
    ids=["extend", "insert", "assign", "index", "pop"],
)
def test_a_wrong_layer_changes_nothing(model, change):
    with pytest.raises((TypeError, IndexError)):
        change(model)
    assert names(model) == ["sin", "cos", "tanh"]
