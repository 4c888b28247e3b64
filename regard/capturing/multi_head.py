"""`nn.MultiheadAttention`: its function, its fast path, and the fast path of the encoder's layer.

What is kept is what went in and the projections, which are there anyway; query and key are
projected again when weights are asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._torch_private import autocast_dtype
from regard.capturing.dot import Dot
from regard.capturing.parts import Parts
from regard.capturing.sdpa import of_lengths
from regard.capturing.source import Index, Seen, Shape, Source, one_item, picked
from regard.capturing.undisturbed import local

NAMES = (
    "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias",
    "bias_k", "bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias",
    "training", "key_padding_mask", "need_weights", "attn_mask", "use_separate_proj_weight",
    "q_proj_weight", "k_proj_weight", "v_proj_weight", "static_k", "static_v",
    "average_attn_weights", "is_causal",
)  # fmt: skip
NATIVE = (
    "query", "key", "value", "embed_dim", "num_head", "qkv_weight", "qkv_bias", "proj_weight",
    "proj_bias", "mask", "need_weights", "average_attn_weights", "mask_type",
)  # fmt: skip
LAYER = (
    "src", "embed_dim", "num_heads", "qkv_weight", "qkv_bias", "proj_weight", "proj_bias",
    "use_gelu", "norm_first", "eps", "norm_weight_1", "norm_bias_1", "norm_weight_2",
    "norm_bias_2", "ffn_weight_1", "ffn_bias_1", "ffn_weight_2", "ffn_bias_2", "mask", "mask_type",
)  # fmt: skip
PROVENANCE = "recomputed from the layer's input and its projections"


@dataclass(frozen=True, eq=False)
class Projected:
    """Heads of `F.linear(x, weight, bias)`, attended by scaled dot product.

    Args:
        query, key, value: `[B, Q, E]` and `[B, K, E]`, as they were given.
        weights_of, biases_of: three projections in a row in one matrix, or three.
        extra_key, extra_value: one more key of the layer's own, `[1, 1, E]`.
        add_zero: one more key of zeros.
        norm: weight and bias of a layer norm in front, with its eps.
        dtype: what autocast cast to.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    num_heads: int
    query_weight: Tensor
    key_weight: Tensor
    value_weight: Tensor
    query_bias: Tensor | None = None
    key_bias: Tensor | None = None
    value_bias: Tensor | None = None
    extra_key: Tensor | None = None
    extra_value: Tensor | None = None
    add_zero: bool = False
    bias: Tensor | None = None
    allowed: Tensor | None = None
    is_causal: bool = False
    norm_weight: Tensor | None = None
    norm_bias: Tensor | None = None
    eps: float = 0.0
    dtype: torch.dtype | None = None

    is_cheap = False

    @property
    def shape(self) -> Shape:
        more = (self.extra_key is not None) + self.add_zero
        return (
            self.query.shape[0], self.num_heads, self.query.shape[1], self.key.shape[1] + more
        )  # fmt: skip

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        at = None if rows is None else rows
        return self._dot(rows, item).at(heads, None, None, at)

    def parts(self, item: int) -> Parts | None:
        return self._dot(None, item, with_value=True).parts(0)

    def _dot(self, rows: Index, item: int | None, with_value: bool = False) -> Dot:
        query = self.query_heads(picked(one_item(self.query, item), 1, rows))
        key = self._heads(one_item(self.key, item), self.key_weight, self.key_bias)
        value = None
        if with_value:
            value = one_item(self.value_heads(), item)
        bias, allowed = (
            None if pairs is None else picked(one_item(pairs, item), 2, rows)
            for pairs in (self.bias, self.allowed)
        )
        return Dot(
            query, self._with_more(key, self.extra_key), value, query.shape[-1] ** -0.5, bias,
            allowed, self.is_causal,
        )  # fmt: skip

    def query_heads(self, x: Tensor) -> Tensor:
        return self._heads(x, self.query_weight, self.query_bias)

    def value_heads(self) -> Tensor:
        value = self._heads(self.value, self.value_weight, self.value_bias)
        return self._with_more(value, self.extra_value)

    def _heads(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.norm_weight is not None:
            x = F.layer_norm(x, x.shape[-1:], self.norm_weight, self.norm_bias, self.eps)
        if self.dtype is not None:
            x, weight = x.to(self.dtype), weight.to(self.dtype)
            bias = None if bias is None else bias.to(self.dtype)
        return F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _with_more(self, heads: Tensor, extra: Tensor | None) -> Tensor:
        """Keys or values with those that the layer adds of its own."""
        batch, num_heads, _, width = heads.shape
        if extra is not None:
            one = extra.to(heads.dtype).reshape(1, num_heads, 1, width)
            heads = torch.cat([heads, one.expand(batch, -1, -1, -1)], 2)
        if self.add_zero:
            heads = torch.cat([heads, heads.new_zeros(batch, num_heads, 1, width)], 2)
        return heads


def seen(args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> Seen | None:
    """`F.multi_head_attention_forward`, `[length, batch, width]`, or without a batch."""
    given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
    query, key, value = given["query"], given["key"], given["value"]
    num_heads, batched = given["num_heads"], query.ndim == 3
    is_self = query is key
    query, key, value = (x.transpose(0, 1) if batched else x[None] for x in (query, key, value))
    if given.get("use_separate_proj_weight"):
        matrices = [given[f"{name}_proj_weight"] for name in "qkv"]
    else:
        matrices = list(given["in_proj_weight"].chunk(3))
    bias = given.get("in_proj_bias")
    biases = [None, None, None] if bias is None else list(bias.chunk(3))
    more, add_zero = given.get("bias_k"), bool(given.get("add_zero_attn"))
    is_causal, need_weights = given.get("is_causal", False), given.get("need_weights", True)
    pairs, padding = given.get("attn_mask"), given.get("key_padding_mask")
    if is_causal and padding is None and not need_weights:
        pairs = None  # the kernel is told that the mask is the causal one
    else:
        is_causal = False
    batch = query.shape[0]
    added, allowed = _merged(pairs, padding, batch, num_heads, (more is not None) + add_zero)
    projected = Projected(
        query,
        key,
        value,
        num_heads,
        *(matrices[0], matrices[1], matrices[2]),
        *(biases[0], biases[1], biases[2]),
        *(more, given.get("bias_v"), add_zero),
        *(added, allowed, is_causal),
        dtype=autocast_dtype(query.device.type),
    )
    source: Source = projected
    if given.get("static_k") is not None:
        source = _over_given_keys(projected, given["static_k"], batch)
    out_weight = given["out_proj_weight"].detach()

    def of_output(gradient: Tensor) -> Tensor:
        gradient = gradient.transpose(0, 1) if batched else gradient[None]
        return (gradient @ out_weight).unflatten(-1, (num_heads, -1)).transpose(1, 2)

    return Seen(
        source, _mechanism(is_causal, allowed, added), PROVENANCE, "self" if is_self else "cross",
        output=output[0], of_output=of_output,
    )  # fmt: skip


def _over_given_keys(projected: Projected, keys: Tensor, batch: int) -> Source:
    """Projected queries over keys that were given as heads, `[B · H, K, D]`."""
    query = projected.query_heads(projected.query.detach())
    return Dot(
        query, keys.unflatten(0, (batch, -1)), None, query.shape[-1] ** -0.5, projected.bias,
        projected.allowed, projected.is_causal,
    )  # fmt: skip


def _merged(
    pairs: Tensor | None, padding: Tensor | None, batch: int, num_heads: int, more: int
) -> tuple[Tensor | None, Tensor | None]:
    """What is added to the scores and what may be attended, of masks in which True ignores."""
    bias = allowed = None
    if pairs is not None:
        four = pairs[None, None] if pairs.ndim == 2 else pairs.unflatten(0, (-1, num_heads))
        four = F.pad(four, (0, more)) if more else four
        bias, allowed = (None, ~four) if four.dtype == torch.bool else (four, None)
    if padding is not None:
        padding = padding if padding.ndim == 2 else padding[None]
        padding = F.pad(padding, (0, more)) if more else padding
        four = padding[:, None, None]
        if four.dtype == torch.bool:
            allowed = ~four if allowed is None else allowed & ~four
        else:
            bias = four if bias is None else bias + four
    return bias, allowed


def seen_native(args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> Seen | None:
    """The fast path of `nn.MultiheadAttention` itself."""
    given = {**dict(zip(NATIVE, args, strict=False)), **kwargs}
    source = _fused(given["query"], given["num_head"], given)
    return Seen(source, _mechanism(False, source.allowed, None), PROVENANCE, "self")


def seen_layer(args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> Seen | None:
    """The fast path of `nn.TransformerEncoderLayer`, which computes all of it in one call."""
    given = {**dict(zip(LAYER, args, strict=False)), **kwargs}
    norm = {}
    if given["norm_first"]:
        norm = {
            "norm_weight": given["norm_weight_1"], "norm_bias": given["norm_bias_1"],
            "eps": given["eps"],
        }  # fmt: skip
    source = _fused(given["src"], given["num_heads"], given, **norm)
    return Seen(
        source, _mechanism(False, source.allowed, None), PROVENANCE, "self",
        owner=given["qkv_weight"],
    )  # fmt: skip


def _fused(x: Tensor, num_heads: int, given: Mapping[str, Any], **norm: Any) -> Projected:
    """One input, one matrix, and a mask in which what is not zero is ignored."""
    allowed, mask, kind = None, given.get("mask"), given.get("mask_type")
    if x.is_nested:
        lengths = of_lengths(x)
        most = max([local.full_length, *lengths.tolist()])
        x = torch.nested.to_padded_tensor(x, 0.0, (x.size(0), most, x.size(2)))
        real = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        allowed = (real[:, :, None] & real[:, None])[:, None]
    elif mask is not None:
        ignored = mask.to(torch.bool)
        by_kind = {0: (None, None), 1: (slice(None), None, None), 2: ()}
        if kind is None:
            kind = {2: 0, 4: 2}.get(mask.ndim, 2)
        allowed = ~ignored[by_kind[kind]]
    weights, biases = given["qkv_weight"].chunk(3), given["qkv_bias"].chunk(3)
    plain = Projected(
        *(x, x, x, num_heads),
        *(weights[0], weights[1], weights[2]),
        *(biases[0], biases[1], biases[2]),
        allowed=allowed,
    )
    return replace(plain, **norm)


def _mechanism(is_causal: bool, allowed: Tensor | None, bias: Tensor | None) -> dict[str, str]:
    mechanism = {"score": "scaled_dot", "normalizer": "softmax"}
    if is_causal:
        mechanism["mask"] = "causal"
    elif allowed is not None:
        mechanism["mask"] = "padding" if allowed.shape[1] == allowed.shape[2] == 1 else "dense"
    if bias is not None:
        mechanism["score_mod"] = "bias"
    return mechanism
