"""Module: parameters and child modules, state, repr, and operations on all parameters."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import ReLU, relu
from tinytorch_autograd import grad
from tinytorch_layers import (
    BatchNorm1d,
    Dropout,
    Linear,
    Module,
    Parameter,
    Residual,
    Sequential,
)


class Network(Module):
    """Holds modules in every supported way, and does not call super().__init__()."""

    def __init__(self):
        self.first = Linear(2, 3, generator=0)
        self.blocks = [Linear(3, 3, generator=i) for i in range(2)]
        self.heads = {"a": Linear(3, 1, generator=3)}
        self.scale = Parameter(2.0)
        self.pair = (Parameter(np.zeros(2)), "a word")
        self.again = self.first
        self.tied = self.scale
        self.norm = BatchNorm1d(3)
        self.activation = relu
        self.size = 3

    def forward(self, x):
        x = self.norm(self.activation(self.first(x)))
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x) * self.scale


NAMES = [
    "scale",
    "pair.0",
    "first.weight",
    "first.bias",
    "blocks.0.weight",
    "blocks.0.bias",
    "blocks.1.weight",
    "blocks.1.bias",
    "heads.a.weight",
    "heads.a.bias",
    "norm.weight",
    "norm.bias",
]
BUFFERS = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]


@pytest.fixture
def network():
    return Network()


def test_parameters_are_found_in_attributes_and_containers(network):
    assert [name for name, _ in network.named_parameters()] == NAMES
    assert [id(p) for p in network.parameters()] == [id(p) for _, p in network.named_parameters()]
    assert dict(network.named_parameters())["blocks.1.weight"] is network.blocks[1].weight


def test_modules_are_listed_once_and_before_their_children(network):
    names = [name for name, _ in network.named_modules()]
    assert names == ["", "first", "blocks.0", "blocks.1", "heads.a", "norm"]
    assert next(network.modules()) is network
    assert [name for name, _ in network.named_children()] == [*names[1:5], "again", "norm"]
    assert network.first in list(network.children())


def test_buffers_are_not_parameters(network):
    assert [name for name, _ in network.named_buffers()] == BUFFERS
    assert len(list(network.buffers())) == 3


def test_later_assignments_change_the_parameters(network):
    network.extra = Linear(1, 1)
    network.scale = None
    names = [name for name, _ in network.named_parameters()]
    assert "extra.weight" in names
    assert "scale" not in names


def test_cycle_of_modules_is_traversed_once(network):
    network.first.parent = network
    assert len(list(network.modules())) == 6
    assert [name for name, _ in network.named_parameters()] == NAMES
    assert "(parent): ..." in repr(network)


def test_module_with_equality_is_not_hashed():
    @dataclasses.dataclass
    class Scaled(Module):
        inner: Module
        factor: Parameter

    module = Scaled(Linear(1, 1), Parameter(2.0))
    assert [name for name, _ in module.named_parameters()] == [
        "factor",
        "inner.weight",
        "inner.bias",
    ]


def test_train_and_eval_reach_every_module(network):
    assert all(m.training for m in network.modules())
    assert network.eval() is network
    assert not any(m.training for m in network.modules())
    network.train()
    assert all(m.training for m in network.modules())


def test_apply_reaches_every_module_once(network):
    seen = []
    assert network.apply(seen.append) is network
    assert seen == list(network.modules())


def test_zero_grad_sets_all_gradients_to_none(network):
    network(np.ones((4, 2), np.float32)).sum().backward()
    assert network.first.weight.grad is not None
    network.zero_grad()
    assert all(p.grad is None for p in network.parameters())


def test_requires_grad_freezes_and_unfreezes(network):
    network.first.requires_grad_(False)
    network(np.ones((4, 2), np.float32)).sum().backward()
    assert network.first.weight.grad is None
    assert network.blocks[0].weight.grad is not None
    network.requires_grad_()
    assert network.first.weight.requires_grad


def test_repr_shows_the_tree_of_modules(network):
    model = Sequential(Linear(2, 3), ReLU(), Residual(Dropout(0.1), relu), Sequential())
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(2, 3)\n"
        "  (1): ReLU()\n"
        "  (2): Residual(\n"
        "    (body): Sequential(\n"
        "      (0): Dropout(0.1)\n"
        "      (1): relu\n"
        "    )\n"
        "  )\n"
        "  (3): Sequential()\n"
        ")"
    )
    lines = repr(network).splitlines()
    assert lines[0] == "Network("
    assert "  (blocks.1): Linear(3, 3)" in lines
    assert "  (activation): relu" in lines
    assert not [line for line in lines if "size" in line or "pair" in line]


@pytest.mark.parametrize(
    "text",
    [
        "Linear(4, 3)",
        "Linear(4, 3, bias=False)",
        "Flatten()",
        "Flatten(start_dim=0, end_dim=2)",
        "Dropout(0.25)",
        "LayerNorm(4)",
        "LayerNorm((2, 3), eps=0.1, elementwise_affine=False)",
        "LayerNorm(4, bias=False)",
        "BatchNorm1d(3)",
        "BatchNorm2d(3, eps=0.1, momentum=None, affine=False)",
        "Embedding(5, 3)",
        "Embedding(5, 3, padding_idx=0)",
        "Conv2d(1, 6, kernel_size=5, padding=2)",
        "Conv2d(2, 4, kernel_size=(3, 1), stride=2, padding='valid', dilation=2, groups=2,"
        " bias=False)",
        "MaxPool2d(2)",
        "MaxPool2d(3, stride=2, padding=1, dilation=2)",
        "AvgPool2d((2, 3), stride=1)",
    ],
)
def test_repr_of_a_layer_is_the_call_that_creates_it(text):
    import tinytorch_layers

    assert repr(eval(text, vars(tinytorch_layers))) == text


def test_module_without_forward_raises():
    with pytest.raises(NotImplementedError, match=r"Mine must define forward\(\)"):
        type("Mine", (Module,), {})()(1)


# Parameters.


def test_parameter_is_tracked_and_its_results_are_tensors():
    p = Parameter([1.0, 2.0])
    assert p.requires_grad
    assert p.is_leaf
    assert p.dtype == np.float32
    for result in (p * 2, 2 * p, p + Tensor([1.0, 1.0]), np.exp(p), p[0], p.detach(), p.copy()):
        assert type(result) is Tensor
    assert type(grad((p * p).sum(), p)) is Tensor
    assert not Parameter([1.0], requires_grad=False).requires_grad


def test_parameter_copies_its_data_and_must_be_floating():
    array = np.zeros(2)
    p = Parameter(array)
    array += 1
    assert p.tolist() == [0, 0]
    with pytest.raises(TypeError, match="floating-point numbers, not int64"):
        Parameter(np.arange(3))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(network, copied):
    x = np.ones((4, 2), np.float32)
    twin = copied(network)
    assert [name for name, _ in twin.named_parameters()] == NAMES
    assert twin.again is twin.first
    for original, duplicate in zip(network.parameters(), twin.parameters(), strict=True):
        assert type(duplicate) is Parameter
        assert duplicate.requires_grad
        np.testing.assert_array_equal(original.data, duplicate.data)
    np.testing.assert_array_equal(twin(x).data, network(x).data)
    twin.first.weight.data[...] = 0
    assert network.first.weight.data.any()


@pytest.mark.parametrize("data", [[1.0], np.zeros((3, 2))], ids=["list", "array"])
def test_shallow_copy_of_a_parameter_shares_its_array(data):
    p = Parameter(data)
    twin = copy.copy(p)
    assert type(twin) is Parameter
    assert twin.data is p.data
    assert twin.requires_grad


def test_copied_parameter_keeps_requires_grad_and_attributes():
    p = Parameter([1.0], requires_grad=False)
    p.note = "mine"
    twin = copy.deepcopy(p)
    assert not twin.requires_grad
    assert twin.note == "mine"


# The state.


def test_state_dict_holds_copies_of_parameters_and_buffers(network):
    state = network.state_dict()
    assert list(state) == [*NAMES, *BUFFERS]
    assert all(type(array) is np.ndarray for array in state.values())
    state["first.weight"][...] = 7
    assert not (network.first.weight.data == 7).any()


def test_load_state_dict_restores_every_bit_in_place(network):
    other = Network()
    for p in other.parameters():
        p.data += 1
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
    network(x)
    array = other.first.weight.data
    left = other.load_state_dict(network.state_dict())
    assert (left.missing_keys, left.unexpected_keys) == ([], [])
    assert other.first.weight.data is array
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value)
    np.testing.assert_array_equal(other.eval()(x).data, network.eval()(x).data)


def test_load_state_dict_converts_tensors_lists_and_precision():
    layer = Linear(1, 2)
    layer.load_state_dict({"weight": Tensor(np.array([[0.5, 1.5]])), "bias": [1, 2]})
    assert layer.weight.tolist() == [[0.5, 1.5]]
    assert layer.bias.tolist() == [1, 2]
    assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_load_state_dict_lists_all_mismatches_and_changes_nothing(network):
    before = network.state_dict()
    wrong = {name: array + 1 for name, array in before.items()}
    wrong["first.weight"] = np.zeros((3, 2))
    wrong["norm.num_batches_tracked"] = np.array(0.5)
    wrong["foreign"] = np.zeros(1)
    del wrong["scale"], wrong["heads.a.bias"]
    with pytest.raises(ValueError, match="cannot load this state into Network; nothing") as raised:
        network.load_state_dict(wrong)
    assert str(raised.value).splitlines()[1:] == [
        "  first.weight has shape (3, 2), expected (2, 3)",
        "  norm.num_batches_tracked has dtype float64, which cannot be converted to int64",
        "  scale is missing",
        "  heads.a.bias is missing",
        "  foreign is unexpected",
        "  Axes in reverse order: use load_torch_state() for a state of PyTorch, and"
        " load_state_dict() for others",
    ]
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(before[name], value)


def test_load_state_dict_not_strict_returns_missing_and_unexpected_names():
    layer = Linear(1, 2)
    bias = layer.bias.data.copy()
    left = layer.load_state_dict({"weight": np.ones((1, 2)), "other": 1}, strict=False)
    assert left == (["bias"], ["other"])
    assert layer.weight.tolist() == [[1, 1]]
    np.testing.assert_array_equal(layer.bias.data, bias)
    with pytest.raises(ValueError, match=r"weight has shape \(2, 1\)"):
        layer.load_state_dict({"weight": np.ones((2, 1)), "bias": [9, 9]}, strict=False)
    np.testing.assert_array_equal(layer.bias.data, bias)


def test_load_state_dict_requires_a_mapping():
    with pytest.raises(TypeError, match=r"a dict from names to arrays.*, not int: 3"):
        Linear(2, 1).load_state_dict(3)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("a.b", np.zeros(1), ValueError, "must be an identifier, not 'a.b'"),
        ("taken", np.zeros(1), ValueError, "Mine already has an attribute 'taken'"),
        ("forward", np.zeros(1), ValueError, "Mine already has an attribute 'forward'"),
        ("free", [1.0], TypeError, "'free' of Mine must be an array, a Tensor or None, not list"),
    ],
)
def test_invalid_buffers_raise(name, value, error, message):
    mine = type("Mine", (Module,), {})()
    mine.taken = 1
    with pytest.raises(error, match=message):
        mine.register_buffer(name, value)
    assert not list(mine.named_buffers())


def test_buffer_can_be_replaced_or_none():
    mine = Module()
    mine.register_buffer("mean", np.zeros(2))
    mine.register_buffer("none", None)
    mine.mean = Tensor([1.0, 2.0])
    mine.register_buffer("mean", mine.mean)
    assert {name: a.tolist() for name, a in mine.state_dict().items()} == {"mean": [1.0, 2.0]}


# Containers.


def test_sequential_applies_its_layers_in_order():
    double, square = (lambda x: 2 * x), (lambda x: x * x)
    model = Sequential(double, square)
    assert model(3) == 36
    assert model.append(double)(3) == 72
    assert len(model) == 3
    assert list(model) == [double, square, double]
    assert model[1] is square
    assert model[-1] is double
    assert type(model[1:]) is Sequential
    assert model[1:](3) == 18
    with pytest.raises(IndexError):
        model[3]


def test_sequential_names_its_parameters_like_pytorch():
    model = Sequential(Linear(1, 1), relu, Sequential(Linear(1, 1, bias=False)))
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.0.weight"]


def test_residual_adds_its_input():
    layer = Linear(2, 2, dtype=np.float64)
    x = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(Residual(layer)(x).data, x + layer(x).data)
    np.testing.assert_array_equal(Residual(layer, shortcut=layer)(x).data, 2 * layer(x).data)
    assert Residual()(x).tolist() == [[2.0, 4.0]]
