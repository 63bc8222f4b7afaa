"""Errors of layers: each names the layer, what was expected, and what was passed."""

import re

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import Embedding, Linear, Residual, Sequential, init
from tinytorch_layers import functional as F

from .cases import PUBLIC_NAMES


def layer(call):
    return eval(call, PUBLIC_NAMES)


@pytest.mark.parametrize("kind", [np.asarray, Tensor], ids=["array", "Tensor"])
@pytest.mark.parametrize(
    ("call", "shape", "message"),
    [
        ("Linear(64, 10)", (32, 63), "expects an input of shape (..., 64), got (32, 63)"),
        ("Linear(64, 10)", (), "expects an input of shape (..., 64), got ()"),
        ("LayerNorm(4)", (4, 3), "expects an input of shape (..., 4), got (4, 3)"),
        ("LayerNorm((3, 4))", (4,), "expects an input of shape (..., 3, 4), got (4,)"),
        ("BatchNorm1d(3)", (4, 2), "shape (N, 3) or (N, 3, L), got (4, 2)"),
        ("BatchNorm1d(3)", (4, 3, 2, 2), "(N, 3) or (N, 3, L), got (4, 3, 2, 2)"),
        ("BatchNorm1d(3)", (1, 3), "training mode needs more than one value for each channel"),
        ("BatchNorm2d(3)", (4, 3), "shape (N, 3, H, W), got (4, 3)"),
        ("BatchNorm2d(3)", (4, 2, 5, 5), "shape (N, 3, H, W), got (4, 2, 5, 5)"),
        ("Conv2d(3, 8, kernel_size=5)", (8, 8), "(N, 3, H, W) or (3, H, W), got (8, 8)"),
        ("Conv2d(3, 8, kernel_size=5)", (1, 1, 8, 8), "or (3, H, W), got (1, 1, 8, 8)"),
        ("Conv2d(3, 8, kernel_size=5)", (1, 3, 4, 9), "covers 5 x 5 pixels, but the padded input"),
        ("Conv2d(1, 1, kernel_size=3, padding=1, dilation=3)", (1, 1, 4, 9), "only 6 x 11"),
        ("MaxPool2d(2)", (8, 8), "shape (N, C, H, W) or (C, H, W), got (8, 8)"),
        ("MaxPool2d(3)", (1, 1, 2, 2), "covers 3 x 3 pixels, but the padded input has only 2 x 2"),
        ("AvgPool2d(3)", (1, 1, 2, 2), "covers 3 x 3 pixels, but the padded input has only 2 x 2"),
        ("Flatten(start_dim=2)", (3, 4), "merge the axes 2 to -1 of an input of shape (3, 4)"),
        ("Flatten()", (3,), "merge the axes 1 to -1 of an input of shape (3,)"),
        ("Flatten(start_dim=2, end_dim=1)", (3, 4, 5), "cannot merge the axes 2 to 1"),
    ],
)
def test_input_of_wrong_shape_raises(kind, call, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        layer(call)(kind(np.zeros(shape, np.float32)))
    assert call in str(raised.value)


@pytest.mark.parametrize(
    "call",
    ["Linear(2, 2)", "Conv2d(1, 1, kernel_size=1)", "MaxPool2d(1)", "LayerNorm(2)", "Dropout(0.5)"],
)
def test_input_of_wrong_type_raises(call):
    pattern = re.escape(call)
    with pytest.raises(TypeError, match=rf"{pattern} expects floating-point numbers, not uint8 of"):
        layer(call)(np.zeros((1, 1, 2, 2), np.uint8))
    with pytest.raises(TypeError, match=rf"{pattern} expects a Tensor or an array, not list"):
        layer(call)([[1.0, 2.0]])


def test_an_array_without_a_dtype_of_numpy_is_an_error():
    class Foreign:
        shape, dtype = (1, 2), "float32"

    with pytest.raises(TypeError, match=r"Linear\(2, 2\) expects .*Foreign; pass Tensor\(x\)"):
        layer("Linear(2, 2)")(Foreign())


def test_flatten_accepts_any_dtype_but_not_a_list():
    assert layer("Flatten()")(np.zeros((2, 3, 4), np.uint8)).shape == (2, 12)
    with pytest.raises(TypeError, match=r"Flatten\(\) expects a Tensor or an array, not list"):
        layer("Flatten()")([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([[0, 1], [2, 5]], IndexError, r"Embedding\(5, 2\): index\[1, 1\] is 5.* 5 rows.*0 to 4"),
        (Tensor([0, -1], dtype=np.int64), IndexError, r"index\[1\] is -1, out of range for 5 rows"),
        (np.array(9), IndexError, r"index is 9"),
        (Tensor([0, 1.5]), ValueError, r"index\[1\] is 1.5, but indices must be whole numbers"),
        (np.array([[np.nan]]), ValueError, r"index\[0, 0\] is nan, but indices must be whole"),
        (Tensor([0, 5]), IndexError, r"index\[1\] is 5, out of range for 5 rows"),
        (Tensor([0.0], requires_grad=True), ValueError, r"they require grad; pass indices.detach"),
        (
            np.array([True]),
            TypeError,
            r"whole numbers as indices, not bool of shape \(1,\); pass a",
        ),
    ],
)
def test_invalid_indices_raise(indices, error, message):
    with pytest.raises(error, match=message):
        Embedding(5, 2)(indices)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("Linear(0, 3)", ValueError, "in_features of Linear must be positive, not 0"),
        ("Linear(3, -1)", ValueError, "out_features of Linear must be positive, not -1"),
        ("Linear(2.5, 3)", TypeError, "in_features of Linear must be an integer, not 2.5"),
        ("Linear(True, 3)", TypeError, "in_features of Linear must be an integer, not True"),
        ("Flatten('a')", TypeError, "start_dim of Flatten must be an integer, not 'a'"),
        ("Dropout(1)", ValueError, r"p of Dropout must be in \[0, 1\), not 1"),
        ("Dropout(-0.1)", ValueError, r"p of Dropout must be in \[0, 1\), not -0.1"),
        ("Dropout(float('nan'))", ValueError, r"p of Dropout must be in \[0, 1\), not nan"),
        ("Dropout(Tensor(0.5, requires_grad=True))", TypeError, r"p of Dropout .*pass p\.item\(\)"),
        ("Dropout('half')", TypeError, "p of Dropout must be a number, not 'half'"),
        ("Dropout('0.5')", TypeError, "p of Dropout must be a number, not '0.5'"),
        ("Dropout(False)", TypeError, "p of Dropout must be a number, not False"),
        ("Linear(4, 2, bias='no')", TypeError, "bias of Linear must be True or False, not 'no'"),
        ("Linear(4, 2, bias=0)", TypeError, "bias of Linear must be True or False, not 0"),
        ("Conv2d(1, 1, 1, bias='no')", TypeError, "bias of Conv2d must be True or False"),
        ("LayerNorm(2, bias=None)", TypeError, "bias of LayerNorm must be True or False, not None"),
        ("LayerNorm(2, elementwise_affine='no')", TypeError, "elementwise_affine of LayerNorm"),
        ("BatchNorm1d(2, affine='no')", TypeError, "affine of BatchNorm1d must be True or False"),
        ("Linear(2, 1).train('yes')", TypeError, r"mode of train\(\) must be True or False"),
        ("Linear(2, 1).requires_grad_('no')", TypeError, "must be True or False, not 'no'"),
        ("Linear(2, 1).load_state_dict({}, 'no')", TypeError, r"strict of load_state_dict\(\)"),
        ("Parameter([1.0], requires_grad='no')", TypeError, "must be True or False, not 'no'"),
        ("LayerNorm(0)", ValueError, "normalized_shape of LayerNorm must be positive, not 0"),
        ("LayerNorm(())", ValueError, "must have at least one axis"),
        ("LayerNorm(2, eps=-1)", ValueError, r"eps of LayerNorm must be in \[0, inf\), not -1"),
        ("BatchNorm1d(-3)", ValueError, "num_features of BatchNorm1d must be positive, not -3"),
        ("BatchNorm2d(3, momentum=2)", ValueError, r"momentum of BatchNorm2d must be in \[0, 1\]"),
        ("Embedding(0, 3)", ValueError, "num_embeddings of Embedding must be positive, not 0"),
        ("Embedding(5, 3, padding_idx=5)", IndexError, "padding_idx.*out of range for 5 rows"),
        ("Embedding(5, 3, padding_idx=-6)", IndexError, "padding_idx.*out of range for 5 rows"),
        ("Embedding(5, 3, padding_idx=1.5)", TypeError, "padding_idx of Embedding .* not 1.5"),
        ("Embedding(5, 3, padding_idx=True)", TypeError, "padding_idx of Embedding .* not True"),
        ("Conv2d(0, 3, 3)", ValueError, "in_channels of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, 0)", ValueError, "kernel_size of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, (3, 3, 3))", TypeError, r"one integer, or two for height and width, not \("),
        ("Conv2d(1, 3, 3, stride=0)", ValueError, "stride of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, 3, padding=-1)", ValueError, "padding of Conv2d must be at least 0, not -1"),
        ("Conv2d(1, 3, 3, padding='all')", ValueError, "must be 'same', 'valid', or .* not 'all'"),
        ("Conv2d(1, 3, 3, 2, 'same')", ValueError, r"requires a stride of 1, not \(2, 2\)"),
        ("Conv2d(1, 3, 3, dilation=0)", ValueError, "dilation of Conv2d must be positive, not 0"),
        (
            "Conv2d(4, 6, 3, groups=4)",
            ValueError,
            "must divide in_channels and out_channels, but 4",
        ),
        ("Conv2d(4, 6, 3, groups=0)", ValueError, "groups of Conv2d must be positive, not 0"),
        ("MaxPool2d(2, padding=2)", ValueError, "at most half of the kernel, 2 x 2, not 2 x 2"),
        ("AvgPool2d((1, 2, 3))", TypeError, "kernel_size of AvgPool2d must be one integer"),
        ("BatchNorm2d('3')", TypeError, "num_features of BatchNorm2d must be an integer"),
        ("InstanceNorm2d(0)", ValueError, "num_features of InstanceNorm2d must be positive"),
        ("InstanceNorm2d(3, affine=1)", TypeError, "affine of InstanceNorm2d must be True or Fals"),
        ("AvgPool2d(0)", ValueError, "kernel_size of AvgPool2d must be positive, not 0"),
        ("AvgPool2d(2, stride=0)", ValueError, "stride of AvgPool2d must be positive, not 0"),
        ("Sequential(Linear)", TypeError, "layer 0 of Sequential .* not the class Linear; create"),
        ("Sequential(Flatten(), 3)", TypeError, "layer 1 of Sequential must be a module .* not 3"),
        ("Residual(shortcut=3)", TypeError, "shortcut of Residual must be a module .* not 3"),
    ],
)
def test_invalid_layer_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        layer(call)


def test_residual_whose_layers_change_the_shape_raises():
    x = np.zeros((2, 3), np.float32)
    message = r"output of the layers of Residual has shape \(2, 4\), but the input has .* \(2, 3\)"
    with pytest.raises(ValueError, match=message):
        Residual(Linear(3, 4))(x)
    message = r"has shape \(2, 4\), but the output of the shortcut has shape \(2, 1\)"
    with pytest.raises(ValueError, match=message):
        Residual(Linear(3, 4), shortcut=Linear(3, 1))(x)


def test_error_in_a_network_names_the_layer_and_leaves_the_state_unchanged():
    model = Sequential(Linear(4, 3), Linear(4, 2))
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"Linear\(4, 2\) expects .* got \(5, 3\)"):
        model(np.zeros((5, 4), np.float32))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda a: F.conv2d(a(2, 3, 4), a(1, 1, 2, 2)),
            r"groups=1 cannot use a weight of shape \(1, 1",
        ),
        (lambda a: F.conv2d(a(1, 2, 4, 4), a(1, 1, 2, 2)), r"shape \(1, 2, 4, 4\) with groups=1"),
        (lambda a: F.conv2d(a(1, 2, 4, 4), a(3, 1, 2, 2), groups=2), "with groups=2 cannot use"),
        (lambda a: F.conv2d(a(1, 1, 4, 4), a(1, 1, 5, 2)), "kernel of conv2d covers 5 x 2"),
        (lambda a: F.max_pool2d(a(4, 4), 2), r"max_pool2d expects .* got \(4, 4\)"),
        (lambda a: F.avg_pool2d(a(1, 1, 4, 4), 5), "kernel of avg_pool2d covers 5 x 5"),
        (lambda a: F.linear(a(2, 3), a(4, 5)), r"shapes \(2,3\) and \(4,5\) not aligned"),
    ],
)
def test_errors_of_functions_name_the_function_and_the_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call(lambda *shape: np.zeros(shape))


X = np.zeros((1, 1, 4, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv2d(X, X[..., :2, :2], stride=0.5), TypeError, "stride of conv2d must be an"),
        (lambda: F.conv2d(X.astype(int), X), TypeError, "conv2d expects floating-point numbers"),
        (lambda: F.max_pool2d(X, 1.5), TypeError, "kernel_size of max_pool2d must be an integer"),
        (lambda: F.avg_pool2d(X, "2"), TypeError, "kernel_size of avg_pool2d must be an integer"),
        (lambda: F.dropout(X, X > 0, 1), ValueError, r"p of dropout must be in \[0, 1\)"),
        (lambda: F.dropout(X, X > 0, "half"), TypeError, "p of dropout must be a number"),
        (lambda: F.embedding([4], X[0, 0]), IndexError, r"embedding: index\[0\] is 4, out of"),
        (lambda: F.embedding([0.5], X[0, 0]), ValueError, r"embedding: index\[0\] is 0\.5, but"),
        (lambda: F.embedding([True], X[0, 0]), TypeError, "embedding expects whole numbers"),
        (lambda: F.embedding([0], X[0, 0] > 0), TypeError, "embedding expects floating-point num"),
        (lambda: init.xavier_uniform((3,)), ValueError, "two axes"),
    ],
)
def test_invalid_arguments_of_functions_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()
