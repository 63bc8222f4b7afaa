"""MultiheadAttention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core.extend import to_array

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.affine import linear
from tinytorch_layers.functional.attention import (
    attention,
    attention_weights,
    merge_heads,
    split_heads,
)
from tinytorch_layers.functional.masking import drawn
from tinytorch_layers.modules.cache import KeyValueCache
from tinytorch_layers.modules.linear import Linear
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer, number

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any
Heads = tuple[Array, Array, Array]


class MultiheadAttention(Module):
    """Several attentions side by side, each of a part of the projected features.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762. Arguments, names of
    parameters and initial values are those of PyTorch. The weights are transposed: (in, out).
    A query for which every key is masked gives a zero; PyTorch gives NaN if `need_weights`.

    Args:
        embed_dim: E, the number of features of the query and of the output.
        num_heads: the number of heads, which divides `embed_dim`.
        dropout: the probability in training mode that a weight is set to zero, in [0, 1).
        bias: whether the projections have biases.
        add_bias_kv: whether to add a learned key and value to each sequence.
        add_zero_attn: whether to add a key and a value of zeros to each sequence.
        kdim, vdim: the numbers of features of the key and the value; `embed_dim` by default.
        batch_first: whether inputs have the axes (N, L, E) instead of (L, N, E).
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters and
            for dropout. With None, every run differs.

    Attributes:
        in_proj_weight: a Parameter of shape (E, 3 E) for the query, the key and the value; or
            None if `kdim` or `vdim` differs from E, and then q_proj_weight, k_proj_weight and
            v_proj_weight are Parameters.
        in_proj_bias: a Parameter of shape (3 E,), initially zeros, or None.
        out_proj: the Linear layer that mixes the heads.
        bias_k, bias_v: Parameters of shape (1, 1, E) if `add_bias_kv`, or None.

    Raises:
        TypeError, ValueError: a size is not a positive integer, an option is not a bool,
            `dropout` is out of range, or `num_heads` does not divide `embed_dim`.

    >>> layer = MultiheadAttention(8, 2, batch_first=True, generator=0)
    >>> x = np.ones((5, 3, 8), np.float32)
    >>> out, weights = layer(x, x, x)
    >>> out.shape, weights.shape
    ((5, 3, 8), (5, 3, 3))
    """

    _transposed_in_torch = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = "MultiheadAttention"
        width = self.embed_dim = integer(name, "embed_dim", embed_dim)
        self.num_heads = integer(name, "num_heads", num_heads)
        if width % self.num_heads:
            raise ValueError(
                f"num_heads of {name} must divide embed_dim, but {self.num_heads} does not divide "
                f"{width}"
            )
        self.dropout = number(name, "dropout", dropout, 0, 1, ends="[)")
        self.kdim = width if kdim is None else integer(name, "kdim", kdim)
        self.vdim = width if vdim is None else integer(name, "vdim", vdim)
        self.add_zero_attn = flag(name, "add_zero_attn", add_zero_attn)
        self.batch_first = flag(name, "batch_first", batch_first)
        rng = self.generator = random_generator(generator)

        def weight(rows: int, columns: int) -> Parameter:
            return Parameter(init.xavier_uniform((rows, columns), dtype=dtype, generator=rng))

        joined = self.kdim == self.vdim == width
        self.in_proj_weight = weight(width, 3 * width) if joined else None
        self.q_proj_weight = None if joined else weight(width, width)
        self.k_proj_weight = None if joined else weight(self.kdim, width)
        self.v_proj_weight = None if joined else weight(self.vdim, width)
        self.in_proj_bias = None
        if flag(name, "bias", bias):
            self.in_proj_bias = Parameter(init.zeros((3 * width,), dtype=dtype))
        self.out_proj = Linear(width, width, bias, dtype=dtype, generator=rng)
        if self.out_proj.bias is not None:
            self.out_proj.bias = Parameter(init.zeros((width,), dtype=dtype))
        self.bias_k = self.bias_v = None
        if flag(name, "add_bias_kv", add_bias_kv):
            self.bias_k, self.bias_v = (
                Parameter(init.xavier_normal((1, 1, width), dtype=dtype, generator=rng))
                for _ in range(2)
            )

    def forward(
        self,
        query: Array,
        key: Array,
        value: Array,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        cache: KeyValueCache | None = None,
    ) -> tuple[Array, Array | None]:
        """Return the attention and, if `need_weights`, the weights.

        Args:
            query: a Tensor or array of shape (N, L, E), (L, N, E) if not `batch_first`, or (L, E).
            key, value: the same with S instead of L, and `kdim` and `vdim` features. If all three
                are the same object, they are projected by one product.
            key_padding_mask: an array of shape (N, S) or (S,): booleans that are true for keys
                to ignore, or numbers to add to the scores; or None.
            need_weights: whether to return the weights. Without them, the memory is linear in the
                lengths.
            attn_mask: an array of shape (L, S) or (N · num_heads, L, S): booleans that are true
                where a query may not use a key, or numbers to add to the scores; or None.
            average_attn_weights: whether to return the mean of the weights over the heads.
            is_causal: whether query i may use only the keys up to its own position. Unlike in
                PyTorch, `attn_mask` may be None, and if it is given, both apply.
            cache: keys and values of earlier positions, to which those of this call are added.

        Returns:
            The output, of the shape of the query; and None or the weights, of shape (N, L, S), or
            (N, num_heads, L, S) if not averaged.

        Raises:
            TypeError: an input or a mask has the wrong type.
            ValueError: the shapes do not match.
        """
        batched = self._check(query, key, value)
        heads = self._heads(query, key, value, batched)
        if cache is not None:
            heads = (heads[0], *cache.append(self, *heads[1:]))
        heads, extra = self._with_added(heads)
        mask = self._mask(heads, attn_mask, key_padding_mask, extra)
        offset = heads[1].shape[-2] - extra - heads[0].shape[-2] if cache is not None else 0
        if is_causal and (mask is not None or offset or extra):
            allowed = np.tri(heads[0].shape[-2], heads[1].shape[-2] - extra, offset, dtype=bool)
            mask = _both(mask, np.pad(allowed, ((0, 0), (0, extra)), constant_values=True))
            is_causal = False
        p = self.dropout if self.training else 0.0
        keep = None
        if p:
            shape = (*heads[0].shape[:-1], heads[1].shape[-2])
            keep = drawn(self.generator, "random", shape, np.float32) >= p
        scale = math.sqrt(self.num_heads / self.embed_dim)
        out, sums = attention(*heads, mask, keep, scale, is_causal, p)
        out = self.out_proj(merge_heads(out))
        out = out if self.batch_first or not batched else out.swapaxes(0, 1)
        if not need_weights:
            return out, None
        query, key, _ = heads
        weights = attention_weights(query, key, sums, mask, keep, scale, is_causal, p)
        return out, weights.mean(axis=-3) if average_attn_weights else weights

    def _check(self, query: Array, key: Array, value: Array) -> bool:
        """Return whether the inputs have a batch axis, after checking their shapes."""
        name = f"MultiheadAttention({self.embed_dim}, {self.num_heads})"
        shapes = [input_shape(name, x) for x in (query, key, value)]
        axes = len(shapes[0])
        batch = 0 if self.batch_first else 1
        widths = self.embed_dim, self.kdim, self.vdim
        for what, shape, width in zip(("query", "key", "value"), shapes, widths, strict=True):
            expected = [f"L, {width}", f"N, L, {width}" if self.batch_first else f"L, N, {width}"]
            if (
                axes not in (2, 3)
                or len(shape) != axes
                or shape[-1] != width
                or (axes == 3 and shape[batch] != shapes[0][batch])
            ):
                raise shape_error(
                    f"the {what} of {name}", f"({expected[axes != 2]}) like the query", shape
                )
        if shapes[1][:-1] != shapes[2][:-1]:
            raise ValueError(
                f"{name} expects as many values as keys, got a key of shape {shapes[1]} and a "
                f"value of shape {shapes[2]}"
            )
        return axes == 3

    def _heads(self, query: Array, key: Array, value: Array, batched: bool) -> Heads:
        """Return the projected inputs, of shape (N, num_heads, L, D) or (num_heads, L, D)."""
        width, weight, bias = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        given = {id(x): x for x in (query, key, value)}
        if batched and not self.batch_first:
            given = {i: x.swapaxes(0, 1) for i, x in given.items()}
        if weight is not None and len(given) == 1:
            joined = linear(given[id(query)], weight, bias)
            query, key, value = split_heads(joined, self.num_heads, 3)
            return query, key, value
        parts = [slice(i * width, (i + 1) * width) for i in range(3)]
        weights = (
            [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
            if weight is None
            else [weight[:, part] for part in parts]
        )
        found = [
            linear(given[id(x)], w, None if bias is None else bias[part])
            for x, w, part in zip((query, key, value), weights, parts, strict=True)
        ]
        query, key, value = (split_heads(x, self.num_heads)[0] for x in found)
        return query, key, value

    def _with_added(self, heads: Heads) -> tuple[Heads, int]:
        """Return the heads with the added keys and values, and how many were added."""
        query, key, value = heads
        added = []
        if self.bias_k is not None and self.bias_v is not None:
            rows = self.bias_k[0], self.bias_v[0]
            added.append([split_heads(row, self.num_heads)[0] for row in rows])
        if self.add_zero_attn:
            added.append([np.zeros((1, 1), key.dtype)] * 2)
        for extra in added:
            key, value = (
                np.concatenate([x, np.zeros_like(x[..., :1, :]) + row], axis=-2)
                for x, row in zip((key, value), extra, strict=True)
            )
        return (query, key, value), len(added)

    def _mask(self, heads: Heads, attn_mask: Any, key_padding_mask: Any, extra: int) -> Any:
        """Return both masks as one for `attention`, in which true means allowed; or None."""
        *batch, length, _ = heads[0].shape
        keys = heads[1].shape[-2] - extra
        mask = None
        if attn_mask is not None:
            attn_mask = _allowed("attn_mask", attn_mask)
            every = (math.prod(batch), length, keys)
            if attn_mask.shape not in ((length, keys), every):
                raise shape_error(
                    "attn_mask of MultiheadAttention", f"{every[1:]} or {every}", attn_mask.shape
                )
            mask = attn_mask.reshape((*batch, length, keys)) if attn_mask.ndim == 3 else attn_mask
        if key_padding_mask is not None:
            padding = _allowed("key_padding_mask", key_padding_mask)
            if padding.shape != (*batch[:-1], keys):
                raise shape_error(
                    "key_padding_mask of MultiheadAttention",
                    f"{(*batch[:-1], keys)}",
                    padding.shape,
                )
            mask = _both(mask, padding[..., None, None, :])
        if mask is None or not extra:
            return mask
        widths = [*[(0, 0)] * (mask.ndim - 1), (0, extra)]
        return np.pad(mask, widths, constant_values=mask.dtype.kind == "b")

    def extra_repr(self) -> str:
        shown = self._options(dropout=0.0, add_zero_attn=False, kdim=self.embed_dim)
        shown += self._options(vdim=self.embed_dim, batch_first=False)
        without = "" if self.in_proj_bias is not None else ", bias=False"
        added = "" if self.bias_k is None else ", add_bias_kv=True"
        return f"{self.embed_dim}, {self.num_heads}{without}{added}{shown}"


def _allowed(name: str, mask: Any) -> Any:
    """Return a mask of this module as one of `attention`: booleans mean the opposite."""
    if not hasattr(mask, "dtype"):
        mask = np.asarray(mask)
    if mask.dtype.kind not in "bf":
        raise TypeError(
            f"{name} of MultiheadAttention must be boolean or floating, not {mask.dtype}"
        )
    return np.logical_not(to_array(mask)) if mask.dtype.kind == "b" else mask


def _both(one: Any, other: Any) -> Any:
    """Return the mask that applies both masks; None means that everything is allowed."""
    if one is None:
        return other
    if one.dtype.kind == "b" == other.dtype.kind:
        return one & other
    numbers = [
        np.where(to_array(m), 0.0, -np.inf) if m.dtype.kind == "b" else m for m in (one, other)
    ]
    return numbers[0] + numbers[1]
