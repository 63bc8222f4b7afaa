"""Sample calls of the layers' ops for the conformance kit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_devkit import Samples, call
from tinytorch_layers import functional as F
from tinytorch_layers import reference
from tinytorch_layers.functional.attention import attend
from tinytorch_layers.functional.masking import drawn
from tinytorch_layers.functional.normalization import layer_norm_forward
from tinytorch_layers.functional.windows import Windows
from tinytorch_modules import random_generator

Array = Any

# Every attribute differs between height and width, and the windows overlap.
_ASYMMETRIC = Windows((2, 3), (1, 2), (1, 0, 0, 2), (2, 1))
_DISJOINT = Windows((2, 2), (2, 2))
_IMAGE = (1, 2, 4, 4)
_REALS = (-np.inf, np.inf)


def describe(samples: Samples) -> None:
    """Describe every op of this plugin."""
    _describe_linear(samples)
    _describe_normalization(samples)
    _describe_lookup(samples)
    _describe_dropout(samples)
    _describe_attention(samples)
    _describe_recurrences(samples)
    _describe_draws(samples)
    _describe_convolution(samples)
    _describe_maximum(samples)
    _describe_average(samples)


def _numbers(*shape: int, seed: int = 0) -> Array:
    """Return evenly spaced numbers from -2 to 2 in random order."""
    size = int(np.prod(shape))
    order = np.random.default_rng(seed).permutation(size)
    return np.linspace(-2, 2, max(size, 1))[order].reshape(shape)


def _describe_linear(samples: Samples) -> None:
    weight, bias = _numbers(3, 4), _numbers(4)
    calls = [call(_numbers(*shape, 3), weight, bias) for shape in ((2,), (2, 2), (), (0,))]
    calls.append(call(_numbers(2, 1, 3), weight))
    samples.add("linear", reference.linear, calls=calls, function=F.linear, domain={"x": _REALS})
    samples.refuse("linear", ValueError, "linear of shapes (2, 4)", _numbers(2, 4), weight)


def _describe_normalization(samples: Samples) -> None:
    x, weight, bias = _numbers(2, 3, 4), _numbers(4, seed=1), _numbers(4, seed=2)
    calls = [
        call(x, weight, bias),
        call(x, weight, None, eps=0.1),
        call(x, None, bias),
        call(x, _numbers(3, 4, seed=3), axes=2),
        call(_numbers(0, 4), weight, bias),
    ]
    samples.add(
        "layer_norm", reference.layer_norm, calls=calls, function=layer_norm, domain={"x": _REALS}
    )
    weight, bias = weight[:3], bias[:3]
    calls = [
        call(x, weight, bias),
        call(_numbers(4, 3), weight, None, eps=0.1),
        call(_numbers(2, 3, 2, 2), None, bias),
        call(_numbers(4, 3)),
    ]
    samples.add(
        "batch_norm", reference.batch_norm, calls=calls, function=batch_norm, domain={"x": _REALS}
    )


def layer_norm(
    x: Array, weight: Array = None, bias: Array = None, axes: int = 1, eps: float = 1e-5
) -> Array:
    """Run the op `layer_norm`, whose arguments differ from those of `functional.layer_norm`.

    Args:
        x, weight, bias: the inputs of the op.
        axes: the number of last axes.
        eps: added to the variance, which may be zero.
    """
    return layer_norm_forward(x, weight, bias, axes, eps)


def batch_norm(x: Array, weight: Array = None, bias: Array = None, eps: float = 1e-5) -> Array:
    """Run the op `batch_norm`, whose inputs have another order in `functional.batch_norm`.

    Args:
        x, weight, bias: the inputs of the op.
        eps: added to the variance, which may be zero.
    """
    return F.batch_norm(x, weight=weight, bias=bias, eps=eps)


def _describe_lookup(samples: Samples) -> None:
    weight, indices = _numbers(4, 3), [np.array([[3, 0], [1, 3]]), np.array(2), np.array([], int)]
    # The rule gives row padding_idx no gradient, unlike the derivative, so no index selects it.
    calls = [call(i, weight) for i in indices] + [call(np.array([0, 1]), weight, padding_idx=2)]
    samples.add("embedding", reference.embedding, calls=calls, function=F.embedding)
    samples.refuse("embedding", IndexError, "index[1] is 4", np.array([0, 4]), weight)
    samples.refuse("embedding", ValueError, "index[0] is 0.5", np.array([0.5]), weight)
    calls = [
        call(_numbers(*i.shape, 3), indices=i, count=count, padding_idx=padding)
        for i in indices
        for count, padding in ((4, None), (5, 3))
    ]
    samples.add("embedding_weight", reference.embedding_weight, calls=calls)


def _describe_dropout(samples: Samples) -> None:
    x = _numbers(2, 3)
    calls = [call(a, mask=a > -1, p=p) for a in (x, _numbers(), _numbers(0, 2)) for p in (0.25, 0)]
    samples.add(
        "dropout",
        lambda x, mask, p: np.where(mask, x / (1 - p), 0),
        calls=calls,
        function=F.dropout,
        domain={"x": _REALS},
    )
    samples.refuse("dropout", ValueError, "p of dropout", x, mask=x > 0, p=1)
    samples.refuse("dropout", ValueError, "a mask of shape (3,)", x, mask=x[0] > 0, p=0.5)


def _describe_attention(samples: Samples) -> None:
    query, key, value = _numbers(2, 2, 3), _numbers(2, 3, 3, seed=1), _numbers(2, 3, 1, seed=2)
    allowed, added = np.tri(2, 3, 1, dtype=bool), _numbers(2, 3, seed=3)
    keep = _numbers(2, 2, 3, seed=4) > -1
    calls = [
        call(query, key, value),
        call(query, key[0], value, scale=0.5, is_causal=True),
        call(query, key, value, mask=allowed),
        call(query, key, value, mask=added, keep=keep, dropout_p=0.25),
        call(query, key, value, added, scale=2.0),
        call(query[:0], key[:0], value[:0]),
    ]
    # Not the function that users call, which draws `keep`.
    samples.add(
        "scaled_dot_product_attention",
        reference.attention,
        calls=calls,
        function=scaled_dot_product_attention,
    )
    samples.refuse("scaled_dot_product_attention", ValueError, "(2, 2, 3)", query, value, value)
    x = _numbers(2, 2, 6)
    calls = [call(x), call(x, heads=1, parts=3), call(x[0], heads=3), call(x[:0], heads=3, parts=2)]
    samples.add("split_heads", reference.split_heads, calls=calls, view=True)
    parts = [_numbers(2, 2, 1, 2, seed=seed) for seed in range(3)]
    calls = [call(*parts), call(parts[0]), call(*(x[0] for x in parts)), call(parts[0][:0])]
    samples.add("merge_heads", reference.merge_heads, calls=calls, view=True)


def scaled_dot_product_attention(
    *arrays: Array,
    scale: float = 1.0,
    is_causal: bool = False,
    mask: Array = None,
    keep: Array = None,
    dropout_p: float = 0.0,
) -> tuple[Array, Array]:
    """Run the op `scaled_dot_product_attention` with a new list for what it keeps.

    Args:
        arrays, scale, is_causal, mask, keep, dropout_p: those of the op.
    """
    return attend(
        *arrays,
        scale=scale,
        is_causal=is_causal,
        mask=mask,
        keep=keep,
        dropout_p=dropout_p,
        kept=[],
    )


def _describe_recurrences(samples: Samples) -> None:
    for name, gates, states in (("rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1)):
        x, hidden = _numbers(5, 3), [_numbers(2, 2, seed=seed) for seed in range(states)]
        weights = [_numbers(3, gates * 2, seed=1), _numbers(2, gates * 2, seed=2)]
        biases = [_numbers(gates * 2, seed=3), _numbers(gates * 2, seed=4)]
        calls = [
            call(x, *weights, *biases, *hidden, sizes=(2, 2, 1)),
            call(x, *weights, *hidden, sizes=(2, 2, 1), reverse=True),
            call(x[:4], *weights, *biases, *hidden, sizes=(2, 2), reverse=True),
            call(x[:1], *weights, *biases, *(h[:1] for h in hidden)),
            call(x[:0], *weights, *biases, *(h[:0] for h in hidden), sizes=(0, 0)),
        ]
        if name == "rnn":
            relu = call(x, *weights, *hidden, sizes=(2, 2, 1), nonlinearity="relu")
            calls.append(relu)
        samples.add(name, getattr(reference, name), calls=calls)
        reason = "as a parameter, x keeps its dtype; kept only receives what the rule reads"
        samples.leave_out("varies_every_parameter", reason, name)


def _describe_draws(samples: Samples) -> None:
    drawn = [("random", ((2, 3), np.float32)), ("normal", (1.0, 2.0, (4,)))]
    samples.add(
        "random_draw",
        lambda seed, method, arguments: getattr(np.random.default_rng(seed), method)(*arguments),
        calls=[call(seed, *arguments) for seed in (0, 1) for arguments in drawn],
        function=drawn_from_seed,
    )


def drawn_from_seed(generator: int, method: str, arguments: tuple[Any, ...]) -> Array:
    """Run the op `random_draw` with a new generator, because each draw changes its state.

    Args:
        generator: the seed of the generator.
        method, arguments: those of the op.
    """
    return drawn(random_generator(generator), method, *arguments)


def _describe_convolution(samples: Samples) -> None:
    x, weight, bias = _numbers(*_IMAGE), _numbers(3, 2, 2, 3, seed=1), _numbers(3, seed=2)
    grouped = _numbers(4, 1, 2, 2, seed=3)
    calls = [
        call(x, weight, bias),
        call(x, weight, stride=(1, 2), padding=(1, 2), dilation=(2, 1)),
        call(x, grouped, stride=2, padding=1, groups=2),
        call(_numbers(2, 2, 2, 2), grouped, groups=2),
        call(x[:0], weight, bias),
    ]
    samples.add("conv2d", reference.conv2d, calls=calls, function=F.conv2d, domain={"x": _REALS})
    samples.refuse("conv2d", ValueError, "(4, 4)", x[0, 0], weight)
    samples.refuse("conv2d", ValueError, "groups=1", x, grouped)
    samples.refuse("conv2d", ValueError, "covers 2 x 3", x[:, :, :1], weight)
    samples.refuse("conv2d", TypeError, "int64", x.astype(np.int64), weight)
    _describe_adjoints(samples, x, [(weight, _ASYMMETRIC, 1), (grouped, _DISJOINT, 2)])


def _describe_adjoints(
    samples: Samples, x: Array, geometries: Sequence[tuple[Array, Windows, int]]
) -> None:
    by_input, by_weight = [], []
    for weight, windows, groups in geometries:
        for images in (x, x[:0], x[..., :3]):
            out = reference.convolved(images, weight, None, windows, groups)
            values = _numbers(len(images), *out.shape[1:], seed=4)
            options: dict[str, Any] = {"windows": windows, "groups": groups}
            by_input.append(call(values, weight, image=images.shape[2:], **options))
            by_weight.append(call(values, images, **options))
    samples.add("conv2d_input", reference.conv2d_input, calls=by_input)
    samples.add("conv2d_weight", reference.conv2d_weight, calls=by_weight)


def _describe_maximum(samples: Samples) -> None:
    x = _numbers(*_IMAGE) - 3  # negative, so that padding with zeros instead of −∞ would show
    calls = [
        call(x, kernel_size=2),
        call(x, kernel_size=(2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1)),
        call(x, kernel_size=2, stride=3, ceil_mode=True),
        call(x[:0], kernel_size=2),
    ]
    samples.add(
        "max_pool2d", reference.max_pool2d, calls=calls, function=F.max_pool2d, domain={"x": _REALS}
    )
    reason = "with return_indices the result is a pair, of which the second part is whole numbers"
    samples.leave_out("varies_every_parameter", reason, "max_pool2d")
    samples.refuse("max_pool2d", ValueError, "(4, 4)", x[0, 0], kernel_size=2)
    samples.refuse("max_pool2d", ValueError, "at most half", x, kernel_size=2, padding=2)
    samples.refuse("max_pool2d", TypeError, "int64", x.astype(np.int64), kernel_size=2)
    unpooled, selected = [], []
    for windows in (_ASYMMETRIC, _DISJOINT):
        for images in (x, x[:0]):
            largest = reference.window_view(images, windows, -np.inf).max(axis=(4, 5))
            values = _numbers(*largest.shape, seed=1)
            unpooled.append(call(values, images, largest, windows=windows))
            values = _numbers(*images.shape, seed=2)
            selected.append(call(values, images, largest, windows=windows))
    # The positions of the maxima are piecewise constant in these inputs.
    stepwise = ("x", "largest")
    samples.add("max_pool2d_input", reference.max_pool2d_input, calls=unpooled, stepwise=stepwise)
    samples.add("max_pool2d_pick", reference.max_pool2d_pick, calls=selected, stepwise=stepwise)


def _describe_average(samples: Samples) -> None:
    x = _numbers(*_IMAGE)
    calls = [
        call(x, kernel_size=2),
        call(x, kernel_size=(2, 3), stride=(1, 2), padding=(1, 0)),
        call(x, kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        call(x, kernel_size=2, stride=3, ceil_mode=True, divisor_override=3),
        call(x[:0], kernel_size=2),
    ]
    samples.add(
        "avg_pool2d", reference.avg_pool2d, calls=calls, function=F.avg_pool2d, domain={"x": _REALS}
    )
    samples.refuse("avg_pool2d", ValueError, "(4, 4)", x[0, 0], kernel_size=2)
    samples.refuse("avg_pool2d", ValueError, "at most half", x, kernel_size=2, padding=2)
    samples.refuse("avg_pool2d", TypeError, "int64", x.astype(np.int64), kernel_size=2)
    spread = [
        call(_numbers(*reference.average(i, w).shape, seed=1), image=i.shape[2:], windows=w)
        for w in (_ASYMMETRIC, _DISJOINT)
        for i in (x, x[:0], x[..., :3])
    ]
    samples.add("avg_pool2d_input", reference.avg_pool2d_input, calls=spread)
