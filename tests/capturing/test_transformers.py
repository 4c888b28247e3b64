"""Tiny networks of `transformers` on their usual kernels, beside what their eager code returns."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.capturing import AttentionMap, Maps

transformers = pytest.importorskip("transformers")

CLOSE = {"atol": 1e-6, "rtol": 0.0}
IDS = torch.randint(5, 90, (2, 9), generator=torch.Generator().manual_seed(0))
SIZES = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 64,
}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}
BART = {
    "vocab_size": 99, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64, "max_position_embeddings": 64,
}  # fmt: skip
T5 = {
    "decoder_start_token_id": 0,
    "vocab_size": 99,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
}
WHISPER = {
    **BART, "num_mel_bins": 16, "max_source_positions": 10, "max_target_positions": 40,
    "decoder_start_token_id": 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "begin_suppress_tokens": None, "suppress_tokens": None,
}  # fmt: skip
GPT2 = {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 2], "num_heads": [2, 4],
        "window_size": 4}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "image_size": 16,
          "num_attention_heads": 4, "patch_size": 8}  # fmt: skip
TEXT = {"input_ids": IDS}
BOTH = {"input_ids": IDS, "decoder_input_ids": IDS[:, :4]}

FAMILIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Bert": ("BertModel", SIZES, TEXT),
    "GPT2": ("GPT2Model", GPT2, TEXT),
    "Llama": ("LlamaModel", GROUPED, TEXT),
    "Gemma2": ("Gemma2Model", {**GROUPED, "sliding_window": 4}, TEXT),
    "GptOss": ("GptOssModel", {**GROUPED, "num_local_experts": 4, "sliding_window": 4}, TEXT),
    "Mixtral": ("MixtralModel", {**GROUPED, "num_local_experts": 4}, TEXT),
    "T5": ("T5Model", T5, BOTH),
    "Bart": ("BartModel", BART, BOTH),
    "XLNet": (
        "XLNetModel",
        {"vocab_size": 99, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
        TEXT,
    ),
    "DebertaV2": (
        "DebertaV2Model",
        {**SIZES, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
        TEXT,
    ),
    "Albert": ("AlbertModel", {**SIZES, "embedding_size": 16}, TEXT),
    "ViT": ("ViTModel", VISION, {"pixel_values": torch.randn(2, 3, 16, 16)}),
    "Swin": ("SwinModel", SWIN, {"pixel_values": torch.randn(2, 3, 32, 32)}),
    "Whisper": (
        "WhisperModel",
        WHISPER,
        {"input_features": torch.randn(2, 16, 20), "decoder_input_ids": IDS[:, :4]},
    ),
}


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def made(family: str, model: str, sizes: dict[str, Any], eager: bool = False) -> Any:
    config = getattr(transformers, f"{family}Config")(**sizes)
    torch.manual_seed(0)
    kind = getattr(transformers, model)
    built = kind._from_config(config, **{"attn_implementation": "eager"} if eager else {}).eval()
    with torch.no_grad():
        for each in built.parameters():
            if each.ndim > 1:
                each.mul_(1.5 if family == "T5" else 4)  # else all weights are nearly equal
    return built


def attentions(output: Any) -> list[Tensor]:
    names = ("encoder_attentions", "decoder_attentions", "cross_attentions", "attentions")
    return [each for name in names for each in output.get(name) or ()]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_maps_are_those_of_eager_and_the_outputs_stay(family: str) -> None:
    name, sizes, inputs = FAMILIES[family]
    model, eager = made(family, name, sizes), made(family, name, sizes, eager=True)
    with torch.no_grad():
        wanted = attentions(eager(**inputs, output_attentions=True))
        plain = model(**inputs)
        with regard.capture(model) as maps:
            seen = model(**inputs)
    assert wanted and len(maps) >= len(wanted)
    assert torch.equal(plain[0], seen[0])
    left = list(maps)
    for weights in wanted:
        found = next(
            (each for each in left if each.shape == weights.shape
             and torch.allclose(each.weights(), weights, **CLOSE)), None,
        )  # fmt: skip
        assert found is not None, f"{family}: no map is eager's {list(weights.shape)}"
        left.remove(found)
    modules = dict(model.named_modules())
    assert all(each.name in modules for each in maps)


def test_cross_attention_is_told_from_self_attention() -> None:
    for family in ("T5", "Bart", "Whisper"):
        name, sizes, inputs = FAMILIES[family]
        model = made(family, name, sizes)
        with torch.no_grad(), regard.capture(model) as maps:
            model(**inputs)
        kinds = [each.kind for each in maps]
        assert kinds == ["self"] * 2 + ["self", "cross"] * 2
        assert all("decoder" in each.name for each in maps if each.kind == "cross")


def test_a_picture_and_a_text_in_one_network() -> None:
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION, projection_dim=32),
        text_config=transformers.LlamaConfig(**GROUPED),
        image_token_index=98,
        vision_feature_layer=-1,
    )
    ids = torch.cat([torch.full((1, 4), 98), IDS[:1]], 1)
    inputs = {"input_ids": ids, "pixel_values": torch.randn(1, 3, 16, 16)}
    outputs = []
    for how in ("eager", "sdpa"):
        torch.manual_seed(0)
        kind = transformers.LlavaForConditionalGeneration
        model = kind._from_config(config, attn_implementation=how).eval()
        with torch.no_grad(), regard.capture(model) as maps:
            outputs.append(model(**inputs, output_attentions=how == "eager"))
        if how == "eager":
            written = [each.weights() for each in maps]
    assert [each.shape for each in maps] == [(1, 4, 5, 5)] * 2 + [(1, 4, 13, 13)] * 2
    for each, wanted in zip(maps, written, strict=True):
        torch.testing.assert_close(each.weights(), wanted, **CLOSE)
    for each, wanted in zip(maps[2:], outputs[0].attentions, strict=True):
        torch.testing.assert_close(each.weights(), wanted, **CLOSE)


LANGUAGE: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "GPT2": ("GPT2", "GPT2LMHeadModel", GPT2, TEXT),
    "Llama": ("Llama", "LlamaForCausalLM", GROUPED, TEXT),
    "T5": ("T5", "T5ForConditionalGeneration", T5, TEXT),
    "Whisper": (
        "Whisper",
        "WhisperForConditionalGeneration",
        WHISPER,
        {"input_features": torch.randn(2, 16, 20)},
    ),
}
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 0.7},
    "beam": {"num_beams": 3, "do_sample": False},
    "static cache": {"do_sample": False, "cache_implementation": "static"},
}


def written(model: Any, search: dict[str, Any], inputs: dict[str, Any], **more: Any) -> Any:
    torch.manual_seed(3)
    kind = type(model).__name__
    generate: Callable[..., Any] = model.generate
    if kind.startswith("Whisper"):  # its own generate wants 30 seconds of sound
        generate = super(type(model), model).generate
        generate = transformers.GenerationMixin.generate.__get__(model)
    return generate(
        **inputs, **search, **more, max_new_tokens=5, min_new_tokens=5, pad_token_id=0,
        return_dict_in_generate=True, output_scores=True, disable_compile=True,
    )  # fmt: skip


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("family", LANGUAGE)
def test_what_is_generated_stays_and_every_step_is_eagers(family: str, search: str) -> None:
    if search == "static cache" and family in ("T5", "Whisper"):
        pytest.skip("two caches; decoder-only networks are enough")
    config, name, sizes, inputs = LANGUAGE[family]
    model, eager = made(config, name, sizes), made(config, name, sizes, eager=True)
    with torch.no_grad():
        wanted = written(eager, SEARCHES[search], inputs, output_attentions=True)
        plain = written(model, SEARCHES[search], inputs)
        with regard.capture(model) as maps:
            seen = written(model, SEARCHES[search], inputs)
    assert torch.equal(plain.sequences, seen.sequences)
    assert all(torch.equal(a, b) for a, b in zip(plain.scores, seen.scores, strict=True))
    assert torch.equal(seen.sequences, wanted.sequences)
    steps = wanted.get("attentions") or wanted.decoder_attentions
    _compare([each for each in maps if each.kind == "self" and _decodes(each)], steps)
    if wanted.get("cross_attentions"):
        _compare([each for each in maps if each.kind == "cross"], wanted.cross_attentions)
    _stitched(maps, steps)


def _decodes(each: AttentionMap) -> bool:
    return "encoder" not in each.name.replace("decoder", "")


def _compare(maps: list[AttentionMap], steps: Any) -> None:
    """Maps in call order against eager's, step by step and layer by layer."""
    wanted = [layer for step in steps for layer in step]
    assert len(maps) == len(wanted)
    for each, weights in zip(maps, wanted, strict=True):
        seen = each.weights()
        if seen.shape[3] < weights.shape[3]:  # a kernel is not given what is not written yet
            seen = torch.nn.functional.pad(seen, (0, weights.shape[3] - seen.shape[3]))
        torch.testing.assert_close(seen, weights, **CLOSE)


def _stitched(maps: Maps, steps: Any) -> None:
    """The steps of each layer as one map."""
    joined = [each for each in maps.stitched() if each.kind == "self" and _decodes(each)]
    assert len(joined) == len(steps[0])
    for layer, each in enumerate(joined):
        start, longest = 0, steps[-1][layer].shape[3]
        batch, heads = steps[-1][layer].shape[:2]
        assert each.shape == (batch, heads, sum(s[layer].shape[2] for s in steps), longest)
        whole = each.weights()
        for step in steps:
            weights = step[layer]
            part = whole[:, :, start : start + weights.shape[2]]
            torch.testing.assert_close(part[..., : weights.shape[3]], weights, **CLOSE)
            assert not part[..., weights.shape[3] :].any()
            start += weights.shape[2]
        assert torch.equal(each.weights(1, [-1, 0], 1), whole[1:2, 1:2][:, :, [start - 1, 0]])


def test_the_rows_of_a_beam_search_follow_their_beams() -> None:
    model = made("GPT2", "GPT2LMHeadModel", GPT2)
    with torch.no_grad(), regard.capture(model, layers=-1) as maps:
        found = written(model, SEARCHES["beam"], {"input_ids": IDS})
        [joined] = maps.stitched(found.beam_indices)
    with torch.no_grad(), regard.capture(model, layers=-1) as whole:
        model(input_ids=found.sequences[:, :-1])
    assert joined.shape == (2, 4, 13, 13)
    torch.testing.assert_close(joined.weights(), whole[0].weights(), atol=1e-5, rtol=0.0)


def test_steps_keep_their_weights_and_not_the_cache() -> None:
    model = made("GPT2", "GPT2LMHeadModel", GPT2)
    with torch.no_grad(), regard.capture(model, rows=-1) as maps:
        written(model, SEARCHES["greedy"], {"input_ids": IDS})
    wanted = sum(2 * 4 * each.shape[3] * 4 for each in maps)
    assert maps.bytes == wanted
