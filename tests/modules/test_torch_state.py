"""Weights of PyTorch: load_torch_state, torch_state, and states that are not loaded as our own."""

from __future__ import annotations

import sys
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy

from tinytorch_core import Tensor

from tinytorch_layers import (
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Embedding,
    LayerNorm,
    Linear,
    Module,
    MultiheadAttention,
    Sequential,
    load_torch_state,
    torch_state,
)

RNG = np.random.default_rng(0)


class FakeTensor:
    """Has what is needed of torch.Tensor, which the tests may have to do without."""

    def __init__(self, array, bfloat16=False):
        self._array = np.array(array)
        self._bfloat16 = bfloat16

    @property
    def __array_interface__(self):
        return self._array.__array_interface__

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        if self._bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return np.asarray(self)  # whose base is this tensor, as in PyTorch

    def float(self):
        return FakeTensor(self._array)


FakeTensor.__module__ = "torch._tensor"


def network() -> Sequential:
    """Return a network of every layer that has a state."""
    return Sequential(
        Conv2d(2, 4, (3, 2), groups=2),
        BatchNorm2d(4),
        Sequential(LayerNorm((5, 4)), Linear(4, 4), Linear(4, 3, bias=False)),
        Embedding(7, 3),
        BatchNorm1d(5, affine=False),
    )


# The shapes that PyTorch's documentation gives for the same layers.
SHAPES = {
    "0.weight": (4, 1, 3, 2),
    "0.bias": (4,),
    "1.weight": (4,),
    "1.bias": (4,),
    "1.running_mean": (4,),
    "1.running_var": (4,),
    "1.num_batches_tracked": (),
    "2.0.weight": (5, 4),
    "2.0.bias": (5, 4),
    "2.1.weight": (4, 4),
    "2.1.bias": (4,),
    "2.2.weight": (3, 4),
    "3.weight": (7, 3),
    "4.running_mean": (5,),
    "4.running_var": (5,),
    "4.num_batches_tracked": (),
}


def random_state() -> dict[str, np.ndarray]:
    return {
        name: RNG.normal(size=shape).astype(np.float32)
        if "num_batches" not in name
        else np.array(3)
        for name, shape in SHAPES.items()
    }


VALUES = {
    "arrays": np.array,
    "tensors of PyTorch": FakeTensor,
    "arrays of PyTorch": lambda array: FakeTensor(array).numpy(),
    "float64": lambda array: array.astype(np.float64) if array.ndim else array,
    "Tensors": lambda array: Tensor(array) if array.ndim else array,
}


@pytest.mark.parametrize("kind", VALUES)
def test_state_of_pytorch_is_loaded_and_given_back(kind) -> None:
    state, model = random_state(), network()
    assert load_torch_state(model, {k: VALUES[kind](v) for k, v in state.items()}) == ([], [])
    np.testing.assert_array_equal(model[2][1].weight.data, state["2.1.weight"].T)
    np.testing.assert_array_equal(model[2][2].weight.data, state["2.2.weight"].T)
    for name, array in model.state_dict().items():
        if name not in ("2.1.weight", "2.2.weight"):
            np.testing.assert_array_equal(array, state[name])
    found = torch_state(model)
    assert {name: array.shape for name, array in found.items()} == SHAPES
    np.testing.assert_equal(dict(found), state)
    assert all(array.flags.c_contiguous for array in found.values())


def test_loaded_linear_computes_what_pytorch_computes() -> None:
    state = {"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([10.0, 20.0])}
    layer = Linear(2, 2)
    load_torch_state(layer, state)
    # PyTorch computes x @ weight.T + bias.
    assert layer(Tensor([[1.0, 0.0]])).tolist() == [[11.0, 23.0]]


def test_names_are_in_the_order_of_pytorch() -> None:
    layer = MultiheadAttention(4, 2, add_bias_kv=True)
    names = ["in_proj_weight", "in_proj_bias", "bias_k", "bias_v"]
    assert list(torch_state(layer)) == [*names, "out_proj.weight", "out_proj.bias"]


def test_torch_state_is_a_copy() -> None:
    layer = Linear(2, 2)
    torch_state(layer)["weight"][...] = 7
    torch_state(layer)["bias"][...] = 7
    assert not any((array == 7).any() for array in layer.state_dict().values())


def test_bfloat16_is_converted(tmp_path) -> None:
    array = np.array([[1.0, -2.5], [0.0, 384.0]], np.float32)
    layer = Linear(2, 2, bias=False)
    load_torch_state(layer, {"weight": FakeTensor(array, bfloat16=True)})
    np.testing.assert_array_equal(layer.weight.data, array.T)
    upper = (array.view(np.uint32) >> 16).astype(np.uint16)
    content = safetensors.numpy.save({"weight": upper}).replace(b'"U16"', b'"BF16"')
    length = int.from_bytes(content[:8], "little") + 1  # the new dtype has one more letter
    (tmp_path / "model").write_bytes(length.to_bytes(8, "little") + content[8:])
    layer = Linear(2, 2, bias=False)
    load_torch_state(layer, tmp_path / "model")
    np.testing.assert_array_equal(layer.weight.data, array.T)


@pytest.mark.parametrize("metadata", [{"format": "pt"}, None])
def test_safetensors_file_is_loaded(tmp_path, metadata) -> None:
    state, model = random_state(), network()
    safetensors.numpy.save_file(state, tmp_path / "model.safetensors", metadata)
    load_torch_state(model, str(tmp_path / "model.safetensors"))
    np.testing.assert_equal(dict(torch_state(model)), state)


class Tied(Module):
    def __init__(self):
        self.first = Linear(2, 2)
        self.second = Linear(2, 2)
        self.second.weight = self.first.weight
        self.again = [self.first]
        self.root = self


TIED = {"weight": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}


def test_tied_weights_have_all_their_names() -> None:
    model = Tied()
    found = torch_state(model)
    assert sorted(found) == sorted(
        [*(f"{n}.{p}" for n in ("first", "second", "again.0") for p in ("weight", "bias"))]
    )
    found["first.weight"][...] = found["second.weight"][...] = TIED["weight"]
    found["again.0.weight"][...] = TIED["weight"]
    other = Tied()
    load_torch_state(other, found)
    np.testing.assert_array_equal(other.second.weight.data, TIED["weight"].T)
    del found["first.weight"], found["again.0.weight"], found["again.0.bias"]
    load_torch_state(Tied(), found)
    before = other.state_dict()
    found["again.0.weight"] = TIED["weight"] + 1
    with pytest.raises(ValueError, match=r"again.0.weight are the same array .* differ"):
        load_torch_state(other, found)
    np.testing.assert_equal(other.state_dict(), before)


def test_old_state_may_lack_num_batches_tracked() -> None:
    model = BatchNorm1d(2)
    state = {name: array for name, array in torch_state(model).items() if array.ndim}
    assert load_torch_state(model, state) == ([], [])
    del state["running_var"]
    with pytest.raises(ValueError, match="running_var is missing"):
        load_torch_state(model, state)


def test_mismatches_are_listed_in_the_shapes_of_pytorch() -> None:
    layer = Linear(3, 2)
    before = layer.state_dict()
    with pytest.raises(ValueError, match="cannot load this state into Linear; nothing") as raised:
        load_torch_state(layer, {"weight": np.zeros((4, 3)), "extra": np.zeros(1)})
    assert str(raised.value).splitlines()[1:] == [
        "  weight has shape (4, 3), expected (2, 3)",
        "  bias is missing",
        "  extra is unexpected",
    ]
    np.testing.assert_equal(layer.state_dict(), before)
    left = load_torch_state(layer, {"weight": np.ones((2, 3)), "extra": np.zeros(1)}, strict=False)
    assert left == (["bias"], ["extra"])
    with pytest.raises(ValueError, match="Axes in reverse order: use load_torch_state"):
        load_torch_state(layer, before)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (3, "expects a file, or a dict .* not int"),
        ({"state_dict": {}, "epoch": 3}, "'state_dict' of this state is of type dict, not an arr"),
        ({"weight": [[1.0]]}, "'weight' of this state is of type list"),
    ],
)
def test_other_values_are_refused(state, message) -> None:
    with pytest.raises(TypeError, match=message):
        load_torch_state(Linear(1, 1), state)


def test_checkpoint_of_ours_is_not_loaded_as_that_of_pytorch(tmp_path) -> None:
    metadata = {"format": "tinytorch-training checkpoint"}
    safetensors.numpy.save_file(TIED, tmp_path / "c", metadata)
    with pytest.raises(ValueError, match=r"save_checkpoint; use load_checkpoint\(\)"):
        load_torch_state(Linear(2, 2, bias=False), tmp_path / "c")


def test_float8_is_refused(tmp_path) -> None:
    text = b'{"weight":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "c").write_bytes(len(text).to_bytes(8, "little") + text + b"a")
    with pytest.raises(TypeError, match="weight has dtype F8_E4M3, which NumPy does not support"):
        load_torch_state(Linear(1, 1), tmp_path / "c")


@pytest.mark.parametrize(
    ("library", "content"), [("torch", b"PK\3\4"), ("safetensors", b"\2\0\0\0\0\0\0\0{}")]
)
def test_missing_library_is_named(tmp_path, monkeypatch, library, content) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ImportError, match=f"model requires {library}, which is not installed"):
        load_torch_state(Linear(1, 1), tmp_path / "model")


def with_metadata(state):
    found = OrderedDict(state)
    found._metadata = {}
    return found


LOOKS_LIKE_PYTORCH = {
    "tensors": lambda: {"weight": FakeTensor(TIED["weight"])},
    "arrays": lambda: {"weight": FakeTensor(TIED["weight"]).numpy()},
    "views of arrays": lambda: {"weight": FakeTensor(TIED["weight"]).numpy()[:]},
    "metadata": lambda: with_metadata(TIED),
    "torch_state": lambda: torch_state(Linear(2, 2, bias=False)),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("case", LOOKS_LIKE_PYTORCH)
def test_state_of_pytorch_is_not_loaded_as_ours(case, strict) -> None:
    layer = Linear(2, 2, bias=False)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"Linear; nothing .* use load_torch_state\(model, state"):
        layer.load_state_dict(LOOKS_LIKE_PYTORCH[case](), strict)
    np.testing.assert_equal(layer.state_dict(), before)
    load_torch_state(layer, LOOKS_LIKE_PYTORCH[case]())


def test_copies_of_arrays_of_pytorch_are_loaded() -> None:
    layer = Linear(2, 2, bias=False)
    transposed = FakeTensor(TIED["weight"]).numpy().T.copy()
    layer.load_state_dict({"weight": transposed})
    np.testing.assert_array_equal(layer.weight.data, TIED["weight"].T)


def test_masked_array_is_not_loaded() -> None:
    masked = np.ma.array([[1.0, 2.0]], mask=[[0, 1]])
    with pytest.raises(ValueError, match="weight is a masked array, whose mask would be lost"):
        Linear(1, 2, bias=False).load_state_dict({"weight": masked})


# With PyTorch itself.


def torch_network(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), groups=2),
        nn.BatchNorm2d(4),
        nn.Sequential(nn.LayerNorm((5, 4)), nn.Linear(4, 4), nn.Linear(4, 3, bias=False)),
        nn.Embedding(7, 3),
        nn.BatchNorm1d(5, affine=False),
    )


@pytest.mark.peers
def test_outputs_agree_with_pytorch_in_both_directions(torch) -> None:
    theirs, ours = torch_network(torch), network()
    assert {name: tuple(t.shape) for name, t in theirs.state_dict().items()} == SHAPES
    images = RNG.normal(size=(3, 2, 7, 5)).astype(np.float32)
    words = RNG.normal(size=(6, 5)).astype(np.float32)

    def check() -> None:
        ours.eval()
        theirs.eval()
        with torch.no_grad():
            expected = theirs[:3](torch.from_numpy(images)).numpy()
            expected_words = theirs[4](torch.from_numpy(words)).numpy()
            expected_rows = theirs[3](torch.tensor([1, 6])).numpy()
        np.testing.assert_allclose(ours[:3](images).data, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ours[4](words).data, expected_words, rtol=1e-5)
        np.testing.assert_array_equal(ours[3]([1, 6]).data, expected_rows)

    theirs[1](torch.randn(8, 4, 3, 3))
    theirs[4](torch.randn(8, 5))
    load_torch_state(ours, theirs.state_dict())
    check()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in torch_state(ours).items()})
    check()


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64", "float16"])
@pytest.mark.parametrize("format", ["zip", "legacy", "safetensors"])
def test_files_of_pytorch_are_loaded(tmp_path, torch, format, dtype) -> None:
    theirs = torch.nn.Linear(3, 3).to(getattr(torch, dtype))
    file = tmp_path / "model.pt"
    if format == "safetensors":
        import safetensors.torch

        safetensors.torch.save_model(theirs, file)
    else:
        torch.save(theirs.state_dict(), file, _use_new_zipfile_serialization=format == "zip")
    ours = Linear(3, 3)
    load_torch_state(ours, file)
    weight = theirs.weight.detach().float().numpy()
    np.testing.assert_array_equal(ours.weight.data, weight.T)


@pytest.mark.peers
def test_state_of_pytorch_itself_is_not_loaded_as_ours(torch) -> None:
    theirs, ours = torch.nn.Linear(3, 3), Linear(3, 3)
    before = ours.state_dict()
    state = theirs.state_dict()
    states = [
        state,
        dict(state),
        dict(theirs.named_parameters()),
        {name: tensor.numpy() for name, tensor in state.items()},
        {name: np.asarray(tensor) for name, tensor in state.items()},
    ]
    for each in states:
        with pytest.raises(ValueError, match="use load_torch_state"):
            ours.load_state_dict(each)
    np.testing.assert_equal(ours.state_dict(), before)


@pytest.mark.peers
def test_tied_weights_are_given_to_pytorch(torch) -> None:
    class TheirTied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(2, 2)
            self.second = torch.nn.Linear(2, 2)
            self.second.weight = self.first.weight
            self.again = torch.nn.ModuleList([self.first])

    theirs, ours = TheirTied(), Tied()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in torch_state(ours).items()})
    np.testing.assert_array_equal(theirs.second.weight.detach().numpy().T, ours.first.weight.data)
    load_torch_state(ours, theirs.state_dict())
