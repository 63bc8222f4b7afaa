"""Scaled dot-product attention: the op, its backward rule, and the ops that split heads.

The op also returns the logarithm of the sum of the exponentials of each row of scores, from which
the rule computes the weights again. For NumPy arrays, `attention_blocks` computes the values and
the gradients block by block, so that no array has an element for each pair of a query and a key.
For other arrays, and for Tensors in higher derivatives, the formulas here do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray, are_ndarrays, kernel, unwrap

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.masking import drawn
from tinytorch_modules.arguments import flag, number

if TYPE_CHECKING:
    from numpy.random import Generator

    # A random generator, or a seed for one.
    Random = Generator | int | None

Array = Any
Shape = tuple[int, ...]

_NAME = "scaled_dot_product_attention"


def scaled_dot_product_attention(
    query: AnyArray,
    key: Array,
    value: Array,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    generator: Random = None,
) -> AnyArray:
    """Return softmax(scale · query key^T + mask) value, for each query a weighted mean of values.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762. The memory for NumPy
    arrays is linear in the lengths, apart from a mask of the caller or of `dropout_p`. A query
    that no key is allowed for gives zeros. Batch axes broadcast.

    Args:
        query: a floating Tensor or array of shape (..., L, E).
        key: one of shape (..., S, E).
        value: one of shape (..., S, V).
        attn_mask: None, or an array that broadcasts to the scores, of shape (..., L, S). Booleans
            are true where a query may use a key; numbers are added to the scores.
        dropout_p: the probability that a weight is set to zero, in [0, 1). The others are divided
            by 1 − dropout_p.
        is_causal: whether query i may use only the keys 0 to i.
        scale: the factor of the scores; 1/√E by default.
        generator: a `numpy.random.Generator`, or a seed for one, for dropout.

    Returns:
        A Tensor or array of shape (..., L, V).

    Raises:
        TypeError: the inputs are not floating or have different dtypes, or an option has the wrong
            type.
        ValueError: the shapes do not match, both `attn_mask` and `is_causal` are given, or
            `dropout_p` is out of range.

    >>> query = key = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> scaled_dot_product_attention(query, key, np.array([[1.0], [3.0]]), is_causal=True)
    array([[1.       ],
           [2.3395231]])
    """
    shape = scores_shape(query, key, value)
    if flag(_NAME, "is_causal", is_causal) and attn_mask is not None:
        raise ValueError(
            f"{_NAME} takes attn_mask or is_causal=True, not both; combine them in attn_mask"
        )
    length = query.shape[-1]
    factor = (
        1 / math.sqrt(max(length, 1))
        if scale is None
        else number(_NAME, "scale", scale, -math.inf, math.inf, ends="()")
    )
    p = number(_NAME, "dropout_p", dropout_p, 0, 1, ends="[)")
    keep = _drawn(shape, p, generator) if p else None
    mask = None if attn_mask is None else _checked_mask(attn_mask, shape)
    return attention(query, key, value, mask, keep, factor, is_causal, p)[0]


def _drawn(shape: Shape, p: float, generator: Random) -> Array:
    """Return a random array of booleans, each of which is false with probability p."""
    # Imported here, because importing tinytorch_modules imports the active plugins.
    from tinytorch_modules import random_generator

    return drawn(random_generator(generator), "random", shape, np.float32) >= p


def scores_shape(query: Array, key: Array, value: Array) -> Shape:
    """Return the shape of the scores, (..., L, S), after checking the inputs.

    Raises:
        TypeError: the inputs are not floating, or have different dtypes.
        ValueError: the shapes do not match.
    """
    shapes = [input_shape(_NAME, x) for x in (query, key, value)]
    dtypes = [x.dtype for x in (query, key, value)]
    if len({dtype.newbyteorder("=") for dtype in dtypes}) > 1:
        raise TypeError(
            f"{_NAME} expects a query, a key and a value of one dtype, got "
            f"{', '.join(map(str, dtypes))}; convert them with astype()"
        )
    (*_, length, width), (*_, count, other), (*_, values, _) = shapes = [
        s if len(s) > 1 else (0, 0, -1) for s in shapes
    ]
    try:
        batch = np.broadcast_shapes(*(s[:-2] for s in shapes))
    except ValueError:
        batch = None
    if batch is None or width != other or count != values or width < 0:
        raise ValueError(
            f"{_NAME} expects a query of shape (..., L, E), a key of shape (..., S, E) and a value "
            f"of shape (..., S, V), got {query.shape}, {key.shape} and {value.shape}"
        )
    return (*batch, length, count)


def _checked_mask(mask: Any, shape: Shape) -> Any:
    """Return the mask after checking that it broadcasts to the shape of the scores."""
    if not hasattr(mask, "dtype"):
        mask = np.asarray(mask)
    if mask.dtype.kind not in "bf":
        raise TypeError(f"attn_mask of {_NAME} must be boolean or floating, not {mask.dtype}")
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"attn_mask of {_NAME} must broadcast to the scores, of shape {shape}, but has shape "
            f"{mask.shape}"
        )
    return mask


def attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array,
    keep: Array,
    scale: float,
    is_causal: bool,
    dropout_p: float,
) -> tuple[Array, Array]:
    """Run the op `attend`; the mask is one of its inputs if it requires grad."""
    added = (mask,) if getattr(mask, "requires_grad", False) else ()
    constant = None if added else unwrap(mask)
    return attend(
        query,
        key,
        value,
        *added,
        scale=scale,
        is_causal=is_causal,
        mask=constant,
        keep=keep,
        dropout_p=dropout_p,
        kept=[],
    )


def attention_weights(
    query: Array,
    key: Array,
    sums: Array,
    mask: Array,
    keep: Array,
    scale: float,
    is_causal: bool,
    dropout_p: float,
) -> Array:
    """Return the weights of `attention`, of shape (..., L, S), given its second result."""
    weights = np.exp(_scores(query, key, mask, scale, is_causal) - sums[..., None])
    return _dropped(weights, keep, dropout_p)


@op("scaled_dot_product_attention")
def attend(
    *arrays: Array,
    scale: float = 1.0,
    is_causal: bool = False,
    mask: Array = None,
    keep: Array = None,
    dropout_p: float = 0.0,
    kept: list[Array] | None = None,
) -> tuple[Array, Array]:
    """Return the attention, and the logarithm of the sum of the exponentials of each row of scores.

    If all scores of a row are −∞, the attention is zero and the logarithm ∞, so that the weights
    are exp(score − logarithm) = 0.

    Args:
        arrays: the query, the key and the value, and optionally numbers to add to the scores.
        scale: the factor of the scores.
        is_causal: whether query i uses only the keys 0 to i.
        mask: booleans, or numbers to add to the scores, as a constant; or None.
        keep: for dropout, a boolean for each score; or None.
        dropout_p: the probability that an element of `keep` is false.
        kept: a list that receives the weights if they are few, for the rule; or None.
    """
    query, key, value, *added = arrays
    out, sums, *more = attention_values(
        query, key, value, added[0] if added else mask, keep, scale, is_causal, dropout_p
    )
    if kept is not None:
        kept[:] = more
    return out, sums


def attend_rule(
    grads: Any,
    outs: Any,
    arrays: Any,
    scale: float,
    is_causal: bool,
    mask: Array,
    keep: Array,
    dropout_p: float,
    kept: Any,
) -> Any:
    """Return dL/dquery, dL/dkey, dL/dvalue, and dL/dmask if the mask is an input.

    With the weights P = exp(scores − l) and the gradients g of the attention and h of l:
    dL/dvalue = P^T g, and dL/dscores = P (g value^T − Σ g · out + h).
    """
    by_out, by_sums = grads
    query, key, value, *added = arrays
    if by_out is None:
        by_out = 0 * outs[0]
    out, sums = outs
    found = attention_gradients(
        by_out,
        by_sums,
        out,
        sums,
        kept[0] if kept else None,
        query,
        key,
        value,
        added[0] if added else mask,
        keep,
        scale,
        is_causal,
        dropout_p,
        bool(added),
    )
    return [_cast(_sum_to(g, x.shape), x.dtype) for g, x in zip(found, arrays, strict=True)]


@kernel("query", "key", "value")
def attention_values(
    query: Array,
    key: Array,
    value: Array,
    mask: Array,
    keep: Array,
    scale: float,
    is_causal: bool,
    dropout_p: float,
) -> tuple[Array, ...]:
    """Return what `attend` returns, with its arguments, and what it keeps."""
    dtype = query.dtype
    query, key, value = map(_widened, (query, key, value))
    if are_ndarrays(query, key, value, mask, keep):
        # Imported on first use, so that programs without attention start faster.
        from tinytorch_layers.functional import attention_blocks

        out, sums, *kept = attention_blocks.values(
            query, key, value, mask, keep, scale, is_causal, dropout_p
        )
    else:
        kept = []
        weights, total, sums = _exponentials(_scores(query, key, mask, scale, is_causal))
        out = _dropped(weights, keep, dropout_p) @ value / total
    return _cast(out, dtype), _cast(sums, dtype), *kept


@kernel("grad", "query", "key", "value")
def attention_gradients(
    grad: Array,
    by_sums: Array,
    out: Array,
    sums: Array,
    kept: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array,
    keep: Array,
    scale: float,
    is_causal: bool,
    dropout_p: float,
    with_mask: bool,
) -> tuple[Array, ...]:
    """Return what `attend_rule` returns, before sums over axes that were broadcast.

    Args:
        grad, by_sums: the gradients of the outputs of `attend`; the second may be None.
        out, sums: these outputs.
        kept: the weights that `attention_blocks.values` keeps, or None.
        query, key, value, mask, keep, scale, is_causal, dropout_p: its arguments.
        with_mask: whether to return the gradient of the mask too.
    """
    query, key, value, grad, out = map(_widened, (query, key, value, grad, out))
    if query.dtype != sums.dtype:  # float16
        sums = _exponentials(_scores(query, key, mask, scale, is_causal))[2]
    if are_ndarrays(grad, by_sums, out, sums, query, key, value, mask, keep):
        from tinytorch_layers.functional import attention_blocks

        return attention_blocks.gradients(
            grad,
            by_sums,
            out,
            sums,
            np.empty(0, sums.dtype) if kept is None else kept,
            query,
            key,
            value,
            mask,
            keep,
            scale,
            is_causal,
            dropout_p,
            with_mask,
        )
    weights = attention_weights(query, key, sums, mask, None, scale, is_causal, 0)
    by_weights = _dropped(grad @ value.mT, keep, dropout_p)
    by_scores = by_weights - (grad * out).sum(axis=-1, keepdims=True)
    if by_sums is not None:
        by_scores = by_scores + by_sums[..., None]
    by_scores = weights * by_scores
    found = (
        (by_scores @ key) * scale,
        (by_scores.mT @ query) * scale,
        _dropped(weights, keep, dropout_p).mT @ grad,
    )
    return (*found, by_scores) if with_mask else found


def _scores(query: Array, key: Array, mask: Array, scale: float, is_causal: bool) -> Array:
    scores = (query * scale) @ key.mT
    if mask is not None:
        scores = scores + _additive(mask, query)
    if is_causal:
        scores = scores + _additive(np.tri(*scores.shape[-2:], dtype=bool), query)
    return scores


def _exponentials(scores: Array) -> tuple[Array, Array, Array]:
    """Return exp(score − the largest of its row), their sums, and log Σ exp(scores).

    If all scores of a row are −∞, the sum is 1 in place of 0, and the logarithm is ∞.
    """
    axis = {"axis": -1, "keepdims": True}
    largest = scores.max(**axis) if scores.shape[-1] else scores.sum(**axis)
    largest = np.where(largest == -np.inf, 0, largest)
    weights = np.exp(scores - largest)
    total = weights.sum(**axis)
    divisor = np.where(total == 0, 1, total)
    logarithms = np.where(total == 0, np.inf, np.log(divisor) + largest)
    return weights, divisor, logarithms[..., 0]


def _additive(mask: Array, like: Array) -> Array:
    """Return a mask as numbers to add to the scores, or None."""
    if mask is None:
        return None
    return (np.where(mask, 0.0, -np.inf) if mask.dtype.kind == "b" else mask).astype(like.dtype)


def _dropped(weights: Array, keep: Array, dropout_p: float) -> Array:
    return weights if keep is None else weights * keep * (1 / (1 - dropout_p))


def _widened(x: Array) -> Array:
    """Return float16 as float32, in which exponentials are computed; other arrays unchanged."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def _cast(x: Array, dtype: Any) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)


def _sum_to(grad: Array, shape: Shape) -> Array:
    """Return the sum over the axes along which an input of this shape was broadcast."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    axes = tuple(
        i for i, n in enumerate(grad.shape) if i < extra or (shape[i - extra] == 1 and n != 1)
    )
    return grad.sum(axis=axes).reshape(shape)


@op("split_heads")
def split_heads(x: Array, heads: int = 1, parts: int = 1) -> tuple[Array, ...]:
    """Return the parts of x, (..., L, parts · heads · D), each of shape (..., heads, L, D).

    Args:
        x: an array.
        heads: the number of heads of each part.
        parts: the number of parts, such as 3 for the query, the key and the value.
    """
    *batch, length, width = x.shape
    x = x.reshape((*batch, length, parts, heads, width // (parts * heads)))
    return tuple(x[..., part, :, :].swapaxes(-2, -3) for part in range(parts))


def split_heads_rule(grads: Any, outs_shape: Any, outs_dtype: Any) -> Array:
    """dL/dx: the gradients of the parts, merged."""
    kinds = zip(grads, outs_shape, outs_dtype, strict=True)
    return merge_heads(*[np.zeros(s, d) if g is None else g for g, s, d in kinds])


@op("merge_heads")
def merge_heads(*arrays: Array) -> Array:
    """Return what `split_heads` splits into these arrays of shape (..., heads, L, D)."""
    swapped = [x.swapaxes(-2, -3) for x in arrays]
    # The copy of one part is free if its memory is in this order, as that of `attend`.
    joined = swapped[0] if len(arrays) == 1 else np.stack(swapped, axis=-3)
    *batch, length = swapped[0].shape[:-2]
    return joined.reshape((*batch, length, len(arrays) * math.prod(swapped[0].shape[-2:])))


def merge_heads_rule(grad: Array, arrays: Any) -> Any:
    """dL/darrays: the gradient, split."""
    return split_heads(grad, arrays[0].shape[-3], len(arrays))
