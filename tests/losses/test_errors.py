"""The errors of the losses: each names the invalid value and the remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_losses as losses

ELEMENTWISE = [
    "mse_loss",
    "l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
]
CLASSES = ["nll_loss", "cross_entropy"]
ROWS = np.zeros((4, 3))
IMAGE = np.zeros((1, 3, 2, 2))


@pytest.mark.parametrize("kind", [np.array, Tensor], ids=["array", "Tensor"])
@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    ("input_shape", "target_shape"), [((4, 1), (4,)), ((4,), (4, 1)), ((4,), ()), ((2,), (3,))]
)
def test_targets_are_not_broadcast(name, kind, input_shape, target_shape):
    with pytest.raises(ValueError, match="must be the same") as raised:
        getattr(losses, name)(kind(np.zeros(input_shape)), kind(np.zeros(target_shape)))
    assert str(input_shape) in str(raised.value)
    assert str(target_shape) in str(raised.value)


def test_error_of_mse_loss_contains_both_shapes():
    with pytest.raises(ValueError, match=r"input has the shape \(4, 1\) and the target \(4,\)"):
        losses.MSELoss()(Tensor(np.zeros((4, 1))), Tensor(np.zeros(4)))


@pytest.mark.parametrize("name", [*ELEMENTWISE, *CLASSES])
def test_invalid_reductions_and_inputs_raise(name):
    target = [0, 1, 2, 0] if name in CLASSES else ROWS
    with pytest.raises(ValueError, match=f"{name} has no reduction 'avg'; choose one of .*'mean'"):
        getattr(losses, name)(ROWS, target, reduction="avg")
    with pytest.raises(TypeError, match=f"{name} takes a floating input, not int64"):
        getattr(losses, name)(ROWS.astype(int), target)
    with pytest.raises(TypeError, match=f"{name} takes a Tensor or an array as input, not list"):
        getattr(losses, name)(ROWS.tolist(), target)


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        (losses.MSELoss, {"reduction": "avg"}, "MSELoss has no reduction 'avg'; choose one of"),
        (losses.MSELoss, {"reduction": "batchmean"}, "'mean', 'sum', 'none'"),
        (losses.KLDivLoss, {"reduction": "avg"}, "'batchmean', 'mean', 'sum', 'none'"),
        (losses.HuberLoss, {"delta": 0.0}, "positive delta, not 0.0"),
        (losses.HuberLoss, {"delta": -1}, "positive delta, not -1"),
        (losses.HuberLoss, {"delta": float("nan")}, "positive delta, not nan"),
        (losses.CrossEntropyLoss, {"label_smoothing": 1.5}, "from 0 to 1, not 1.5"),
        (losses.CrossEntropyLoss, {"label_smoothing": -0.1}, "from 0 to 1, not -0.1"),
    ],
)
def test_options_are_checked_on_construction(loss, options, message):
    with pytest.raises(ValueError, match=message):
        loss(**options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: losses.huber_loss(ROWS, ROWS, delta=t), r"huber_loss takes delta as a constant"),
        (lambda t: losses.HuberLoss(delta=t), r"constant.*pass delta\.item\(\)"),
        (
            lambda t: losses.cross_entropy(ROWS, [0] * 4, label_smoothing=t),
            r"cross_entropy takes label_smoothing as a constant",
        ),
    ],
)
def test_an_option_that_requires_grad_raises(call, message):
    option = Tensor(0.5)
    call(option)
    option.requires_grad = True
    with pytest.raises(TypeError, match=message):
        call(option)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    ("shape", "target", "message"),
    [
        (
            (4, 3),
            [0, 1, 3, 0],
            r"target\[2\] is 3, but class numbers must be from 0 to 2, .* has 3 classes",
        ),
        ((4, 3), [0, -1, 1, 0], r"target\[1\] is -1, but class numbers must be from 0 to 2"),
        ((4, 3), [0, -100, 7, 0], r"target\[2\] is 7"),
        ((3,), 5, r"target is 5, but class numbers must be from 0 to 2"),
        ((1, 3, 2, 2), [[[0, 1], [2, 9]]], r"target\[0, 1, 1\] is 9"),
    ],
)
def test_class_numbers_out_of_range_raise(name, shape, target, message):
    x = np.zeros(shape)
    for given in (target, np.array(target), Tensor(np.array(target))):
        with pytest.raises(IndexError, match=message):
            getattr(losses, name)(Tensor(x), given)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    ("input", "target", "error", "message"),
    [
        (ROWS, [0, 1], ValueError, r"needs class numbers of shape \(4,\).*has the shape \(2,\)"),
        (ROWS, [[0], [1], [2], [0]], ValueError, r"shape \(4,\).*\(4, 1\)"),
        (IMAGE, [0], ValueError, r"class numbers of shape \(1, 2, 2\)"),
        (np.zeros(()), 0, ValueError, "a class axis"),
        (ROWS, np.array([True, False, True, True]), TypeError, "not bool"),
    ],
)
def test_class_numbers_of_the_wrong_shape_or_dtype_raise(name, input, target, error, message):
    with pytest.raises(error, match=message):
        getattr(losses, name)(input, target)


@pytest.mark.parametrize(
    ("loss", "target", "error", "message"),
    [
        (losses.nll_loss, np.zeros((4, 3)), ValueError, r"numbers of shape \(4,\), but .*\(4, 3\)"),
        (
            losses.cross_entropy,
            np.zeros((4, 2)),
            ValueError,
            r"class numbers of shape \(4,\) or probabilities of the shape of the input.*\(4, 2\)",
        ),
        (
            losses.cross_entropy,
            np.eye(4, 3, dtype=int),
            TypeError,
            "convert it to a floating dtype",
        ),
    ],
)
def test_class_numbers_and_probabilities_are_distinguished_by_shape_and_dtype(
    loss, target, error, message
):
    with pytest.raises(error, match=message):
        loss(Tensor(ROWS), target)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 1, 1.5, 2], ValueError, r"target\[2\] is 1.5, but class numbers must be whole"),
        ([0, np.nan, 1, 2], ValueError, r"target\[1\] is nan, but class numbers must be whole"),
        ([0, np.inf, 1, 2], ValueError, r"target\[1\] is inf, but class numbers must be whole"),
        ([0, 1e30, 1, 2], ValueError, r"target\[1\] is 1.*e\+30, but class numbers must be whole"),
        ([0, 3.0, 1, 2], IndexError, r"target\[1\] is 3, but class numbers must be from 0 to 2"),
        ([0, -1.0, 1, 2], IndexError, r"target\[1\] is -1"),
    ],
)
def test_invalid_floating_class_numbers_raise(name, target, error, message):
    for kind in (np.array, Tensor):
        with pytest.raises(error, match=message):
            getattr(losses, name)(ROWS, kind(target))


@pytest.mark.parametrize("name", CLASSES)
def test_class_numbers_that_require_grad_raise(name):
    pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")
    target = Tensor([0.0, 1.0, 2.0, 0.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"the target requires grad; pass target.detach\(\)"):
        getattr(losses, name)(Tensor(ROWS, requires_grad=True), target)
    getattr(losses, name)(ROWS, target.detach())


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0, 255], r"targets from 0 to 1, but target\[1\] is 255"),
        (np.array([255, 0], np.uint8), r"target\[0\] is 255"),
        ([-1, 1], r"target\[0\] is -1"),
        ([0.5, np.nan], r"target\[1\] is nan"),
    ],
)
def test_targets_of_binary_cross_entropy_outside_zero_to_one_raise(name, target, message):
    for kind in (lambda t: t, np.array, Tensor):
        with pytest.raises(ValueError, match=message):
            getattr(losses, name)(Tensor([0.5, 0.5]), kind(target))


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_targets_of_binary_cross_entropy_may_have_rounding_errors(name):
    function = getattr(losses, name)
    rounded = np.nextafter(np.float32([0, 1]), np.float32([-1, 2]))
    input = np.float32([0.25, 0.5])
    assert function(input, rounded) == pytest.approx(function(input, [0, 1]), rel=1e-6)


def test_log_target_must_be_a_bool():
    with pytest.raises(TypeError, match="log_target of kl_div must be True or False, not 'no'"):
        losses.KLDivLoss(log_target="no")(ROWS, ROWS)


def test_ignore_index_with_probabilities_raises():
    with pytest.raises(ValueError, match="cannot ignore class 2"):
        losses.cross_entropy(ROWS, ROWS, ignore_index=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 1.5], r"input\[1\] is 1.5; apply a sigmoid"),
        ([-0.25, 0.5], r"input\[0\] is -0.25"),
        ([0.5, np.nan], r"input\[1\] is nan"),
        (2.0, "input is 2.0"),
    ],
)
def test_binary_cross_entropy_rejects_values_outside_zero_to_one(values, message):
    p = np.array(values)
    for kind in (np.array, Tensor):
        with pytest.raises(ValueError, match=message):
            losses.BinaryCrossEntropyLoss()(kind(p), np.ones_like(p))


@pytest.mark.parametrize(
    ("loss", "arguments", "message"),
    [
        (losses.nll_loss, {"weight": [1, 2]}, r"shape \(2,\), but the input has 3 classes"),
        (
            losses.cross_entropy,
            {"weight": np.ones((3, 1))},
            r"\(3, 1\), but the input has 3 classes",
        ),
        (losses.cross_entropy, {"weight": 2.0}, r"shape \(\), but the input has 3 classes"),
    ],
)
def test_class_weights_of_the_wrong_shape_raise(loss, arguments, message):
    with pytest.raises(ValueError, match=message):
        loss(ROWS, [0, 1, 2, 0], **arguments)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (losses.binary_cross_entropy, "weight"),
        (losses.binary_cross_entropy_with_logits, "weight"),
        (losses.binary_cross_entropy_with_logits, "pos_weight"),
    ],
)
@pytest.mark.parametrize("shape", [(2,), (4,), (2, 4, 3)])
def test_element_weights_that_do_not_broadcast_raise(loss, name, shape):
    message = rf"{name} of .* shape {re.escape(str(shape))}.*the input, \(4, 3\)"
    with pytest.raises(ValueError, match=message):
        loss(ROWS, ROWS, **{name: np.ones(shape)})


def test_weights_that_require_grad_raise_and_leave_the_tensors_unchanged():
    pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")
    weight = Tensor([1.0, 1.0, 1.0], requires_grad=True)
    x = Tensor(ROWS, requires_grad=True)
    with pytest.raises(ValueError, match=r"weight.detach\(\)"):
        losses.cross_entropy(x, [0, 1, 2, 0], weight)
    assert x.grad is None
    assert x.is_leaf
    assert weight.grad is None
    losses.cross_entropy(x, [0, 1, 2, 0], weight.detach()).backward()


@pytest.mark.parametrize("target", [np.array([1j, 2]), np.array(["a", "b"])])
def test_targets_that_are_not_real_numbers_raise(target):
    with pytest.raises(TypeError, match="takes a target of real numbers, not"):
        losses.mse_loss(np.zeros(2), target)


def test_a_subclass_without_forward_raises():
    class Incomplete(losses.Loss):
        reduction = "mean"

    assert repr(Incomplete()) == "Incomplete()"
    with pytest.raises(NotImplementedError, match="Incomplete must define forward"):
        Incomplete()(ROWS, ROWS)


def test_cosine_embedding_takes_floating_inputs():
    with pytest.raises(TypeError, match="cosine_embedding_loss"):
        losses.cosine_embedding_loss(np.ones((2, 3), int), np.ones((2, 3)), [1, -1])
