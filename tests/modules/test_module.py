"""Module: parameters and child modules, state, repr, and operations on all parameters."""

import copy
import dataclasses
import pickle
import warnings
from collections import deque

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import LeakyReLU, ReLU, relu
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
from tinytorch_losses import CrossEntropyLoss


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


def test_module_without_forward_raises():
    with pytest.raises(NotImplementedError, match=r"Mine must define forward\(\)"):
        type("Mine", (Module,), {})()(1)


# Attributes that would lose a parameter.


@pytest.mark.parametrize(
    "value",
    [np.ones((4, 2)), Tensor(np.ones((4, 2))), [[1.0] * 2] * 4, 1.0, np.tanh],
    ids=["array", "Tensor", "list", "number", "function"],
)
def test_only_a_parameter_replaces_a_parameter(value):
    layer = Linear(4, 2)
    weight = layer.weight
    message = r"weight of Linear is a Parameter, .*Copy the values with weight.data\[...\] = values"
    with pytest.raises(TypeError, match=message):
        layer.weight = value
    assert layer.weight is weight
    layer.weight = Parameter(np.ones((4, 2)))
    assert layer.state_dict()["weight"].tolist() == [[1.0, 1.0]] * 4
    del layer.weight
    layer.weight = value
    assert [name for name, _ in layer.named_parameters()] == ["bias"]


@pytest.mark.parametrize("value", [np.ones(2), 3, "relu", Linear], ids=repr)
def test_only_a_layer_replaces_a_layer(value):
    model = Residual(Linear(2, 2))
    body = model.body
    with pytest.raises(TypeError, match=r"body of Residual is a module, .*a module, a function"):
        model.body = value
    assert model.body is body
    for replacement in (np.tanh, [Linear(2, 2)], Linear(2, 2), None):
        model.body = replacement


def test_only_an_array_replaces_a_buffer():
    norm = BatchNorm1d(2)
    message = "buffer 'running_mean' of BatchNorm1d must be an array, a Tensor or None, not list"
    with pytest.raises(TypeError, match=message):
        norm.running_mean = [0.0, 0.0]
    assert norm.running_mean.tolist() == [0, 0]


class Holder(Module):
    """Has one layer, and one attribute with a given value."""

    def __init__(self, value):
        self.first = Linear(1, 1)
        self.others = value


LISTINGS = [
    lambda m: list(m.parameters()),
    lambda m: list(m.modules()),
    Module.state_dict,
    Module.eval,
]


@pytest.mark.parametrize("listing", LISTINGS, ids=["parameters", "modules", "state_dict", "eval"])
@pytest.mark.parametrize("kind", [set, frozenset, deque])
@pytest.mark.parametrize("nested", [False, True])
def test_layers_in_sets_and_deques_raise(kind, nested, listing):
    container = kind([(Linear(2, 3),) if nested else Linear(2, 3)])
    holder = Holder([container] if nested else container)
    name = "others.0" if nested else "others"
    message = rf"Linear\(2, 3\) would be neither .*: Holder.{name} is a {kind.__name__}; use a list"
    with pytest.raises(TypeError, match=message):
        listing(holder)
    assert holder.first.training


def test_parameter_in_a_set_raises():
    with pytest.raises(TypeError, match=r"Parameter of shape \(2,\) would be neither .* is a set"):
        list(Holder({Parameter([1.0, 2.0])}).parameters())


def test_set_may_refer_to_layers_that_have_a_name():
    holder = Holder({"a word", 3})
    holder.others |= {holder.first, holder.first.weight}
    assert list(holder.state_dict()) == ["first.weight", "first.bias"]
    assert "others" not in repr(holder)


@pytest.mark.parametrize(
    "value", [Linear(1, 2), [Linear(1, 2)], {Linear(1, 2)}, Parameter([1.0])], ids=repr
)
@pytest.mark.parametrize("listing", [LISTINGS[0], LISTINGS[2]], ids=["parameters", "state_dict"])
def test_layers_in_class_attributes_raise(value, listing):
    base = type("Base", (Module,), {"shared": value})
    derived = type("Derived", (base,), {})
    message = r"would be neither .*: Derived.shared belongs to the class; assign self.shared"
    with pytest.raises(TypeError, match=message):
        listing(derived())
    # Attributes of instances and of derived classes replace it.
    overriding = derived()
    overriding.shared = Linear(3, 3)
    assert [p.shape for p in overriding.parameters()] == [(3, 3), (3,)]
    assert not list(type("Without", (derived,), {"shared": None})().parameters())


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [t]], ids=["attribute", "list"])
def test_tensor_that_requires_grad_warns_at_the_line_of_the_user(wrap):
    holder = Holder(wrap(Tensor([1.0], requires_grad=True)))
    message = r"Holder.others(.0)? is a Tensor that requires grad. .*assign Parameter\(...\)"
    with pytest.warns(UserWarning, match=message) as warned:
        assert len(list(holder.parameters())) == 2
    assert [w.filename for w in warned] == [__file__]


def test_other_tensors_do_not_warn():
    holder = Holder([Tensor([1.0]), Parameter([1.0]) * 2, Parameter([1.0])])
    holder.register_buffer("factor", Tensor([1.0], requires_grad=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert next(iter(holder.state_dict())) == "others.2"


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


class Tied(Module):
    """Holds one weight and one whole layer under two names each."""

    def __init__(self):
        self.embed = Linear(2, 2, bias=False)
        self.out = Linear(2, 2)
        self.out.weight = self.embed.weight
        self.blocks = [BatchNorm1d(2)]
        self.last = {"norm": self.blocks[0]}
        self.last["norm"].parent = self


@pytest.mark.parametrize(
    "rename",
    [
        {},
        {"embed.weight": "out.weight"},
        {"blocks.0.weight": "last.norm.weight", "blocks.0.running_mean": "last.norm.running_mean"},
        {"embed.weight": "last.norm.parent.out.weight"},
    ],
    ids=str,
)
@pytest.mark.parametrize("keep", [False, True], ids=["one name", "both names"])
def test_state_may_have_any_name_of_what_is_held_twice(rename, keep):
    state = {name: array + 1 for name, array in Tied().state_dict().items()}
    assert "out.weight" not in state
    given = {rename.get(name, name): array for name, array in state.items()}
    model = Tied()
    model.load_state_dict({**state, **given} if keep else given)
    np.testing.assert_equal(model.state_dict(), state)


def test_different_values_under_two_names_raise_and_change_nothing():
    model = Tied()
    before = model.state_dict()
    wrong = {**before, "out.weight": before["embed.weight"] + 1}
    with pytest.raises(ValueError, match=r"out.weight and embed.weight are the same .* differ"):
        model.load_state_dict(wrong)
    np.testing.assert_equal(model.state_dict(), before)


@pytest.mark.parametrize("name", ["out.wait", "out", "last.norm", "out.weight.data", "blocks.1.x"])
def test_names_of_other_attributes_are_unexpected(name):
    model = Tied()
    with pytest.raises(ValueError, match=f"{name} is unexpected"):
        model.load_state_dict({**model.state_dict(), name: np.zeros(2)})


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


def test_activations_and_losses_are_modules():
    class Classifier(Module):
        def __init__(self):
            self.layer = Linear(2, 3)
            self.activation = LeakyReLU(0.2)
            self.loss = CrossEntropyLoss(label_smoothing=0.1)

    model = Classifier()
    assert list(model.children()) == [model.layer, model.activation, model.loss]
    visited = []
    model.eval().apply(visited.append)
    assert visited == [model, model.layer, model.activation, model.loss]
    assert not any(module.training for module in visited)
    assert repr(model.activation) == "LeakyReLU(negative_slope=0.2)"
    assert repr(model.loss).endswith("reduction='mean', label_smoothing=0.1)")
    assert list(model.state_dict()) == ["layer.weight", "layer.bias"]


def test_to_converts_parameters_gradients_and_floating_buffers():
    model = Sequential(Linear(2, 2, generator=0), BatchNorm1d(2))
    model(Tensor(np.ones((3, 2), np.float32))).sum().backward()
    assert model.to("float64") is model
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert model[1].running_mean.dtype == np.float64
    assert model[1].num_batches_tracked.dtype.kind == "i"
    assert model(np.ones((3, 2))).dtype == np.float64


@pytest.mark.parametrize("dtype", [int, "complex64", "cuda", None, 3])
def test_to_takes_floating_dtypes_only(dtype):
    layer = Linear(1, 1)
    with pytest.raises(TypeError, match=r"to\(\) takes a floating dtype"):
        layer.to(dtype)
    assert layer.weight.dtype == np.float32


def test_add_module():
    model = Module()
    layer = Linear(1, 1)
    model.add_module("head", layer)
    assert model.head is layer
    model.add_module("head", None)
    assert model.head is None
    with pytest.raises(TypeError, match=r"takes a Module, not <ufunc 'sin'>"):
        model.add_module("sine", np.sin)
    for name in ("a.b", "", 3):
        with pytest.raises(ValueError, match="must be an identifier"):
            model.add_module(name, layer)
    with pytest.raises(ValueError, match="already has an attribute 'forward'"):
        model.add_module("forward", layer)
