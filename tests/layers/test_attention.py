"""Attention: masks, blocks, dropout, the cache, positions, and what PyTorch computes."""

from __future__ import annotations

import sys
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import grad, no_grad
from tinytorch_layers import (
    KeyValueCache,
    LayerNorm,
    Linear,
    MultiheadAttention,
    PositionalEncoding,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
    load_torch_state,
    torch_state,
)
from tinytorch_layers import functional as F
from tinytorch_layers.functional import attention_blocks
from tinytorch_layers.reference import attention as by_definition

from .cases import mixed

CAUSAL = np.tri(5, dtype=bool)


def inputs(length: int = 5, keys: int = 5, batch: tuple[int, ...] = (2, 3)) -> list[Any]:
    """Return a query, a key and a value."""
    shapes = ((*batch, length, 4), (*batch, keys, 4), (*batch, keys, 2))
    return [mixed(shape, -1.5 + i / 4) for i, shape in enumerate(shapes)]


def tracked(arrays: list[Any]) -> list[Tensor]:
    return [Tensor(a, requires_grad=True) for a in arrays]


def gradients(arrays: list[Any], *args: Any, **options: Any) -> list[Any]:
    """Return the attention and its gradients."""
    given = tracked(arrays)
    out = F.scaled_dot_product_attention(*given, *args, **options)
    out.backward(mixed(out.shape, 0.5, 1.5))
    return [out.data, *(x.grad for x in given)]


CALLS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "plain": (inputs(), {}),
    "matrices": (inputs(batch=()), {}),
    "more keys": (inputs(3, 5), {"scale": 0.7}),
    "causal": (inputs(), {"is_causal": True}),
    "causal, more keys": (inputs(3, 5), {"is_causal": True}),
    "causal, fewer keys": (inputs(5, 3), {"is_causal": True}),
    "booleans": (inputs(), {"attn_mask": CAUSAL}),
    "a row without keys": (inputs(), {"attn_mask": np.tri(5, 5, -1, dtype=bool)}),
    "numbers": (inputs(), {"attn_mask": mixed((2, 1, 5, 5))}),
    "broadcast": (
        [inputs()[0], inputs(batch=())[1], inputs(batch=(2, 1))[2]],
        {"attn_mask": mixed((3, 1, 5))},
    ),
}
every_call = pytest.mark.parametrize(("arrays", "options"), CALLS.values(), ids=CALLS)


def in_torch(torch: Any, arrays: list[Any], options: dict[str, Any]) -> tuple[list[Any], Any]:
    given = [torch.tensor(a, requires_grad=True) for a in arrays]
    options = {n: torch.tensor(v) if n == "attn_mask" else v for n, v in options.items()}
    # The other implementations have no second derivatives, or drop the gradient of the mask.
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return given, torch.nn.functional.scaled_dot_product_attention(*given, **options)


@pytest.mark.peers
@every_call
def test_values_and_two_derivatives_agree_with_pytorch(
    arrays: list[Any], options: dict[str, Any], torch: Any
) -> None:
    given, theirs = in_torch(torch, arrays, options)
    own = tracked(arrays)
    out = F.scaled_dot_product_attention(*own, **options)
    weights = mixed(out.shape, 0.5, 1.5)
    first = grad((out**2 * weights).sum(), own, create_graph=True)
    other = torch.autograd.grad((theirs**2 * torch.tensor(weights)).sum(), given, create_graph=True)
    second = grad(sum((g**3).sum() for g in first), own)
    further = torch.autograd.grad(sum((g**3).sum() for g in other), given)
    found = [out.data, *(t.data for t in first), *(np.asarray(t.data) for t in second)]
    for ours, expected in zip(found, [theirs, *other, *further], strict=True):
        np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=1e-10, atol=1e-10)


@every_call
@pytest.mark.parametrize(("buffer", "rows"), [(1, 1), (7, 2), (40, 3)])
def test_blocks_of_any_size_give_the_same(
    arrays: list[Any], options: dict[str, Any], buffer: int, rows: int, monkeypatch: Any
) -> None:
    expected = gradients(arrays, **options)
    monkeypatch.setattr(attention_blocks, "_BUFFER", buffer)
    monkeypatch.setattr(attention_blocks, "_ROWS", rows)
    for found, other in zip(gradients(arrays, **options), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-12, atol=1e-12)


def test_the_memory_is_linear_in_the_length() -> None:
    def peak(length: int) -> int:
        given = tracked([a.astype(np.float32) for a in inputs(length, length, ())])
        tracemalloc.start()
        F.scaled_dot_product_attention(*given, is_causal=True).sum().backward()
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(8)  # generates code
    assert peak(4096) < 6 * peak(1024)
    assert peak(4096) < 4096 * 4096 / 4  # a sixteenth of the scores


@pytest.mark.parametrize("numbers", [False, True])
def test_a_query_without_keys_gives_zeros_without_gradients(numbers: bool) -> None:
    mask = CAUSAL & (np.arange(5) != 2)[:, None]
    options = {"attn_mask": np.where(mask, 0, -np.inf) if numbers else mask}
    out, *slopes = gradients(inputs(), **options)
    assert (out[..., 2, :] == 0).all()
    assert (slopes[0][..., 2, :] == 0).all()
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_large_scores_do_not_overflow_in_float32() -> None:
    arrays = [(20 * a).astype(np.float32) for a in inputs()]
    out, *slopes = gradients(arrays, is_causal=True)
    exact = gradients([a.astype(np.float64) for a in arrays], is_causal=True)
    for found, expected in zip([out, *slopes], exact, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_no_keys_give_zeros() -> None:
    out, *slopes = gradients([np.ones((3, 4)), np.ones((0, 4)), np.ones((0, 2))])
    assert out.tolist() == [[0, 0]] * 3
    assert [slope.shape for slope in slopes] == [(3, 4), (0, 4), (0, 2)]


def test_a_learned_mask_gets_a_gradient() -> None:
    arrays, mask = inputs(), Tensor(mixed((3, 1, 5)), requires_grad=True)
    out = F.scaled_dot_product_attention(*arrays, mask)
    out.backward(np.ones(out.shape))
    step = np.zeros((3, 1, 5))
    step[1, 0, 2] = 1e-6
    both = [F.scaled_dot_product_attention(*arrays, mask.data + s * step).sum() for s in (1, -1)]
    assert mask.grad[1, 0, 2] == pytest.approx((both[0] - both[1]) / 2e-6, rel=1e-6)


def test_the_mask_of_dropout_is_one_draw() -> None:
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        def watched(*args: Any) -> Any:
            seen.append(call(*args))
            return seen[-1]

        return watched if op.name == "random_draw" else None

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="draws")
    try:
        found = gradients(inputs(), dropout_p=0.4, generator=3)
    finally:
        plugins.unregister("draws")
    (numbers,) = seen
    assert numbers.shape == (2, 3, 5, 5)
    keep = numbers >= 0.4
    expected = by_definition(*inputs(), scale=0.5, keep=keep, dropout_p=0.4)[0]
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)
    again = gradients(inputs(), dropout_p=0.4, generator=3)
    np.testing.assert_array_equal(found[1], again[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"query": np.ones((2, 3))}, ValueError, r"got \(2, 3\), \(2, 3, 5, 4\) and \(2, 3, 5, 2"),
        ({"key": np.ones((4, 1, 5, 4))}, ValueError, r"key of shape \(\.\.\., S, E\)"),
        ({"value": np.ones(5)}, ValueError, r"and \(5,\)"),
        ({"key": np.ones((2, 3, 5, 4), np.float32)}, TypeError, "one dtype, got float64, float32"),
        ({"query": np.ones((2, 3, 5, 4), int)}, TypeError, "floating-point numbers, not int64"),
        ({"attn_mask": np.ones((4, 5))}, ValueError, r"scores, of shape \(2, 3, 5, 5\), but has"),
        ({"attn_mask": np.ones((5, 5), int)}, TypeError, "boolean or floating, not int64"),
        ({"attn_mask": CAUSAL, "is_causal": True}, ValueError, "attn_mask or is_causal=True, not"),
        ({"is_causal": 1}, TypeError, "is_causal of scaled_dot_product_attention must be True or"),
        ({"dropout_p": 1.0}, ValueError, r"dropout_p .* must be in \[0, 1\), not 1.0"),
        ({"scale": "big"}, TypeError, "scale of scaled_dot_product_attention must be a number"),
    ],
)
def test_invalid_arguments_of_attention_raise(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = dict(zip(("query", "key", "value"), inputs(), strict=True)) | change
    with pytest.raises(error, match=message):
        F.scaled_dot_product_attention(**given)


# MultiheadAttention.


def attention(**options: Any) -> MultiheadAttention:
    return MultiheadAttention(
        4, 2, **{"batch_first": True, "dtype": np.float64, "generator": 0, **options}
    )


X = mixed((2, 5, 4))
PADDING = np.array([[False, False, False, True, True], [False] * 5])
MASKS: dict[str, dict[str, Any]] = {
    "padding": {"key_padding_mask": PADDING},
    "padding as numbers": {"key_padding_mask": np.where(PADDING, -np.inf, 0.5)},
    "both": {"key_padding_mask": PADDING, "attn_mask": ~CAUSAL},
    "both as numbers": {
        "key_padding_mask": np.where(PADDING, -np.inf, 0.0),
        "attn_mask": mixed((5, 5)),
    },
    "each head": {"attn_mask": mixed((4, 5, 5)), "average_attn_weights": False},
}


@pytest.mark.peers
@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize(
    "layer",
    [{}, {"batch_first": False}, {"kdim": 3, "vdim": 5}, {"add_bias_kv": True, "bias": False}],
    ids=str,
)
def test_masks_of_multihead_attention_agree_with_pytorch(
    layer: dict[str, Any], options: dict[str, Any], torch: Any
) -> None:
    own = attention(**layer)
    layer = {"batch_first": True, "dtype": torch.float64} | layer
    theirs = torch.nn.MultiheadAttention(4, 2, **layer)
    theirs.load_state_dict({n: torch.tensor(a) for n, a in torch_state(own).items()})
    shapes = [(2, 5, width) for width in (4, own.kdim, own.vdim)]
    given = [mixed(s if own.batch_first else (s[1], s[0], s[2])) for s in shapes]
    ours = tracked(given)
    other = [torch.tensor(a, requires_grad=True) for a in given]
    found = own(*ours, **options)
    masks = {n: torch.tensor(v) if "mask" in n else v for n, v in options.items()}
    expected = theirs(*other, **masks)
    (found[0] * found[0]).sum().backward()
    (expected[0] * expected[0]).sum().backward()
    pairs = [(a.data, b.detach()) for a, b in zip(found, expected, strict=True)]
    pairs += [(a.grad, b.grad) for a, b in zip(ours, other, strict=True)]
    for one, two in pairs:
        np.testing.assert_allclose(one, two.numpy(), rtol=1e-10, atol=1e-10)


def test_padded_keys_do_not_count() -> None:
    layer = attention()
    out, weights = layer(X, X, X, PADDING)
    assert (weights.data[0, :, 3:] == 0).all()
    changed = X.copy()
    changed[0, 3:] = 7
    other, _ = layer(X, changed, changed, PADDING)
    np.testing.assert_allclose(out.data, other.data, rtol=1e-12)


def test_causal_attention_needs_no_mask_and_respects_a_given_one() -> None:
    layer = attention()
    expected = layer(X, X, X, attn_mask=~CAUSAL)[0].data
    np.testing.assert_allclose(layer(X, X, X, is_causal=True)[0].data, expected, rtol=1e-12)
    found = layer(X, X, X, PADDING, attn_mask=~CAUSAL, is_causal=True)[0].data
    expected = layer(X, X, X, PADDING, attn_mask=~CAUSAL)[0].data
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_sequence_needs_no_batch_axis() -> None:
    layer = attention(batch_first=False)
    out, weights = layer(X[0], X[0], X[0], key_padding_mask=PADDING[0])
    batch = layer(*[X[:1].swapaxes(0, 1)] * 3, key_padding_mask=PADDING[:1])
    np.testing.assert_allclose(out.data, batch[0].data[:, 0], rtol=1e-12)
    np.testing.assert_allclose(weights.data, batch[1].data[0], rtol=1e-12)


def test_dropout_is_applied_in_training_only_and_shown_in_the_weights() -> None:
    layer = attention(dropout=0.5)
    _, weights = layer(X, X, X, average_attn_weights=False)
    assert (weights.data == 0).any()
    first, second = (layer.eval()(X, X, X)[0].data for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_initial_values_are_those_of_pytorch() -> None:
    layer = MultiheadAttention(64, 4, add_bias_kv=True, generator=0)
    bound = (6 / (64 + 3 * 64)) ** 0.5
    assert np.abs(layer.in_proj_weight.data).max() == pytest.approx(bound, rel=0.01)
    assert not layer.in_proj_bias.data.any()
    assert not layer.out_proj.bias.data.any()
    assert np.abs(layer.out_proj.weight.data).max() == pytest.approx(1 / 8, rel=0.01)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize(
    "call",
    [
        "MultiheadAttention(8, 2)",
        "MultiheadAttention(8, 2, bias=False, kdim=3)",
        "MultiheadAttention(8, 2, add_bias_kv=True)",
        "TransformerEncoderLayer(8, 2, 16)",
        "TransformerDecoderLayer(8, 2, 16, bias=False)",
        "Transformer(8, 2, 1, 1, 16)",
    ],
)
def test_states_have_the_names_and_shapes_of_pytorch(call: str, torch: Any) -> None:
    import tinytorch_layers

    own, theirs = eval(call, vars(tinytorch_layers)), eval(call, vars(torch.nn))
    state = {name: tuple(t.shape) for name, t in theirs.state_dict().items()}
    assert {name: a.shape for name, a in torch_state(own).items()} == state
    load_torch_state(own, theirs.state_dict())
    for name, array in torch_state(own).items():
        np.testing.assert_array_equal(array, theirs.state_dict()[name].numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: attention(dropout=1), ValueError, r"dropout of MultiheadAttention must be in"),
        (lambda: MultiheadAttention(4, 3), ValueError, "num_heads .* but 3 does not divide 4"),
        (lambda: MultiheadAttention(0, 1), ValueError, "embed_dim of MultiheadAttention must be"),
        (lambda: attention(bias=1), TypeError, "bias of MultiheadAttention must be True or False"),
        (lambda: attention(kdim=2.5), TypeError, "kdim of MultiheadAttention must be an integer"),
        (lambda: attention()(X, X, X[..., :3]), ValueError, r"the value of MultiheadAttention\(4"),
        (lambda: attention()(X, X[:1], X[:1]), ValueError, r"the key of .*\(N, L, 4\) like the"),
        (lambda: attention()(X, X, X[:, :3]), ValueError, r"as many values as keys"),
        (lambda: attention()([1], X, X), TypeError, "expects a Tensor or an array, not list"),
        (
            lambda: attention()(X, X, X, PADDING.T),
            ValueError,
            r"key_padding_mask of MultiheadAttention expects an input of shape \(2, 5\)",
        ),
        (
            lambda: attention()(X, X, X, attn_mask=CAUSAL[:3]),
            ValueError,
            r"attn_mask of MultiheadAttention expects an input of shape \(5, 5\) or \(4, 5, 5\)",
        ),
        (
            lambda: attention()(X, X, X, attn_mask=CAUSAL.astype(int)),
            TypeError,
            "attn_mask of MultiheadAttention must be boolean or floating, not int64",
        ),
    ],
)
def test_invalid_arguments_of_multihead_attention_raise(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


# The cache.


@pytest.mark.parametrize("sizes", [(1,) * 5, (3, 2), (2, 1, 2)])
def test_a_cache_gives_what_the_whole_sequence_gives(sizes: tuple[int, ...]) -> None:
    one = TransformerEncoderLayer(4, 2, 8, 0, batch_first=True, dtype=np.float64, generator=0)
    model, cache = TransformerEncoder(one, 2), KeyValueCache()
    expected = model(X, is_causal=True).data
    with no_grad():
        ends = np.cumsum(sizes)
        parts = [
            model(X[:, end - size : end], is_causal=True, cache=cache).data
            for end, size in zip(ends, sizes, strict=True)
        ]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=1e-12)
    assert len(cache) == 5
    cache.clear()
    assert len(cache) == 0


def test_a_decoder_can_use_a_cache_too() -> None:
    one = TransformerDecoderLayer(4, 2, 8, 0, batch_first=True, dtype=np.float64, generator=0)
    model, cache = TransformerDecoder(one, 2, LayerNorm(4)), KeyValueCache()
    expected = model(X, X[:, :2], tgt_is_causal=True).data
    with no_grad():
        parts = [model(X[:, i : i + 1], X[:, :2], cache=cache).data for i in range(5)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=1e-6)


def test_appending_rarely_copies_the_cache() -> None:
    layer, cache = attention(), KeyValueCache()
    new = mixed((1, 2, 1, 2))
    bases = [cache.append(layer, new + i, new)[0].base for i in range(1000)]
    assert len({id(base) for base in bases}) < 10
    keys, _ = cache.append(layer, new, new)
    np.testing.assert_array_equal(keys[0, 0, :1000, 0], new[0, 0, 0, 0] + np.arange(1000))


def test_a_cache_refuses_gradients_and_other_batches() -> None:
    layer, cache = attention(), KeyValueCache()
    with pytest.raises(RuntimeError, match=r"in `with no_grad\(\):`, or train it without a cache"):
        layer(X, X, X, cache=cache)
    with no_grad():
        layer(X, X, X, cache=cache)
        with pytest.raises(ValueError, match=r"contains keys or values of shape \(2, 2\) x 2"):
            layer(X[:1], X[:1], X[:1], cache=cache)
    assert len(cache) == 5


# Positions.


def test_rotated_products_depend_on_the_distance_only() -> None:
    rotary = PositionalEncoding(4, kind="rotary")
    query, key = mixed((1, 4)), mixed((1, 4), -1.0, 2.0)
    near = rotary(query, 3) @ rotary(key, 1).T
    far = rotary(query, 103) @ rotary(key, 101).T
    np.testing.assert_allclose(near, far, rtol=1e-9)
    assert abs(near - query @ key.T) > 0.01


@pytest.mark.parametrize("kind", ["sinusoidal", "learned", "rotary"])
def test_an_offset_continues_the_positions(kind: str) -> None:
    positions = PositionalEncoding(4, 10, kind, dtype=np.float64, generator=0)
    whole = positions(X)
    parts = [positions(X[:, :2]), positions(X[:, 2:], 2)]
    found = np.concatenate([np.asarray(getattr(p, "data", p)) for p in parts], axis=1)
    np.testing.assert_allclose(found, np.asarray(getattr(whole, "data", whole)), rtol=1e-12)
    assert positions(X.astype(np.float32)).dtype == (np.float64 if kind == "learned" else "f4")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PositionalEncoding(4, kind="linear"), ValueError, "'rotary', not 'linear'"),
        (lambda: PositionalEncoding(3), ValueError, "must be even if kind='sinusoidal', .* not 3"),
        (lambda: PositionalEncoding(4, 0), ValueError, "max_len of PositionalEncoding must be"),
        (lambda: PositionalEncoding(4.5), TypeError, "embed_dim of PositionalEncoding must be an"),
        (lambda: PositionalEncoding(4, 3)(X), ValueError, "0 to 2, but .* position 4; increase"),
        (lambda: PositionalEncoding(6)(X), ValueError, r"expects an input of shape \(..., L, 6\)"),
        (lambda: PositionalEncoding(4)(X, -1), ValueError, "offset of PositionalEncoding must be"),
        (lambda: PositionalEncoding(4)(X, 1.5), TypeError, "offset of PositionalEncoding must be"),
        (lambda: PositionalEncoding(4)([1.0]), TypeError, "a Tensor or an array, not list"),
    ],
)
def test_invalid_arguments_of_positions_raise(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


# Transformers.


def test_layers_of_a_stack_start_equal_and_draw_different_masks() -> None:
    one = TransformerEncoderLayer(4, 2, 8, 0.5, batch_first=True, generator=0)
    first, second = TransformerEncoder(one, 2).layers
    np.testing.assert_array_equal(first.linear1.weight.data, second.linear1.weight.data)
    assert first.linear1.weight is not second.linear1.weight
    x = np.ones((20, 20))
    assert not np.array_equal(first.dropout(x), second.dropout(x))
    assert first.dropout.generator is first.self_attn.generator


def test_a_named_activation_requires_the_package_of_activations(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "tinytorch_activations", None)
    with pytest.raises(ImportError, match=r"'gelu' of transformers .* or pass a function"):
        TransformerEncoderLayer(4, 2, 8, activation="gelu")
    TransformerEncoderLayer(4, 2, 8, activation=np.tanh)


def test_weights_of_a_transformer_are_xavier_uniform() -> None:
    model = Transformer(32, 2, 1, 2, 64, generator=0)
    weight = model.decoder.layers[1].linear1.weight
    assert np.abs(weight.data).max() == pytest.approx((6 / 96) ** 0.5, rel=0.01)
    assert weight.dtype == np.float32
    assert not np.array_equal(weight.data, model.decoder.layers[0].linear1.weight.data)


def test_a_transformer_with_other_parts_uses_them() -> None:
    class Part(Linear):
        def forward(self, x: Any, *others: Any) -> Any:
            return super().forward(x)

    encoder, decoder = Part(4, 4), Part(4, 2)
    model = Transformer(4, 2, custom_encoder=encoder, custom_decoder=decoder)
    assert model(X.astype(np.float32), X.astype(np.float32)).shape == (2, 5, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TransformerEncoderLayer(4, 2, activation="tanh"), ValueError, "'relu' or 'gelu'"),
        (lambda: TransformerEncoderLayer(4, 2, activation=3), TypeError, "a function, not 3"),
        (lambda: TransformerEncoderLayer(4, 2, 0), ValueError, "dim_feedforward of Transformer"),
        (lambda: TransformerDecoderLayer(4, 2, 8, 1.5), ValueError, "dropout of Multihead"),
        (lambda: TransformerDecoderLayer(4, 2, norm_first=1), TypeError, "norm_first of Transf"),
        (lambda: TransformerEncoder(np.tanh, 2), TypeError, "the layer of TransformerEncoder must"),
        (lambda: TransformerDecoder(Linear(4, 4), 0), ValueError, "num_layers of TransformerDec"),
        (lambda: TransformerDecoder(3, 1), TypeError, "layer of TransformerDecoder must be a Mod"),
        (lambda: Transformer(4, 3), ValueError, "num_heads of MultiheadAttention must divide"),
        (lambda: Transformer(4.5), TypeError, "d_model of TransformerEncoderLayer must be an int"),
        (lambda: Transformer.generate_square_subsequent_mask(0), ValueError, "sz of generate_sq"),
        (lambda: Transformer.generate_square_subsequent_mask("a"), TypeError, "sz of generate_sq"),
    ],
)
def test_invalid_arguments_of_transformers_raise(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
