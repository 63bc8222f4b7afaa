"""The values of the losses, compared with scalar formulas, known values and PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_losses as losses

from .cases import every_case


def squared(x, y):
    return (x - y) ** 2


def huber(x, y, delta=1.0):
    e = abs(x - y)
    return e * e / 2 if e <= delta else delta * e - delta * delta / 2


def bce(p, y):
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def bce_logits(x, y, pos_weight=1.0):
    p = 1 / (1 + math.exp(-x))
    return -(pos_weight * y * math.log(p) + (1 - y) * math.log(1 - p))


def kl(x, t, log_target=False):
    t = math.exp(t) if log_target else t
    return t * (math.log(t) - x)


ELEMENTWISE = {
    "mse_loss": squared,
    "l1_loss": lambda x, y: abs(x - y),
    "huber_loss": huber,
    "binary_cross_entropy": bce,
    "binary_cross_entropy_with_logits": bce_logits,
    "kl_div": kl,
}


def elementwise(case, x, y):
    """Compute the loss one element at a time; return the losses and the divisor of the mean."""
    formula = ELEMENTWISE[case.loss]
    options = {k: v for k, v in case.options.items() if k in ("delta", "log_target")}
    weight = np.broadcast_to(case.options.get("weight", 1.0), x.shape)
    out = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        if "pos_weight" in case.options:
            options["pos_weight"] = np.broadcast_to(case.options["pos_weight"], x.shape)[i]
        out[i] = weight[i] * formula(x[i], y[i], **options)
    return out, x.shape[0] if case.options["reduction"] == "batchmean" else x.size


def by_class(case, x, y):
    """Compute the loss one prediction at a time; return the losses and the divisor of the mean."""
    axis = min(1, x.ndim - 1)
    count = x.shape[axis]
    weight = case.options.get("weight", np.ones(count))
    smoothing = case.options.get("label_smoothing", 0.0)
    rows = np.moveaxis(x, axis, -1).reshape(-1, count)
    hard = case.target == "classes"
    targets = y.reshape(-1) if hard else np.moveaxis(y, axis, -1).reshape(-1, count)
    out, total = [], 0.0
    for row, target in zip(rows, targets, strict=True):
        if hard and target == case.options.get("ignore_index", -100):
            out.append(0.0)
            continue
        total += weight[target] if hard else 1.0
        probabilities = [float(c == target) for c in range(count)] if hard else list(target)
        probabilities = [(1 - smoothing) * p + smoothing / count for p in probabilities]
        norm = math.log(sum(math.exp(v) for v in row)) if case.loss != "nll_loss" else 0.0
        out.append(
            -sum(w * p * (v - norm) for w, p, v in zip(weight, probabilities, row, strict=True))
        )
    return np.reshape(out, x.shape[:axis] + x.shape[axis + 1 :]), total


@every_case
def test_values_agree_with_the_formulas(case):
    x, y = case.arrays()
    each, divisor = (elementwise if case.loss in ELEMENTWISE else by_class)(case, x, y)
    reduction = case.options["reduction"]
    expected = each if reduction == "none" else each.sum()
    if reduction in ("mean", "batchmean"):
        expected = expected / divisor
    got = case.function(x, y, **case.options)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    assert np.shape(got) == np.shape(expected)
    tensor = case.function(Tensor(x), Tensor(y), **case.options)
    assert isinstance(tensor, Tensor)
    np.testing.assert_array_equal(tensor.data, got)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@every_case
def test_values_agree_with_pytorch(case, torch):
    x, y = case.arrays()
    options = {
        k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()
    }
    theirs = getattr(torch.nn.functional, case.loss)(torch.tensor(x), torch.tensor(y), **options)
    ours = case.function(x, y, **case.options)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12)


@every_case
def test_float32_stays_float32(case):
    x, y = case.arrays()
    loss = case.function(Tensor(x.astype(np.float32)), y, **case.options)
    assert loss.dtype == np.float32


LOGITS = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]])


@pytest.mark.parametrize(
    ("loss", "input", "target", "expected"),
    [
        (losses.MSELoss(), [1.0, 2.0], [0.0, 4.0], 2.5),
        (losses.L1Loss(), [1.0, 2.0], [0.0, 4.0], 1.5),
        (losses.HuberLoss(), [0.5, 3.0], [0.0, 0.0], 1.3125),
        (losses.HuberLoss(delta=2.0), [0.5, 3.0], [0.0, 0.0], 2.0625),
        (losses.BinaryCrossEntropyLoss(), [0.5, 0.5], [0, 1], math.log(2)),
        (losses.BCEWithLogitsLoss(), [0.0], [1], math.log(2)),
        (losses.BCEWithLogitsLoss(pos_weight=3), [0.0], [1], 3 * math.log(2)),
        (losses.NLLLoss(), [[-1.0, -2.0]], [1], 2.0),
        (losses.NLLLoss([1.0, 3.0]), [[-1.0, -2.0], [-4.0, -9.0]], [1, 0], 2.5),
        (losses.CrossEntropyLoss(), [[0.0, 0.0], [0.0, 0.0]], [0, 1], math.log(2)),
        (losses.CrossEntropyLoss(label_smoothing=1.0), [0.0, 0.0, 0.0, 0.0], 3, math.log(4)),
        (losses.KLDivLoss("batchmean"), np.log([[0.5, 0.5]]), [[0.0, 1.0]], math.log(2)),
    ],
    ids=repr,
)
def test_known_values(loss, input, target, expected):
    for value in (loss(np.asarray(input), target), loss(Tensor(np.asarray(input)), target)):
        assert value.item() == pytest.approx(expected, rel=1e-15)
    assert loss.forward(np.asarray(input), target) == loss(np.asarray(input), target)


@pytest.mark.parametrize(
    "target",
    [
        [0, 2],
        [0.0, 2.0],
        Tensor([0, 2]),
        np.array([0, 2], np.float16),
        (0, 2),
        np.array([0, 2]),
        np.array([0, 2], dtype=np.uint8),
        np.array([0, 2], dtype=np.uint64),
        np.array([0, 9, 2])[::2],
        Tensor([0, 2], dtype=np.int64),
        np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        Tensor([[1, 0, 0], [0, 0, 1]]),
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
    ],
    ids=lambda t: f"{type(t).__name__}-{getattr(t, 'dtype', '')}{np.shape(t)}",
)
def test_equivalent_targets_give_the_same_loss(target):
    expected = losses.cross_entropy(LOGITS, np.array([0, 2]))
    assert losses.cross_entropy(LOGITS, target) == pytest.approx(expected, rel=1e-15)
    assert losses.cross_entropy(Tensor(LOGITS), target).item() == pytest.approx(expected, rel=1e-15)
    if np.ndim(target) == 1:
        log_p = losses.log_softmax(Tensor(LOGITS))
        assert losses.nll_loss(log_p, target).item() == pytest.approx(expected, rel=1e-15)


def test_lists_are_converted_to_the_dtype_of_the_input():
    assert losses.mse_loss(Tensor(np.array([0.1])), [0.1]).item() == 0
    weighted = losses.nll_loss(Tensor(np.array([[-1.0, -2.0]])), [0], [0.1, 1], reduction="sum")
    assert weighted.item() == 0.1


def test_integer_targets_keep_float32():
    loss = losses.mse_loss(Tensor([1.5, 2.0]), np.array([1, 2]), reduction="none")
    assert loss.dtype == np.float32
    assert loss.tolist() == [0.25, 0.0]


def test_numpy_scalars_as_options_keep_float32():
    x = LOGITS.astype(np.float32)
    assert losses.cross_entropy(x, [0, 2], label_smoothing=np.float64(0.1)).dtype == np.float32
    assert losses.huber_loss(x, x + 2, delta=np.float64(0.5)).dtype == np.float32


def test_the_loss_is_a_tensor_if_only_the_target_is_one():
    assert isinstance(losses.mse_loss(np.zeros(2), Tensor(np.ones(2))), Tensor)
    assert not isinstance(losses.mse_loss(np.zeros(2), np.ones(2)), Tensor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1000.0, 1e30])
def test_cross_entropy_of_large_logits(dtype, size):
    logits = np.array([[size, -size, 0], [-size, size, 0]], dtype=dtype)
    each = losses.cross_entropy(logits, [0, 0], reduction="none")
    np.testing.assert_allclose(each, [0, 2 * size])
    assert losses.cross_entropy(logits, np.eye(3)[:2], reduction="sum") == 0
    assert np.all(np.isfinite(losses.cross_entropy(logits, [0, 0], label_smoothing=0.1)))
    np.testing.assert_allclose(losses.log_softmax(logits)[0], [0, -2 * size, -size])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_losses_of_extreme_inputs(dtype):
    x = np.array([1000, 1000, -1000, -1000, 0], dtype=dtype)
    y = np.array([1, 0, 1, 0, 1], dtype=dtype)
    each = losses.binary_cross_entropy_with_logits(x, y, reduction="none")
    np.testing.assert_allclose(each, [0, 1000, 1000, 0, math.log(2)], rtol=1e-6)
    p = np.array([1, 1, 0, 0], dtype=dtype)
    each = losses.binary_cross_entropy(p, y[:4], reduction="none")
    assert each.dtype == dtype
    np.testing.assert_array_equal(each, [0, 100, 100, 0])


def test_bce_with_logits_is_accurate_close_to_zero():
    x = np.array([-40.0, 40.0])
    each = losses.binary_cross_entropy_with_logits(x, [0, 1], reduction="none")
    np.testing.assert_allclose(each, math.exp(-40), rtol=1e-14)


def test_cross_entropy_allows_infinite_logits_of_other_classes():
    masked = np.array([[0.0, -np.inf, 0.0], [-np.inf, 0.0, 0.0]])
    each = losses.cross_entropy(masked, [0, -100], reduction="none")
    np.testing.assert_allclose(each, [math.log(2), 0])
    smoothed = losses.cross_entropy(masked[1:], [-100], reduction="sum", label_smoothing=0.1)
    assert smoothed == 0


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_is_nan_if_all_targets_are_ignored(name, dtype):
    loss = getattr(losses, name)
    x = np.zeros((2, 3), dtype=dtype)
    out = loss(Tensor(x), [-100, -100])
    assert np.isnan(out.item())
    assert out.dtype == dtype
    assert loss(x, [-100, -100], reduction="sum") == 0
    assert loss(x, [-100, -100], reduction="none").tolist() == [0, 0]


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "kl_div"])
def test_losses_of_empty_inputs(name):
    empty = np.zeros((0, 3))
    assert np.isnan(getattr(losses, name)(empty, empty))
    assert getattr(losses, name)(empty, empty, reduction="sum") == 0
    assert np.isnan(losses.cross_entropy(empty, np.zeros(0, dtype=int)))


def test_kl_div_at_zero_probability():
    assert losses.kl_div(np.log([0.5, 0.5]), [0.0, 1.0], reduction="none")[0] == 0


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_log_softmax(dim):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = np.log(np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True))
    np.testing.assert_allclose(losses.log_softmax(x, dim), expected, rtol=1e-13)
    np.testing.assert_array_equal(
        losses.log_softmax(Tensor(x), dim=dim).data, losses.log_softmax(x, dim)
    )
    assert losses.log_softmax(Tensor([0.0, 1.0])).dtype == np.float32


def test_cross_entropy_equals_nll_of_log_softmax():
    two = losses.nll_loss(losses.log_softmax(LOGITS), [0, 2])
    assert losses.cross_entropy(LOGITS, [0, 2]) == pytest.approx(two, rel=1e-15)


@every_case
def test_inputs_are_not_modified(case):
    x, y = case.arrays()
    x_before, y_before = x.copy(), y.copy()
    case.function(x, y, **case.options)
    case.function(Tensor(x), Tensor(y), **case.options)
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(y, y_before)


def test_options_are_in_the_repr_and_can_be_assigned():
    loss = losses.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)
    assert repr(loss) == (
        "CrossEntropyLoss(weight=None, ignore_index=0, reduction='mean', label_smoothing=0.1)"
    )
    assert repr(losses.MSELoss("sum")) == "MSELoss(reduction='sum')"
    loss.reduction = "sum"
    assert loss(LOGITS, [0, 2]) == pytest.approx(
        losses.cross_entropy(LOGITS, [0, 2], None, 0, "sum", 0.1)
    )
