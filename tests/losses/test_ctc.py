"""CTC: sums over alignments, lengths, infinite losses, second derivatives and errors.

test_composite.py compares it with PyTorch, and test_conformance.py with a sum over all alignments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_devkit import StrictArray, values_of
from tinytorch_losses import ctc_loss, log_softmax

autograd = pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")

LOGITS = np.random.default_rng(0).normal(size=(6, 3, 4))
TARGETS = np.array([[1, 1, 2], [3, 2, 0], [1, 0, 0]])
LENGTHS, SIZES = np.array([6, 5, 3]), np.array([3, 2, 0])


def loss(logits: Any, reduction: str = "mean", **options: Any) -> Any:
    return ctc_loss(log_softmax(logits), TARGETS, LENGTHS, SIZES, reduction=reduction, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_second_derivatives_agree_with_differences(reduction: str) -> None:
    assert autograd.gradgradcheck(lambda x: loss(x, reduction), LOGITS, atol=1e-7, rtol=1e-6)


def test_gradient_with_respect_to_logarithms_is_that_of_the_formula() -> None:
    log_probs = log_softmax(LOGITS)
    assert autograd.gradcheck(
        lambda x: ctc_loss(x, TARGETS, LENGTHS, SIZES), log_probs, atol=1e-8, rtol=1e-6
    )


def test_steps_behind_the_end_of_a_sequence_do_not_matter() -> None:
    x = Tensor(LOGITS, requires_grad=True)
    loss(x).backward()
    assert not x.grad[5:, 1].any()
    assert not x.grad[3:, 2].any()
    other = LOGITS.copy()
    other[5:, 1], other[3:, 2] = 100, -100
    np.testing.assert_allclose(loss(other, "none"), loss(LOGITS, "none"), rtol=1e-14)


def test_equivalent_arguments_give_the_same_loss() -> None:
    expected = loss(LOGITS, "none")
    log_probs = log_softmax(LOGITS)
    in_one_row = [1, 1, 2, 3, 2]
    behind = np.where(np.arange(3) < SIZES[:, None], TARGETS, -7)
    for targets in (in_one_row, np.array(in_one_row), Tensor(in_one_row), Tensor(TARGETS), behind):
        for kind in (list, tuple, Tensor, np.array):
            found = ctc_loss(log_probs, targets, kind(LENGTHS), kind(SIZES), reduction="none")
            np.testing.assert_array_equal(found, expected)
    single = ctc_loss(log_probs[:, 0], [1, 1, 2], 6, 3, reduction="none")
    assert single.shape == ()
    np.testing.assert_allclose(single, expected[0], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_sequences_do_not_underflow(dtype: Any) -> None:
    steps = 2000
    x = Tensor(np.zeros((steps, 1, 2), dtype), requires_grad=True)
    found = ctc_loss(log_softmax(x), [[1]], [steps], [1], reduction="sum")
    found.backward()
    # The alignments are the runs of ones: steps (steps + 1) / 2 of them.
    expected = steps * np.log(2) - np.log(steps * (steps + 1) / 2)
    np.testing.assert_allclose(found.item(), expected, rtol=1e-5)
    assert x.grad.dtype == dtype
    assert np.all(np.isfinite(x.grad))


def test_impossible_targets() -> None:
    lengths = [4, 2, 0]
    x = Tensor(LOGITS, requires_grad=True)
    log_probs = log_softmax(x)
    arguments = (log_probs, [[1, 1, 2], [3, 3, 0], [1, 0, 0]], lengths, [3, 2, 1])
    found = ctc_loss(*arguments, reduction="none")
    assert np.isfinite(found.data[0])
    assert found.tolist()[1:] == [np.inf, np.inf]
    found.sum().backward(retain_graph=True)
    assert np.all(np.isnan(x.grad[:, 1:]))
    x.zero_grad()
    found = ctc_loss(*arguments, reduction="none", zero_infinity=True)
    assert found.tolist()[1:] == [0, 0]
    found.sum().backward(retain_graph=True)
    assert np.all(np.isfinite(x.grad))
    assert not x.grad[:, 1:].any()
    (slope,) = autograd.grad(found.sum(), [x], create_graph=True)
    assert np.all(np.isfinite(autograd.grad((slope * slope).sum(), x).data))


def test_when_disabled_ctc_works_on_arrays_and_raises_for_tensors() -> None:
    expected = loss(LOGITS)
    with plugins.disable("losses"):
        assert loss(LOGITS) == expected
        with pytest.raises(AttributeError, match="no active plugin provides the op 'ctc_loss'"):
            loss(Tensor(LOGITS))


def test_empty_target_of_an_empty_sequence_has_loss_zero() -> None:
    assert ctc_loss(log_softmax(LOGITS[:, :1]), [[1]], [0], [0], reduction="sum") == 0


def test_classes_of_probability_zero() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log([[[0.5, 0.5, 0.0]], [[0.0, 0.5, 0.5]]])
    x = Tensor(log_probs, requires_grad=True)
    found = ctc_loss(x, [[1, 2]], [2], [2], reduction="sum")
    found.backward()
    np.testing.assert_allclose(found.item(), np.log(4))
    np.testing.assert_allclose(x.grad[:, 0], [[0, -1, 0], [0, 0, -1]])
    assert ctc_loss(log_probs, [[2, 1]], [2], [2], reduction="sum") == np.inf


def test_float16_is_computed_in_float32() -> None:
    x = Tensor(LOGITS.astype(np.float16), requires_grad=True)
    found = loss(x)
    found.backward()
    assert found.dtype == x.grad.dtype == np.float16
    np.testing.assert_allclose(found.item(), loss(LOGITS), rtol=2e-3)


@pytest.mark.parametrize("targets", [TARGETS, np.array([1, 1, 2, 3, 2])], ids=["2d", "1d"])
def test_lengths_and_targets_of_another_library(targets: Any) -> None:
    expected = loss(LOGITS, "none")
    log_probs = log_softmax(StrictArray(LOGITS))
    lengths, sizes = StrictArray(LENGTHS), StrictArray(SIZES)
    found = ctc_loss(log_probs, StrictArray(targets), lengths, sizes, reduction="none")
    np.testing.assert_allclose(values_of(found), expected, rtol=1e-14)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"log_probs": LOGITS[0, 0]}, ValueError, r"\(T, N, C\) or \(T, C\).* not \(4,\)"),
    ({"log_probs": LOGITS[:0]}, ValueError, r"T above 0, not \(0, 3, 4\)"),
    ({"log_probs": LOGITS.astype(int)}, TypeError, "floating input, not int64"),
    ({"blank": 4}, ValueError, "blank of ctc_loss must be from 0 to 3"),
    ({"blank": -1}, ValueError, "blank of ctc_loss must be at least 0"),
    ({"blank": 1.5}, TypeError, "blank of ctc_loss must be an integer"),
    ({"blank": 1}, ValueError, r"targets\[0, 0\] is 1, which is the blank"),
    ({"targets": TARGETS + 2}, IndexError, r"targets\[0, 2\] is 4, but .* 0 to 3"),
    ({"targets": TARGETS + 0.5}, ValueError, r"targets\[0, 0\] is 1.5, but .* whole"),
    ({"targets": TARGETS > 0}, TypeError, "whole numbers as targets, not bool"),
    ({"targets": TARGETS[:2]}, ValueError, r"targets of shape \(3, L\) or .* not \(2, 3\)"),
    ({"targets": TARGETS[:, :2]}, ValueError, r"target_lengths\[0\] is 3, but .* from 0 to 2"),
    ({"targets": [1, 2]}, ValueError, "sum of target_lengths is 5, but there are 2 targets"),
    ({"input_lengths": [6, 7, 3]}, ValueError, r"input_lengths\[1\] is 7, but .* from 0 to 6"),
    ({"input_lengths": [6, 5]}, ValueError, r"each of the 3 sequences as input_lengths, not .*2"),
    ({"input_lengths": [6, 5, 2.5]}, ValueError, r"input_lengths\[2\] is 2.5"),
    ({"target_lengths": [3, -2, 0]}, ValueError, r"target_lengths\[1\] is -2"),
    ({"target_lengths": ["a", "b", "c"]}, TypeError, "whole numbers as target_lengths"),
    ({"reduction": "avg"}, ValueError, "ctc_loss has no reduction 'avg'"),
    ({"zero_infinity": 1}, TypeError, "zero_infinity of ctc_loss must be True or False"),
]


@pytest.mark.parametrize(("changes", "error", "message"), WRONG)
def test_wrong_arguments_raise(changes: Any, error: type[Exception], message: str) -> None:
    arguments = {
        "log_probs": LOGITS,
        "targets": TARGETS,
        "input_lengths": LENGTHS,
        "target_lengths": SIZES,
    }
    with pytest.raises(error, match=message):
        ctc_loss(**{**arguments, **changes})
