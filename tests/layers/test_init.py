"""Initial values of parameters: the papers' formulas with PyTorch's names and defaults."""

import math

import numpy as np
import pytest

from tinytorch_layers import Conv2d, Embedding, Linear, init

SHAPE = (300, 200)


@pytest.mark.parametrize(
    ("draw", "low", "high"),
    [
        (lambda g: init.uniform(SHAPE, -2, 3, generator=g), -2, 3),
        (lambda g: init.kaiming_uniform(SHAPE, generator=g), -math.sqrt(6 / 300), None),
        (
            lambda g: init.kaiming_uniform(SHAPE, mode="fan_out", generator=g),
            -math.sqrt(6 / 200),
            None,
        ),
        (lambda g: init.kaiming_uniform(SHAPE, math.sqrt(5), generator=g), -(300**-0.5), None),
        (
            lambda g: init.kaiming_uniform(SHAPE, nonlinearity="tanh", generator=g),
            -5 / 3 * math.sqrt(3 / 300),
            None,
        ),
        (lambda g: init.xavier_uniform(SHAPE, generator=g), -math.sqrt(6 / 500), None),
        (lambda g: init.xavier_uniform(SHAPE, 2.0, generator=g), -2 * math.sqrt(6 / 500), None),
        (lambda g: Linear(300, 200, generator=g).weight.data, -(300**-0.5), None),
        (lambda g: Linear(300, 20000, generator=g).bias.data, -(300**-0.5), None),
        (lambda g: Conv2d(30, 60, 5, generator=g).weight.data, -(750**-0.5), None),
        (lambda g: Conv2d(30, 60, 5, groups=3, generator=g).weight.data, -(250**-0.5), None),
        (lambda g: Conv2d(3, 20000, 5, generator=g).bias.data, -(75**-0.5), None),
    ],
)
def test_uniform_values_fill_their_interval(draw, low, high):
    high = -low if high is None else high
    values = draw(np.random.default_rng(0))
    width = high - low
    assert low <= values.min() < low + 0.001 * width
    assert high - 0.001 * width < values.max() <= high
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.01 * width)
    assert values.std() == pytest.approx(width / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize(
    ("draw", "mean", "std"),
    [
        (lambda g: init.normal(SHAPE, 1, 3, generator=g), 1, 3),
        (lambda g: init.kaiming_normal(SHAPE, generator=g), 0, math.sqrt(2 / 300)),
        (lambda g: init.kaiming_normal(SHAPE, 1.0, "fan_out", generator=g), 0, math.sqrt(1 / 200)),
        (lambda g: init.xavier_normal(SHAPE, generator=g), 0, math.sqrt(2 / 500)),
        (lambda g: Embedding(300, 200, generator=g).weight.data, 0, 1),
    ],
)
def test_normal_values_have_the_expected_standard_deviation(draw, mean, std):
    values = draw(np.random.default_rng(0))
    assert values.mean() == pytest.approx(mean, abs=0.02 * std)
    assert values.std() == pytest.approx(std, rel=0.02)
    # For a normal distribution, 31.7 % of the values lie beyond one standard deviation.
    assert (np.abs(values - mean) > std).mean() == pytest.approx(0.317, abs=0.01)


def test_constant_values():
    assert init.zeros((2, 1)).tolist() == [[0], [0]]
    assert init.ones((2,), dtype=np.float64).dtype == np.float64
    assert init.constant((1, 2), 0.5).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("padding_idx", [3, -2])
def test_padding_row_is_zero(padding_idx):
    layer = Embedding(5, 2, padding_idx=padding_idx, generator=0)
    assert layer.padding_idx == 3
    assert [row.any() for row in layer.weight.data] == [True, True, True, False, True]


def test_fans_for_the_weight_layouts_of_the_layers():
    assert init.fans(Linear(7, 3).weight.shape) == (7, 3)
    assert init.fans(Conv2d(4, 6, (2, 5), groups=2).weight.shape) == (20, 60)
    with pytest.raises(ValueError, match=r"cannot compute fan_in .* shape \(3,\)"):
        init.kaiming_normal((3,))


@pytest.mark.peers
@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_match_pytorch(torch, name):
    slope = 0.3 if name == "leaky_relu" else None
    expected = torch.nn.init.calculate_gain(name, slope)
    assert init.gain(name, slope or 0.0) == pytest.approx(expected, rel=1e-15)


@pytest.mark.peers
def test_fans_match_pytorch_except_for_the_transposed_weight(torch):
    count = torch.nn.init._calculate_fan_in_and_fan_out
    assert init.fans((7, 3)) == count(torch.zeros(3, 7))
    assert init.fans((6, 2, 3, 5)) == count(torch.zeros(6, 2, 3, 5))


def test_unknown_nonlinearity_and_mode_raise():
    with pytest.raises(ValueError, match="unknown nonlinearity 'swish'; choose one of 'linear'"):
        init.gain("swish")
    with pytest.raises(ValueError, match="mode must be 'fan_in' or 'fan_out', not 'fan_avg'"):
        init.kaiming_uniform((2, 2), mode="fan_avg")


def test_seed_or_generator_makes_initialization_repeatable():
    first = Linear(3, 4, generator=1).state_dict()
    again = Linear(3, 4, generator=np.random.default_rng(1)).state_dict()
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)
    rng = np.random.default_rng(1)
    one, two = Linear(3, 4, generator=rng), Linear(3, 4, generator=rng)
    assert not np.array_equal(one.weight.data, two.weight.data)
    assert not np.array_equal(Linear(3, 4).weight.data, Linear(3, 4).weight.data)


def test_global_random_state_of_numpy_is_unchanged():
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    Linear(3, 4)
    np.testing.assert_equal(np.random.get_state(legacy=False), before)  # noqa: NPY002


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_have_the_requested_dtype(dtype):
    from tinytorch_layers import BatchNorm2d, LayerNorm

    for layer in (
        Linear(2, 2, dtype=dtype),
        Conv2d(1, 1, 1, dtype=dtype),
        Embedding(2, 2, dtype=dtype),
        LayerNorm(2, dtype=dtype),
        BatchNorm2d(2, dtype=dtype),
    ):
        kinds = {a.dtype for a in layer.state_dict().values() if a.dtype.kind == "f"}
        assert kinds == {np.dtype(dtype)}
