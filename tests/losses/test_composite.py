"""The losses that are formulas of other ops: values and derivatives, on any array.

They are compared with PyTorch's stored results in `expected.npz`, and with PyTorch if it is
installed. The cases contain CTC, of which test_ctc.py tests the rest.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

import tinytorch_losses as losses
from tinytorch_devkit import StrictArray, values_of

from .composite_cases import CASES, EXPECTED, Case, compute, compute_in_torch, flat

autograd = pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")

every_case = pytest.mark.parametrize("composite", CASES, ids=lambda each: each.id)
# The reductions differ only in code that other tests run.
one_of_each = pytest.mark.parametrize(
    "composite", [c for c in CASES if c.options["reduction"] == "mean"], ids=lambda each: each.id
)


@pytest.fixture(scope="module")
def stored() -> Any:
    with np.load(EXPECTED) as file:
        return dict(file)


@every_case
def test_values_and_derivatives_agree_with_stored_results(composite: Case, stored: Any) -> None:
    found = flat(compute(composite, seconds=composite.seconds))
    np.testing.assert_allclose(found, stored[composite.id], rtol=1e-11, atol=1e-11)


@pytest.mark.peers
@every_case
def test_values_and_derivatives_agree_with_pytorch(composite: Case, torch: Any) -> None:
    found, expected = (
        compute(composite, seconds=composite.seconds),
        compute_in_torch(composite, torch),
    )
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        np.testing.assert_allclose(found[name], array, rtol=1e-11, atol=1e-11, err_msg=name)


@one_of_each
def test_arrays_of_another_library(composite: Case) -> None:
    expected, found = compute(composite), compute(composite, StrictArray)
    for name, array in expected.items():
        assert type(found[name]) is StrictArray, name
        np.testing.assert_allclose(values_of(found[name]), array, rtol=1e-12, atol=1e-12)


@one_of_each
def test_float32_stays_float32(composite: Case) -> None:
    inputs = tuple(x.astype(np.float32) for x in composite.inputs)
    single = Case(composite.loss, inputs, composite.constants, composite.options)
    expected = compute(composite)
    for name, array in compute(single).items():
        assert array.dtype == np.float32, name
        np.testing.assert_allclose(array, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


@one_of_each
def test_values_do_not_depend_on_autograd(composite: Case) -> None:
    expected = composite.call(*composite.inputs)
    with plugins.only("losses"):
        found = composite.call(*map(Tensor, composite.inputs))
        assert not hasattr(found, "grad_fn")
    np.testing.assert_allclose(found.data, expected, rtol=1e-15)


EMPTY = {
    "smooth_l1_loss": 2,
    "margin_ranking_loss": 3,
    "hinge_embedding_loss": 2,
    "soft_margin_loss": 2,
    "multilabel_soft_margin_loss": 2,
    "triplet_margin_loss": 3,
    "gaussian_nll_loss": 3,
    "poisson_nll_loss": 2,
    "sigmoid_focal_loss": 2,
}


@pytest.mark.parametrize("loss", EMPTY)
def test_empty_batches(loss: str) -> None:
    function = getattr(losses, loss)
    empty = [np.zeros((0, 3)) for _ in range(EMPTY[loss])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(function(*empty, reduction="mean"))
        assert function(*empty, reduction="sum") == 0
    x = Tensor(empty[0], requires_grad=True)
    function(x, *empty[1:], reduction="mean").backward()
    function(x, *empty[1:], reduction="sum").backward()
    assert x.grad.shape == (0, 3)


X, Y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.5, 2.5], [-1.0, 0.25]])
SIGNS = np.array([[1, -1], [-1, 1]])
LOG_PROBS = np.log(np.full((3, 2, 2), 0.5))


@pytest.mark.parametrize(
    ("loss", "arguments", "expected"),
    [
        (losses.SmoothL1Loss(beta=2.0), (X, Y), losses.smooth_l1_loss(X, Y, "mean", 2.0)),
        (
            losses.MarginRankingLoss(0.3),
            (X, Y, SIGNS),
            losses.margin_ranking_loss(X, Y, SIGNS, 0.3),
        ),
        (losses.HingeEmbeddingLoss(0.3), (X, SIGNS), losses.hinge_embedding_loss(X, SIGNS, 0.3)),
        (
            losses.CosineEmbeddingLoss(0.3),
            (X, Y, [1, -1]),
            losses.cosine_embedding_loss(X, Y, [1, -1], 0.3),
        ),
        (
            losses.TripletMarginLoss(4.0, 1.0, 0.1, swap=True),
            (X, Y, -X),
            losses.triplet_margin_loss(X, Y, -X, 4.0, 1.0, 0.1, True),
        ),
        (losses.SoftMarginLoss("sum"), (X, SIGNS), losses.soft_margin_loss(X, SIGNS, "sum")),
        (
            losses.MultiLabelSoftMarginLoss([1.0, 2.0]),
            (X, SIGNS > 0),
            losses.multilabel_soft_margin_loss(X, SIGNS > 0, [1.0, 2.0]),
        ),
        (
            losses.GaussianNLLLoss(full=True, eps=0.7),
            (X, Y, Y * Y),
            losses.gaussian_nll_loss(X, Y, Y * Y, True, 0.7),
        ),
        (
            losses.PoissonNLLLoss(False, True, eps=9.0),
            (X, X + 2),
            losses.poisson_nll_loss(X, X + 2, False, True, 9.0),
        ),
        (
            losses.FocalLoss(0.4, 3.0),
            (X, SIGNS > 0),
            losses.sigmoid_focal_loss(X, SIGNS > 0, 0.4, 3.0, "mean"),
        ),
        (
            losses.CTCLoss(1, "sum", True),
            (LOG_PROBS, [[0], [0]], [3, 2], [1, 1]),
            losses.ctc_loss(LOG_PROBS, [[0], [0]], [3, 2], [1, 1], 1, "sum", True),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, losses.Loss) else "",
)
def test_classes_pass_their_options_on(loss: Any, arguments: Any, expected: Any) -> None:
    assert loss(*arguments) == expected
    assert np.isfinite(expected)


def test_ties_have_the_derivatives_of_pytorch() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    losses.margin_ranking_loss(x, Tensor([1.0, 2.0]), [1, -1], reduction="sum").backward()
    assert x.grad.tolist() == [-1, 1]


def test_nan_is_not_hidden_by_a_margin() -> None:
    assert np.isnan(losses.hinge_embedding_loss(np.array([np.nan]), [-1]))
    assert np.isnan(losses.margin_ranking_loss(np.array([np.nan]), [0.0], [1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_of_large_scores_are_finite(dtype: Any) -> None:
    x = np.array([1e4, -1e4], dtype)
    for y, soft, focal in (([1, -1], 0, 0), ([-1, 1], 1e4, 5e3)):
        leaf = Tensor(x, requires_grad=True)
        out = losses.soft_margin_loss(leaf, y)
        out.backward()
        assert out.item() == soft
        assert np.all(np.isfinite(leaf.grad))
        labels = (np.array(y) + 1) // 2
        leaf = Tensor(x, requires_grad=True)
        out = losses.sigmoid_focal_loss(leaf, labels, reduction="mean")
        out.backward()
        assert out.item() == focal
        assert np.all(np.isfinite(leaf.grad))


def test_cosine_of_zero_vectors_is_zero_with_finite_gradients() -> None:
    x = Tensor(np.zeros((1, 3)), requires_grad=True)
    loss = losses.cosine_embedding_loss(x, np.ones((1, 3)), [1])
    loss.backward()
    assert loss.item() == 1
    assert np.all(np.isfinite(x.grad))


def test_small_variances_count_as_eps_and_get_a_gradient() -> None:
    var = Tensor(np.array([0.0, 1e-9]), requires_grad=True)
    loss = losses.gaussian_nll_loss(np.zeros(2), [1.0, 0.0], var, eps=0.5, reduction="none")
    np.testing.assert_allclose(loss.data, [0.5 * (math.log(0.5) + 2), 0.5 * math.log(0.5)])
    loss.sum().backward()
    np.testing.assert_allclose(var.grad, [0.5 * (2 - 4), 0.5 * 2])
    one = losses.gaussian_nll_loss(*np.ones((3, 1))[:, 0], reduction="none")
    assert (np.shape(one), one) == ((), 0)


ZEROS = np.zeros((4, 3))
FOUR = np.zeros(4)
LEAF = Tensor([1.0, -1.0, 1.0, 1.0], requires_grad=True)
HALF = Tensor(0.5, requires_grad=True)

WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("smooth_l1_loss", (ZEROS, ZEROS), {"beta": -1}, ValueError, "beta of 0 or more, not -1"),
    ("smooth_l1_loss", (ZEROS, ZEROS), {"beta": HALF}, TypeError, "beta as a constant"),
    ("smooth_l1_loss", (ZEROS, FOUR), {}, ValueError, "must be the same"),
    ("margin_ranking_loss", (ZEROS, FOUR, ZEROS), {}, ValueError, r"and the input2 \(4,\)"),
    (
        "margin_ranking_loss",
        (FOUR, FOUR, FOUR + 2),
        {},
        ValueError,
        r"targets 1, 0 and -1, but target\[0\] is 2.*2 \* l",
    ),
    ("margin_ranking_loss", (FOUR, FOUR, LEAF), {}, ValueError, r"pass target.detach\(\)"),
    ("margin_ranking_loss", (FOUR, FOUR, [1]), {}, ValueError, r"target of shape \(4,\) for this"),
    ("margin_ranking_loss", (FOUR, FOUR, ["a"]), {}, TypeError, "numbers as target, not list"),
    ("margin_ranking_loss", (FOUR, ["a"], FOUR), {}, TypeError, "numbers as input2, not list"),
    ("margin_ranking_loss", (FOUR, FOUR, FOUR), {"margin": "a"}, TypeError, "must be a number"),
    ("margin_ranking_loss", (FOUR, FOUR, FOUR), {"margin": math.inf}, ValueError, "not inf"),
    ("margin_ranking_loss", (FOUR, FOUR, FOUR), {"margin": HALF}, TypeError, "require grad"),
    ("hinge_embedding_loss", (FOUR, [2, 1, 1, 1]), {}, ValueError, r"target\[0\] is 2"),
    ("hinge_embedding_loss", (FOUR, [1] * 4), {"margin": math.nan}, ValueError, "not nan"),
    ("cosine_embedding_loss", (ZEROS, ZEROS, [1]), {}, ValueError, r"target of shape \(4,\)"),
    ("cosine_embedding_loss", (ZEROS, ZEROS, [1] * 4), {"margin": 2}, ValueError, r"\[-1, 1\]"),
    ("cosine_embedding_loss", (ZEROS[None],) * 3, {}, ValueError, r"\(N, D\) or \(D,\), not"),
    ("triplet_margin_loss", (ZEROS, ZEROS, FOUR), {}, ValueError, r"the negative \(4,\)"),
    ("triplet_margin_loss", (ZEROS,) * 3, {"p": 0}, ValueError, "p of triplet.*not 0"),
    ("triplet_margin_loss", (ZEROS,) * 3, {"margin": 0}, ValueError, "margin of triplet.*not 0"),
    ("triplet_margin_loss", (ZEROS,) * 3, {"eps": -1}, ValueError, "eps of triplet.*not -1"),
    ("triplet_margin_loss", (ZEROS,) * 3, {"swap": 1}, TypeError, "swap of .* must be True or"),
    ("triplet_margin_loss", (np.array(0.0),) * 3, {}, ValueError, "not single numbers"),
    ("soft_margin_loss", (FOUR, FOUR), {}, ValueError, r"target\[0\] is 0.*pass 2 \* labels - 1"),
    ("multilabel_soft_margin_loss", (FOUR, FOUR - 1), {}, ValueError, r"target\[0\] is -1"),
    ("multilabel_soft_margin_loss", (np.array(0.0), 1), {}, ValueError, "an axis of classes"),
    ("multilabel_soft_margin_loss", (FOUR, FOUR), {"weight": LEAF}, ValueError, "weight.detach"),
    ("multilabel_soft_margin_loss", (FOUR, FOUR), {"weight": [1, 2]}, ValueError, "not broadcast"),
    ("gaussian_nll_loss", (FOUR, FOUR, FOUR - 1), {}, ValueError, r"var\[0\] is -1.0, but varian"),
    ("gaussian_nll_loss", (ZEROS, ZEROS, [1, 2]), {}, ValueError, r"and var \(2,\); pass one"),
    ("gaussian_nll_loss", (FOUR, FOUR, "a"), {}, TypeError, "numbers as var, not str"),
    ("gaussian_nll_loss", (FOUR, FOUR, FOUR), {"eps": 0}, ValueError, "eps of gaussian.*not 0"),
    ("gaussian_nll_loss", (FOUR, FOUR, FOUR), {"full": 1}, TypeError, "full of .* True or False"),
    ("poisson_nll_loss", (FOUR, FOUR), {"log_input": None}, TypeError, "log_input of .* True or"),
    ("poisson_nll_loss", (FOUR, FOUR), {"eps": -1.0}, ValueError, "eps of poisson.*not -1"),
    ("sigmoid_focal_loss", (FOUR, FOUR + 2), {}, ValueError, r"target\[0\] is 2"),
    ("sigmoid_focal_loss", (FOUR, FOUR), {"alpha": -0.5}, ValueError, "-1 for no weights, not -0"),
    ("sigmoid_focal_loss", (FOUR, FOUR), {"alpha": 2}, ValueError, "alpha of sigmoid.*not 2"),
    ("sigmoid_focal_loss", (FOUR, FOUR), {"gamma": -1}, ValueError, "gamma of sigmoid.*not -1"),
    ("sigmoid_focal_loss", (FOUR, FOUR), {"gamma": HALF}, TypeError, "cannot require grad"),
]


@pytest.mark.parametrize(("loss", "arguments", "options", "error", "message"), WRONG)
def test_wrong_arguments_raise(
    loss: str, arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        getattr(losses, loss)(*arguments, **options)


@pytest.mark.parametrize("loss", EMPTY)
def test_invalid_reductions_and_inputs_raise(loss: str) -> None:
    function, rest = getattr(losses, loss), [np.ones(4)] * (EMPTY[loss] - 1)
    with pytest.raises(ValueError, match=f"{loss} has no reduction 'avg'; choose one of"):
        function(np.ones(4), *rest, reduction="avg")
    with pytest.raises(TypeError, match=f"{loss} takes a floating input, not int64"):
        function(np.ones(4, np.int64), *rest)
    with pytest.raises(TypeError, match="takes a Tensor or an array as input, not list"):
        function([1.0], *rest)


@pytest.mark.parametrize(
    ("loss", "options", "error", "message"),
    [
        (losses.SmoothL1Loss, {"beta": -1}, ValueError, "beta of 0 or more"),
        (losses.MarginRankingLoss, {"margin": math.nan}, ValueError, "margin of MarginRankingLoss"),
        (losses.HingeEmbeddingLoss, {"margin": None}, TypeError, "margin of HingeEmbeddingLoss"),
        (losses.CosineEmbeddingLoss, {"margin": -2}, ValueError, "margin of CosineEmbeddingLoss"),
        (losses.TripletMarginLoss, {"swap": 1}, TypeError, "swap of TripletMarginLoss"),
        (losses.SoftMarginLoss, {"reduction": "avg"}, ValueError, "SoftMarginLoss has no reduc"),
        (losses.GaussianNLLLoss, {"eps": 0}, ValueError, "eps of GaussianNLLLoss"),
        (losses.PoissonNLLLoss, {"log_input": 1}, TypeError, "log_input of PoissonNLLLoss"),
        (losses.FocalLoss, {"gamma": -1}, ValueError, "gamma of FocalLoss"),
        (losses.CTCLoss, {"blank": -1}, ValueError, "blank of CTCLoss"),
        (losses.CTCLoss, {"zero_infinity": 1}, TypeError, "zero_infinity of CTCLoss"),
    ],
)
def test_options_are_checked_on_construction(
    loss: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        loss(**options)
