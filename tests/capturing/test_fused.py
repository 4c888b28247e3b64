"""Kernels that PyTorch calls by name: their weights are those of the definition, outputs stay."""

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import regard
from regard.capturing import Maps
from tests.one_by_one import all_in_one

CLOSE = {"atol": 1e-6, "rtol": 0.0}


def definition(
    query: Tensor, key: Tensor, scale: float | None = None, hidden: Tensor | None = None,
    bias: Tensor | float = 0.0,
) -> Tensor:  # fmt: skip
    """Weights in float64, zeros where nothing may be seen."""
    query, key = query.double(), key.double()
    key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale) + bias
    if hidden is not None:
        scores = scores.masked_fill(hidden, -math.inf)
    return torch.nan_to_num(scores.softmax(-1)).float()


def captured(call: Callable[[], Any], **how: Any) -> tuple[Any, Any, Maps]:
    """What a call gives without and with a capture, and the maps."""
    torch.manual_seed(1)
    plain = call()
    torch.manual_seed(1)
    with regard.capture(**how) as maps:
        seen = call()
    return plain, seen, maps


MASKS: dict[str, Tensor | None] = {
    "none": None,
    "pairs": torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) > 0.3,
    "batch": torch.arange(7) < torch.tensor([7, 3]).view(2, 1, 1, 1),
    "bias": torch.randn(1, 4, 5, 7, generator=torch.Generator().manual_seed(0)),
    "empty rows": (torch.arange(5) > 1)[:, None].expand(5, 7),
    "infinite": torch.zeros(5, 7).masked_fill(torch.eye(5, 7).bool(), -math.inf),
}


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("name", MASKS)
def test_sdpa_has_the_weights_of_its_definition(name: str, scale: float, kv_heads: int) -> None:
    mask = MASKS[name]
    query, key = torch.randn(2, 4, 5, 8), torch.randn(2, kv_heads, 7, 8)
    value = torch.randn(2, kv_heads, 7, 3)
    plain, seen, maps = captured(
        lambda: F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scale, enable_gqa=kv_heads != 4
        )
    )
    is_bool = mask is not None and mask.dtype == torch.bool
    bias = 0.0 if mask is None or is_bool else mask.double()
    wanted = definition(query, key, scale, ~mask if is_bool else None, bias)  # type: ignore[operator]
    torch.testing.assert_close(maps[0].weights(), wanted, **CLOSE)
    torch.testing.assert_close(
        maps[0].weights(heads=[3, 0], rows=[-1, 2], item=1),
        wanted[1:, [3, 0]][:, :, [4, 2]],
        **CLOSE,
    )
    assert torch.equal(plain, seen)


@pytest.mark.parametrize("q_len", [5, 7, 9])
def test_causal_sdpa_counts_both_from_the_first(q_len: int) -> None:
    query, key = torch.randn(1, 2, q_len, 4), torch.randn(1, 2, 7, 4)
    _, _, maps = captured(lambda: F.scaled_dot_product_attention(query, key, key, is_causal=True))
    hidden = torch.ones(q_len, 7).tril() == 0
    torch.testing.assert_close(maps[0].weights(), definition(query, key, hidden=hidden), **CLOSE)
    assert maps[0].mechanism["mask"] == "causal"
    torch.testing.assert_close(
        maps[0].weights(rows=[3]), definition(query, key, hidden=hidden)[:, :, 3:4], **CLOSE
    )


@pytest.mark.parametrize(
    ("query", "key", "mask"),
    [
        ((3, 5, 4), (3, 6, 4), (3, 5, 6)),
        ((5, 4), (6, 4), (5, 6)),
        ((2, 3, 2, 5, 4), (2, 3, 2, 6, 4), (3, 1, 5, 6)),
        ((2, 4, 5, 4), (1, 1, 6, 4), (4, 5, 6)),
    ],
)
@pytest.mark.parametrize("boolean", [True, False])
def test_sdpa_of_any_number_of_axes(query: Any, key: Any, mask: Any, boolean: bool) -> None:
    q, k = torch.randn(query), torch.randn(key)
    v, m = torch.randn(*key[:-1], 3), torch.rand(mask)
    m = m > 0.3 if boolean else m
    _, seen, maps = captured(lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=m))
    weights = maps[0].weights()
    values = v.expand(*seen.shape[:-2], *v.shape[-2:]).reshape(*weights.shape[:2], 6, 3)
    torch.testing.assert_close((weights @ values).reshape(seen.shape), seen, atol=1e-5, rtol=0.0)


def layers(**how: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, **how)
    for each in layer.parameters():
        nn.init.normal_(each)
    return layer


@all_in_one("batch_first", [True, False])
@all_in_one("padded", ["", "bool", "float"])
@all_in_one("mask", ["", "bool", "float", "heads"])
@pytest.mark.parametrize(
    "how", [{}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
            {"kdim": 6, "vdim": 10}, {"add_bias_kv": True, "add_zero_attn": True}],
    ids=str,
)  # fmt: skip
@all_in_one("training", [True, False])
def test_multi_head_attention_in_every_flag(
    batch_first: bool, padded: str, mask: str, how: dict[str, Any], training: bool
) -> None:
    layer = layers(batch_first=batch_first, **how).train(training)
    query, key = torch.randn(3, 4, 8), torch.randn(3, 5, how.get("kdim", 8))
    value = torch.randn(3, 5, how.get("vdim", 8))
    if not batch_first:
        query, key, value = (x.transpose(0, 1) for x in (query, key, value))
    padding = torch.arange(5) >= torch.tensor([5, 3, 4])[:, None] if padded else None
    if padded == "float":
        padding = torch.zeros(3, 5).masked_fill(padding, -math.inf)  # type: ignore[arg-type]
    pairs = {"": None, "bool": torch.rand(4, 5) > 0.8, "float": torch.randn(4, 5),
             "heads": torch.randn(6, 4, 5)}[mask]  # fmt: skip
    if (padded == "float") != (mask in ("float", "heads")) and padded and mask:
        pytest.skip("PyTorch warns of masks of two kinds")

    def call(weights: bool) -> Any:
        return layer(
            query, key, value, key_padding_mask=padding, attn_mask=pairs, need_weights=weights,
            average_attn_weights=False,
        )  # fmt: skip

    plain, seen, maps = captured(lambda: call(False)[0])
    wanted = call(True)[1].detach()
    torch.testing.assert_close(maps[0].weights(), wanted, **CLOSE)
    torch.testing.assert_close(maps[0].weights(rows=[2], item=1), wanted[1:2, :, 2:3], **CLOSE)
    assert torch.equal(plain, seen) and maps[0].kind == "cross"


@pytest.mark.parametrize("padded", [False, True])
def test_the_fast_path_of_multi_head_attention_stays_on(padded: bool, ran: list[str]) -> None:
    layer = layers(batch_first=True).eval()
    x = torch.randn(3, 5, 8)
    padding = torch.arange(5) >= torch.tensor([5, 3, 4])[:, None] if padded else None
    with torch.no_grad():
        plain, seen, maps = captured(
            lambda: layer(x, x, x, key_padding_mask=padding, need_weights=False)[0]
        )
        assert ran == ["_native_multi_head_attention"]
        layer.train()
        wanted = layer(x, x, x, key_padding_mask=padding, average_attn_weights=False)[1]
    torch.testing.assert_close(maps[0].weights(), wanted, **CLOSE)
    assert torch.equal(plain, seen) and maps[0].kind == "self"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fast paths that ran while something was captured."""
    from regard.capturing import multi_head, watch

    found: list[str] = []
    for name, look in (
        ("_native_multi_head_attention", multi_head.seen_native),
        ("_transformer_encoder_layer_fwd", multi_head.seen_layer),
    ):

        def noted(*args: Any, name: str = name, look: Any = look) -> Any:
            found.append(name)
            return look(*args)

        monkeypatch.setitem(watch.WHOLE, name, noted)
    return found


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype:UserWarning")
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize(
    ("norm_first", "batch_first", "bias", "padded", "training", "activation"),
    [
        flags
        for flags in itertools.product(*[(False, True)] * 5, ("relu", "gelu"))
        if flags[5] == "relu" or flags[:3] == (False, True, True)
    ],
)
def test_an_encoder_in_every_flag(
    norm_first: bool, batch_first: bool, bias: bool, padded: bool, training: bool, activation: str,
    ran: list[str],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, activation, norm_first=norm_first, batch_first=batch_first, bias=bias
    )
    encoder = nn.TransformerEncoder(layer, 2).train(training)
    for each in encoder.parameters():
        if each.ndim > 1:
            nn.init.normal_(each, std=0.4)
    x = torch.randn(3, 5, 8) if batch_first else torch.randn(5, 3, 8)
    padding = torch.arange(5) >= torch.tensor([4, 2, 3])[:, None] if padded else None
    with torch.set_grad_enabled(training):
        plain, seen, maps = captured(
            lambda: encoder(x, src_key_padding_mask=padding), model=encoder
        )
    assert torch.equal(plain, seen)
    assert [each.name for each in maps] == ["layers.0.self_attn", "layers.1.self_attn"]
    fast = not training and batch_first and bias
    assert ran == ["_transformer_encoder_layer_fwd"] * 2 * fast
    real = torch.ones(3, 1, 5, 1) if padding is None else (~padding)[:, None, :, None]
    for each, wanted in zip(maps, asked(encoder, x, padding), strict=True):
        assert each.shape == (3, 2, 5, 5)
        torch.testing.assert_close(each.weights() * real, wanted * real, **CLOSE)


def asked(encoder: Any, x: Tensor, padding: Tensor | None) -> list[Tensor]:
    """The weights that each layer's attention returns when it is asked for them, slowly."""
    found = []
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            for layer in encoder.layers:
                inner = layer.norm1(x) if layer.norm_first else x
                found.append(
                    layer.self_attn(
                        inner, inner, inner, key_padding_mask=padding, average_attn_weights=False
                    )[1]
                )
                x = layer(x, src_key_padding_mask=padding)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    return found


def test_the_decoder_attends_to_itself_and_to_the_memory() -> None:
    model = nn.Transformer(8, 2, 1, 2, 16, batch_first=True).eval()
    source, target = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, seen, maps = captured(
            lambda: model(source, target, tgt_mask=causal, tgt_is_causal=True), model=model
        )
    assert torch.equal(plain, seen)
    assert [(each.name, each.kind) for each in maps] == [
        ("encoder.layers.0.self_attn", "self"),
        ("decoder.layers.0.self_attn", "self"),
        ("decoder.layers.0.multihead_attn", "cross"),
        ("decoder.layers.1.self_attn", "self"),
        ("decoder.layers.1.multihead_attn", "cross"),
    ]
    assert float(maps[1].weights().triu(1).abs().max()) == 0.0
    torch.testing.assert_close(maps[2].weights().sum(-1), torch.ones(2, 2, 4))


def distance(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return score - 0.1 * (h + 1) * (q - k).abs()


def near(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return (q >= k) & (q - k < 3 + b)


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("score_mod", [None, distance])
@pytest.mark.parametrize("mask_mod", [None, near])
def test_flex_attention_asks_its_functions_for_some_rows(
    kv_heads: int, score_mod: Any, mask_mod: Any
) -> None:
    query, key = torch.randn(2, 4, 6, 8), torch.randn(2, kv_heads, 6, 8)
    block = None if mask_mod is None else create_block_mask(mask_mod, 2, None, 6, 6, device="cpu")
    plain, seen, maps = captured(
        lambda: flex_attention(query, key, key, score_mod, block, 0.5, kv_heads != 4)
    )
    b, h, q, k = torch.meshgrid(*map(torch.arange, (2, 4, 6, 6)), indexing="ij")
    bias = 0.0 if score_mod is None else distance(torch.zeros(()), b, h, q, k).double()
    hidden = None if mask_mod is None else ~near(b, h, q, k)
    wanted = definition(query, key, 0.5, hidden, bias)
    torch.testing.assert_close(maps[0].weights(), wanted, **CLOSE)
    torch.testing.assert_close(
        maps[0].weights([1], [5, 0], 1), wanted[1:, 1:2][:, :, [5, 0]], **CLOSE
    )
    assert torch.equal(plain, seen)


def test_parts_make_the_weights_again() -> None:
    query, key, value = torch.randn(2, 4, 5, 8), torch.randn(2, 2, 7, 8), torch.randn(2, 2, 7, 3)
    bias = torch.randn(2, 1, 5, 7)
    _, _, maps = captured(
        lambda: F.scaled_dot_product_attention(query, key, value, bias, enable_gqa=True)
    )
    parts = maps[0].parts(item=1)
    assert parts is not None and parts.value is not None and parts.bias is not None
    keys = parts.key.repeat_interleave(2, 0)
    weights = (parts.scale * parts.query @ keys.mT + parts.bias).softmax(-1)
    torch.testing.assert_close(weights, maps[0].weights(item=1)[0], **CLOSE)
    torch.testing.assert_close(parts.value, value[1])


def test_sequences_of_several_lengths_are_shown_padded() -> None:
    rows = [torch.randn(3, 8), torch.randn(5, 8)]
    nested = torch.nested.nested_tensor(rows, layout=torch.jagged)
    heads = nested.unflatten(-1, [2, 4]).transpose(1, 2)
    plain, seen, maps = captured(lambda: F.scaled_dot_product_attention(heads, heads, heads))
    assert torch.equal(plain.values(), seen.values())
    assert maps[0].shape == (2, 2, 5, 5)
    for item, row in enumerate(rows):
        x, length = row.unflatten(-1, (2, 4)).transpose(0, 1), len(row)
        weights = maps[0].weights(item=item)[0]
        torch.testing.assert_close(weights[:, :length, :length], definition(x[None], x[None])[0])
        assert not weights[:, length:].any() and not weights[..., length:].any()


def test_multi_head_attention_of_a_single_sequence() -> None:
    layer, x = layers(), torch.randn(4, 8)
    mask = torch.rand(2, 4, 4) > 0.7
    mask[:, :, 0] = False
    plain, seen, maps = captured(lambda: layer(x, x, x, attn_mask=mask, need_weights=False)[0])
    wanted = layer(x, x, x, attn_mask=mask, average_attn_weights=False)[1]
    torch.testing.assert_close(maps[0].weights()[0], wanted, **CLOSE)
    assert torch.equal(plain, seen)


def test_a_function_in_the_place_of_pytorchs_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = F.scaled_dot_product_attention

    def wrapped(*args: Any, **kwargs: Any) -> Tensor:
        return kernel(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", wrapped)
    x = torch.randn(1, 2, 3, 4)
    _, _, maps = captured(lambda: F.scaled_dot_product_attention(x, x, x))
    assert len(maps) == 1
