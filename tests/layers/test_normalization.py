"""Normalization with running statistics and of groups: functions, statistics and errors."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_autograd.debug.numerical import check_derivative
from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import BatchNorm1d, GroupNorm, InstanceNorm1d, RMSNorm
from tinytorch_layers import functional as F

from .cases import mixed

X = np.random.default_rng(0).permutation(np.linspace(-2, 2.25, 120)).reshape(4, 6, 5)
MEAN, VAR, WEIGHT, BIAS = (mixed((6,), low, low + 1) for low in (-1.0, 0.5, 1.0, 2.0))
NORMS = ["batch_norm", "instance_norm"]


def statistics(kind=np.array):
    return kind(MEAN.copy()), kind(VAR.copy())


def uses(name, own):
    """Return the argument that selects the statistics of the input or the running ones."""
    return {"training" if name == "batch_norm" else "use_input_stats": own}


@pytest.mark.parametrize("kind", [np.array, Tensor, lambda a: Tensor(StrictArray(a))])
@pytest.mark.parametrize("name", NORMS)
def test_running_statistics_move_towards_those_of_the_input_in_place(name, kind):
    mean, var = statistics(kind)
    getattr(F, name)(X, mean, var, WEIGHT, BIAS, **uses(name, True), momentum=0.25)
    axes = (0, 2) if name == "batch_norm" else 2
    new_mean, new_var = X.mean(axes), X.var(axes, ddof=1)
    if name == "instance_norm":
        new_mean, new_var = new_mean.mean(0), new_var.mean(0)
    for found, start, new in ((mean, MEAN, new_mean), (var, VAR, new_var)):
        array = values_of(found.data) if isinstance(found, Tensor) else found
        np.testing.assert_allclose(array, 0.75 * start + 0.25 * new, rtol=1e-12)


@pytest.mark.parametrize("name", NORMS)
def test_running_statistics_are_used_in_evaluation_and_stay_as_they_are(name):
    mean, var = statistics()
    found = getattr(F, name)(X, mean, var, WEIGHT, BIAS, **uses(name, False), eps=0.1)
    scale = WEIGHT / np.sqrt(VAR + 0.1)
    expected = (X - MEAN[:, None]) * scale[:, None] + BIAS[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal([mean, var], [MEAN, VAR])


@pytest.mark.peers
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("name", NORMS)
def test_functions_with_running_statistics_agree_with_pytorch(torch, name, own):
    ours = [Tensor(X, requires_grad=True), *statistics()]
    theirs = [torch.tensor(X, requires_grad=True), *statistics(torch.tensor)]
    weights = [WEIGHT, BIAS]
    out = getattr(F, name)(*ours, *weights, **uses(name, own), momentum=0.3, eps=0.2)
    other = getattr(torch.nn.functional, name)(
        *theirs, *map(torch.tensor, weights), **uses(name, own), momentum=0.3, eps=0.2
    )
    out.backward(np.cos(X))
    other.backward(torch.cos(torch.tensor(X)))
    pairs = [(out.data, other.detach()), (ours[0].grad, theirs[0].grad)]
    for found, expected in [*pairs, *zip(ours[1:], theirs[1:], strict=True)]:
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10, atol=1e-10)


def test_batch_norm_without_running_statistics_uses_those_of_the_batch():
    np.testing.assert_array_equal(F.batch_norm(X), F.batch_norm(X, training=True))
    evaluated = BatchNorm1d(6, track_running_stats=False).eval()(X)
    np.testing.assert_allclose(evaluated.data, F.batch_norm(X), rtol=1e-12)


@pytest.mark.parametrize("name", NORMS)
def test_an_empty_batch_leaves_the_running_statistics_as_they_are(name):
    mean, var = statistics()
    out = getattr(F, name)(X[:0], mean, var, WEIGHT, BIAS, **uses(name, True))
    assert out.shape == (0, 6, 5)
    np.testing.assert_array_equal([mean, var], [MEAN, VAR])


def test_layers_without_running_statistics_have_none_in_their_state():
    assert BatchNorm1d(3, affine=False, track_running_stats=False).state_dict() == {}
    assert set(InstanceNorm1d(3, affine=True).state_dict()) == {"weight", "bias"}
    tracked = {"running_mean", "running_var", "num_batches_tracked"}
    assert set(InstanceNorm1d(3, track_running_stats=True).state_dict()) == tracked


def test_each_group_has_mean_0_and_variance_1():
    groups = F.group_norm(X, 3, eps=1e-12).reshape(4, 3, -1)
    np.testing.assert_allclose(groups.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(groups.var(axis=2), 1, rtol=1e-10)
    np.testing.assert_allclose(F.group_norm(X, 6), F.instance_norm(X), rtol=1e-12)


FUNCTIONS = [
    lambda x, w, b: F.group_norm(x, 2, w, b),
    lambda x, w, b: F.instance_norm(x, None, None, w, b),
    lambda x, w, b: F.rms_norm(x.transpose(1, 2), (6,), w) + b,
]


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("function", FUNCTIONS, ids=["group", "instance", "rms"])
def test_derivatives_agree_with_numerical_differentiation(function, order):
    check_derivative(lambda *a: function(*a) ** 3, [X[:2], WEIGHT, BIAS], order)


@pytest.mark.parametrize("function", FUNCTIONS, ids=["group", "instance", "rms"])
def test_second_derivatives_of_arrays_of_other_libraries(function):
    def second(kind):
        x, w = (Tensor(kind(a), requires_grad=True) for a in (X, WEIGHT))
        first = grad((function(x, w, kind(BIAS)) ** 2).sum(), x, create_graph=True)
        return grad((first * first).sum(), w).data

    found = second(StrictArray)
    assert type(found) is StrictArray
    np.testing.assert_allclose(values_of(found), second(np.asarray), rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rms_norm_keeps_the_dtype_and_does_not_overflow(dtype):
    x = np.array([[3e4, 4e4], [0, 0]], dtype)
    found = F.rms_norm(x, (2,))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [[0.8485, 1.1314], [0, 0]], rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.batch_norm(X, MEAN), ValueError, "batch_norm needs both .* running_var is None"),
        (
            lambda: F.instance_norm(X, None, VAR),
            ValueError,
            "instance_norm needs both .* running_mean is None",
        ),
        (
            lambda: F.batch_norm(X, *statistics(StrictArray), training=True),
            TypeError,
            "running_mean of batch_norm is updated in place.*not StrictArray; pass Tensor",
        ),
        (
            lambda: F.instance_norm(X, *statistics(StrictArray)),
            TypeError,
            "running_mean of instance_norm is updated in place",
        ),
        (
            lambda: F.batch_norm(X[:1, :, 0], training=True),
            ValueError,
            r"batch_norm in training mode needs more than one value .* shape \(1, 6\)",
        ),
        (
            lambda: F.instance_norm(X[..., :1]),
            ValueError,
            r"more than one value for each channel of a sample.* shape \(4, 6, 1\)",
        ),
        (
            lambda: InstanceNorm1d(6)(X[..., :1]),
            ValueError,
            r"InstanceNorm1d\(6\) needs more than one value",
        ),
        (
            lambda: F.instance_norm(X, use_input_stats=False),
            ValueError,
            "needs running_mean and running_var if use_input_stats is False",
        ),
        (lambda: F.group_norm(X, 4), ValueError, r"divisible by num_groups=4, got \(4, 6, 5\)"),
        (lambda: F.group_norm(X[0, 0], 1), ValueError, r"num_groups=1, got \(5,\)"),
        (lambda: F.group_norm(X, 0), ValueError, "num_groups of group_norm must be positive"),
        (lambda: F.group_norm(X, 1.5), TypeError, "num_groups of group_norm must be an integer"),
        (
            lambda: F.rms_norm(X, (6,)),
            ValueError,
            r"input of shape \(..., 6\), got \(4, 6, 5\)",
        ),
        (lambda: F.layer_norm(X, (6,)), ValueError, r"layer_norm expects .* \(..., 6\), got"),
        (lambda: F.layer_norm(X, X[0, 0]), TypeError, r"the lengths of the last axes, such"),
        (lambda: F.layer_norm(X, (5,), X[0]), ValueError, r"weight of layer_norm must .* \(5,\),"),
        (lambda: F.layer_norm(X, [5], None, X[0]), ValueError, "bias of layer_norm must have the"),
        (lambda: F.rms_norm(X, (5,), X), ValueError, "weight of rms_norm must have the shape"),
        (lambda: F.rms_norm(X, 5), TypeError, "normalized_shape of rms_norm must be the lengths"),
        (lambda: F.rms_norm(X, ()), ValueError, r"rms_norm expects an input of shape \(...\)"),
        *(
            (lambda f=f: f(X.astype(complex)), TypeError, "real numbers, not complex128 of shape")
            for f in (
                lambda x: F.group_norm(x, 2),
                F.instance_norm,
                lambda x: F.rms_norm(x, (5,)),
                lambda x: F.batch_norm(x, training=True),
            )
        ),
        (lambda: GroupNorm(2, 4)(X), ValueError, r"GroupNorm\(2, 4\) expects .* \(N, 4\) or \(N"),
        (lambda: GroupNorm(4, 6), ValueError, "must divide num_channels, but 4 does not divide 6"),
        (lambda: GroupNorm(2.0, 6), TypeError, "num_groups of GroupNorm must be an integer"),
        (lambda: GroupNorm(2, 6, affine=1), TypeError, "affine of GroupNorm must be True or False"),
        (lambda: RMSNorm(4)(X), ValueError, r"RMSNorm\(4\) expects .* \(..., 4\), got"),
        (lambda: RMSNorm(()), ValueError, "normalized_shape of RMSNorm must have at least one"),
        (lambda: RMSNorm(1.5), TypeError, "normalized_shape of RMSNorm must be an integer"),
        (lambda: RMSNorm(4, eps=-1), ValueError, r"eps of RMSNorm must be in \[0, inf\)"),
        (lambda: InstanceNorm1d(3)(X), ValueError, r"\(N, 3, L\) or \(3, L\), got \(4, 6, 5\)"),
        (lambda: InstanceNorm1d(0), ValueError, "num_features of InstanceNorm1d must be positive"),
        (
            lambda: BatchNorm1d(3, track_running_stats="no"),
            TypeError,
            "track_running_stats of BatchNorm1d must be True or False",
        ),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()
