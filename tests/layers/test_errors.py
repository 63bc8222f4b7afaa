"""What layers refuse: each error names the layer, what it takes, and what it was given."""

import re

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_layers
from tinytorch_layers import Embedding, Linear, Residual, Sequential
from tinytorch_layers import functional as F


def layer(call):
    return eval(call, vars(tinytorch_layers))


@pytest.mark.parametrize("kind", [np.asarray, Tensor], ids=["array", "Tensor"])
@pytest.mark.parametrize(
    ("call", "shape", "message"),
    [
        ("Linear(64, 10)", (32, 63), "takes an input of shape (..., 64), and was given (32, 63)"),
        ("Linear(64, 10)", (), "takes an input of shape (..., 64), and was given ()"),
        ("LayerNorm(4)", (4, 3), "takes an input of shape (..., 4), and was given (4, 3)"),
        ("LayerNorm((3, 4))", (4,), "takes an input of shape (..., 3, 4), and was given (4,)"),
        ("BatchNorm1d(3)", (4, 2), "shape (N, 3) or (N, 3, L), and was given (4, 2)"),
        ("BatchNorm1d(3)", (4, 3, 2, 2), "(N, 3) or (N, 3, L), and was given (4, 3, 2, 2)"),
        ("BatchNorm1d(3)", (1, 3), "needs more than one value for each channel"),
        ("BatchNorm2d(3)", (4, 3), "shape (N, 3, H, W), and was given (4, 3)"),
        ("BatchNorm2d(3)", (4, 2, 5, 5), "shape (N, 3, H, W), and was given (4, 2, 5, 5)"),
        ("Conv2d(3, 8, kernel_size=5)", (3, 8, 8), "(N, 3, H, W), and was given (3, 8, 8)"),
        ("Conv2d(3, 8, kernel_size=5)", (1, 1, 8, 8), "(N, 3, H, W), and was given (1, 1, 8, 8)"),
        ("Conv2d(3, 8, kernel_size=5)", (1, 3, 4, 9), "covers 5 x 5, and the padded input has"),
        ("Conv2d(1, 1, kernel_size=3, padding=1, dilation=3)", (1, 1, 4, 9), "only 6 x 11"),
        ("MaxPool2d(2)", (8, 8), "shape (N, C, H, W), and was given (8, 8)"),
        ("MaxPool2d(3)", (1, 1, 2, 2), "covers 3 x 3, and the padded input has only 2 x 2"),
        ("AvgPool2d(3)", (1, 1, 2, 2), "covers 3 x 3, and the padded input has only 2 x 2"),
        ("Flatten(start_dim=2)", (3, 4), "joins the axes 2 to -1, which an input of shape (3, 4)"),
        ("Flatten()", (3,), "joins the axes 1 to -1, which an input of shape (3,)"),
        ("Flatten(start_dim=2, end_dim=1)", (3, 4, 5), "joins the axes 2 to 1"),
    ],
)
def test_inputs_of_the_wrong_shape(kind, call, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        layer(call)(kind(np.zeros(shape, np.float32)))
    assert call in str(raised.value)


@pytest.mark.parametrize(
    "call",
    ["Linear(2, 2)", "Conv2d(1, 1, kernel_size=1)", "MaxPool2d(1)", "LayerNorm(2)", "Dropout(0.5)"],
)
def test_inputs_of_the_wrong_kind(call):
    pattern = re.escape(call)
    with pytest.raises(TypeError, match=rf"{pattern} takes floating-point numbers, not uint8 of"):
        layer(call)(np.zeros((1, 1, 2, 2), np.uint8))
    with pytest.raises(TypeError, match=rf"{pattern} takes a Tensor or an array, not list"):
        layer(call)([[1.0, 2.0]])


def test_flattening_takes_numbers_of_any_kind_but_no_list():
    assert layer("Flatten()")(np.zeros((2, 3, 4), np.uint8)).shape == (2, 12)
    with pytest.raises(TypeError, match=r"Flatten\(\) takes a Tensor or an array, not list"):
        layer("Flatten()")([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([[0, 1], [2, 5]], IndexError, r"Embedding\(5, 2\): index\[1, 1\] is 5.* 5 rows.*0 to 4"),
        (Tensor([0, -1], dtype=np.int64), IndexError, r"index\[1\] is -1, and there are 5 rows"),
        (np.array(9), IndexError, r"index is 9"),
        (Tensor([0, 1]), TypeError, r"integers as indices, not float32 of shape \(2,\); give a"),
        (np.array([True]), TypeError, "not bool"),
    ],
)
def test_indices_that_name_no_row(indices, error, message):
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
        ("Dropout(1)", ValueError, r"p of Dropout must lie in \[0, 1\), and is 1"),
        ("Dropout(-0.1)", ValueError, r"p of Dropout must lie in \[0, 1\), and is -0.1"),
        ("Dropout(float('nan'))", ValueError, r"p of Dropout must lie in \[0, 1\), and is nan"),
        ("Dropout('half')", TypeError, "p of Dropout must be a number, not 'half'"),
        ("LayerNorm(0)", ValueError, "normalized_shape of LayerNorm must be positive, not 0"),
        ("LayerNorm(())", ValueError, "must have at least one axis"),
        ("LayerNorm(2, eps=-1)", ValueError, r"eps of LayerNorm must lie in \[0, inf\), and is -1"),
        ("BatchNorm1d(-3)", ValueError, "num_features of BatchNorm1d must be positive, not -3"),
        ("BatchNorm2d(3, momentum=2)", ValueError, r"momentum of BatchNorm2d must lie in \[0, 1\]"),
        ("Embedding(0, 3)", ValueError, "num_embeddings of Embedding must be positive, not 0"),
        ("Embedding(5, 3, padding_idx=5)", IndexError, "padding_idx.*there are 5"),
        ("Embedding(5, 3, padding_idx=-6)", IndexError, "padding_idx.*there are 5"),
        ("Conv2d(0, 3, 3)", ValueError, "in_channels of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, 0)", ValueError, "kernel_size of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, (3, 3, 3))", TypeError, r"one integer, or two for height and width, not \("),
        ("Conv2d(1, 3, 3, stride=0)", ValueError, "stride of Conv2d must be positive, not 0"),
        ("Conv2d(1, 3, 3, padding=-1)", ValueError, "padding of Conv2d must be at least 0, not -1"),
        ("Conv2d(1, 3, 3, padding='all')", ValueError, "must be 'same', 'valid', or .* not 'all'"),
        ("Conv2d(1, 3, 3, 2, 'same')", ValueError, r"stride of \(2, 2\) cannot keep the size"),
        ("Conv2d(1, 3, 3, dilation=0)", ValueError, "dilation of Conv2d must be positive, not 0"),
        (
            "Conv2d(4, 6, 3, groups=4)",
            ValueError,
            "must divide in_channels and out_channels, and 4",
        ),
        ("Conv2d(4, 6, 3, groups=0)", ValueError, "groups of Conv2d must be positive, not 0"),
        ("MaxPool2d(2, padding=2)", ValueError, "at most half of the kernel, 2 x 2, and is 2 x 2"),
        ("AvgPool2d(0)", ValueError, "kernel_size of AvgPool2d must be positive, not 0"),
        ("AvgPool2d(2, stride=0)", ValueError, "stride of AvgPool2d must be positive, not 0"),
        ("Sequential(Linear)", TypeError, r"layer 0 of Sequential is the class Linear; make one"),
        ("Sequential(Flatten(), 3)", TypeError, "layer 1 of Sequential must be a module .* not 3"),
        ("Residual(shortcut=3)", TypeError, "shortcut of Residual must be a module .* not 3"),
    ],
)
def test_layers_that_cannot_be(call, error, message):
    with pytest.raises(error, match=message):
        layer(call)


def test_a_residual_whose_layers_change_the_shape():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"made the shape \(2, 4\), and the input has \(2, 3\)"):
        Residual(Linear(3, 4))(x)
    with pytest.raises(ValueError, match=r"shape \(2, 4\), and the shortcut made \(2, 1\)"):
        Residual(Linear(3, 4), shortcut=Linear(3, 1))(x)


def test_an_error_in_a_network_names_the_layer_and_changes_nothing():
    model = Sequential(Linear(4, 3), Linear(4, 2))
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"Linear\(4, 2\) takes .* was given \(5, 3\)"):
        model(np.zeros((5, 4), np.float32))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: F.conv2d(a(2, 3, 4), a(1, 1, 2, 2)), r"conv2d takes images of shape \(N, C"),
        (lambda a: F.conv2d(a(1, 2, 4, 4), a(1, 1, 2, 2)), r"in 1 groups of images \(1, 2, 4, 4\)"),
        (lambda a: F.conv2d(a(1, 2, 4, 4), a(3, 1, 2, 2), groups=2), "in 2 groups"),
        (lambda a: F.conv2d(a(1, 1, 4, 4), a(1, 1, 5, 2)), "kernel of conv2d covers 5 x 2"),
        (lambda a: F.max_pool2d(a(4, 4), 2), r"max_pool2d takes images .* was given \(4, 4\)"),
        (lambda a: F.avg_pool2d(a(1, 1, 4, 4), 5), "kernel of avg_pool2d covers 5 x 5"),
        (lambda a: F.linear(a(2, 3), a(4, 5)), "matmul"),
    ],
)
def test_functions_of_arrays_name_themselves_and_the_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call(lambda *shape: np.zeros(shape))
