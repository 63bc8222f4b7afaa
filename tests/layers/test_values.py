"""Outputs and gradients of each layer, compared with stored and live results of PyTorch."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import BatchNorm1d, Dropout, Embedding
from tinytorch_layers import functional as F

from .cases import CASES, EXPECTED, compute, compute_in_torch

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)


@pytest.fixture(scope="module")
def expected():
    with np.load(EXPECTED) as file:
        return {
            case.id: {
                name.removeprefix(f"{case.id}: "): file[name]
                for name in file.files
                if name.startswith(f"{case.id}: ")
            }
            for case in CASES
        }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-10, err_msg=name)


@every_case
def test_agrees_with_stored_results_of_pytorch(case, expected):
    assert_same(compute(case), expected[case.id])


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@every_case
def test_agrees_with_pytorch(case, torch, expected):
    theirs = compute_in_torch(case, torch)
    assert_same(compute(case), theirs)
    # The stored results must be those of the installed version.
    assert_same(expected[case.id], theirs)


@every_case
def test_float32_stays_float32_and_is_accurate(case):
    narrow, wide = compute(case, np.float32), compute(case)
    assert narrow["output"].dtype == np.float32
    for name, array in wide.items():
        scale = np.abs(array).max(initial=1)
        np.testing.assert_allclose(narrow[name], array, atol=2e-5 * scale, err_msg=name)


def test_an_empty_batch_gives_an_empty_result():
    for case in CASES:
        # The first axis of sequences is not the batch; test_recurrent tests them.
        sequence = "Recur" in case.call
        if case.floating and case.batched and case.shape[1:] and not sequence:
            shape = case.layer()(case.x()).shape
            x = Tensor(np.zeros((0, *case.shape[1:])), requires_grad=True)
            out = case.layer()(x)
            assert out.shape[1:] == shape[1:] or "Flatten(0" in case.call
            out.sum().backward()
            assert x.grad.shape == x.shape


def test_dropout_keeps_the_mean_and_drops_the_fraction_p():
    x = Tensor(np.ones((200, 500)), requires_grad=True)
    out = Dropout(0.25, generator=0)(x)
    assert set(np.unique(out.data)) == {0, 1 / 0.75}
    assert (out.data == 0).mean() == pytest.approx(0.25, abs=0.01)
    out.backward(np.ones(out.shape))
    np.testing.assert_array_equal(x.grad, out.data)


def test_dropout_draws_a_new_mask_per_call_and_is_repeatable():
    x = np.ones(100)
    layer, twin = Dropout(generator=7), Dropout(generator=np.random.default_rng(7))
    first = layer(x)
    assert not np.array_equal(first, layer(x))
    np.testing.assert_array_equal(twin(x), first)


def test_batch_norm_evaluation_uses_running_statistics():
    rng = np.random.default_rng(0)
    layer = BatchNorm1d(3, dtype=np.float64)
    for _ in range(200):
        layer(rng.normal([1, -2, 5], [1, 2, 3], (64, 3)))
    np.testing.assert_allclose(layer.running_mean, [1, -2, 5], atol=0.5)
    np.testing.assert_allclose(np.sqrt(layer.running_var), [1, 2, 3], rtol=0.2)
    assert layer.num_batches_tracked == 200
    before = layer.state_dict()
    out = layer.eval()(rng.normal([1, -2, 5], [1, 2, 3], (1000, 3)))
    np.testing.assert_allclose(out.data.mean(axis=0), 0, atol=0.3)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def empty_batch_norm(shape):
    """Return the results of batch normalization of an empty batch in training mode."""
    layer = BatchNorm1d(3, dtype=np.float64)
    x = Tensor(np.zeros(shape), requires_grad=True)
    out = layer(x)
    out.sum().backward()
    gradients = [x.grad, layer.weight.grad, layer.bias.grad]
    return [out.data, *gradients, *(np.asarray(b) for b in layer.buffers())]


@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0)])
def test_batch_norm_of_an_empty_batch_only_counts_the_batch(shape):
    out, *gradients, mean, variance, count = empty_batch_norm(shape)
    assert out.shape == shape
    assert [g.tolist() for g in gradients] == [np.zeros(shape).tolist(), [0, 0, 0], [0, 0, 0]]
    assert (mean.tolist(), variance.tolist(), count) == ([0, 0, 0], [1, 1, 1], 1)


@pytest.mark.peers
@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0)])
def test_batch_norm_of_an_empty_batch_agrees_with_pytorch(shape, torch):
    layer = torch.nn.BatchNorm1d(3, dtype=torch.float64)
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    theirs = [out.detach(), x.grad, layer.weight.grad, layer.bias.grad, *layer.buffers()]
    for own, other in zip(empty_batch_norm(shape), theirs, strict=True):
        np.testing.assert_array_equal(own, other.numpy())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_indices_may_be_whole_floats(dtype):
    layer = Embedding(5, 2, padding_idx=0)
    for indices in (np.array([[3, 0], [4, 3]], dtype), Tensor(np.array([[3, 0], [4, 3]], dtype))):
        np.testing.assert_array_equal(layer(indices).data, layer([[3, 0], [4, 3]]).data)
    layer(Tensor([1, 1])).sum().backward()
    assert layer.weight.grad[:2].tolist() == [[0, 0], [2, 2]]


def test_max_pool_propagates_nan():
    from tinytorch_layers import MaxPool2d

    image = np.zeros((1, 1, 2, 4))
    image[0, 0, 1, 3] = np.nan
    out = MaxPool2d(2)(image)
    assert out[0, 0, 0, 0] == 0
    assert np.isnan(out[0, 0, 0, 1])


def test_the_gradient_of_a_max_pool_goes_to_the_first_nan_of_a_window():
    from tinytorch_layers import MaxPool2d

    image = Tensor(np.array([[1.0, 2.0, 3.0, np.nan], [0.0, 1.0, np.nan, 9.0]]), requires_grad=True)
    MaxPool2d(2)(image.reshape(1, 1, 2, 4)).sum().backward()
    assert image.grad.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]


def _layer_norm(x):
    return F.layer_norm(x, x.shape[-1:])


@pytest.mark.parametrize("layer", [_layer_norm, F.batch_norm])
def test_normalization_of_large_float16_numbers_does_not_overflow(layer):
    x = np.array([[1000.0, -800.0], [400.0, 1200.0]])
    found = layer(x.astype(np.float16))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, layer(x), rtol=2e-3)


@pytest.mark.parametrize("layer", [_layer_norm, F.batch_norm])
def test_normalization_refuses_complex_numbers(layer):
    with pytest.raises(TypeError, match=r"real numbers, not complex128 of shape \(2, 2\)"):
        layer(np.ones((2, 2), complex))
