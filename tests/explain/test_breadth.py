"""Heads and values are taken out of every architecture alike, tiny and with random weights."""

from typing import Any

import pytest
import torch

from regard.explain import ablated, value_zeroing
from tests.explain.test_ablation import without

pytestmark = pytest.mark.slow

BASE = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 32, "max_position_embeddings": 40,
}  # fmt: skip
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TEXT = BASE | ENDS
GROUPED = TEXT | {"num_key_value_heads": 2, "head_dim": 4}
GPT = {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 4} | ENDS
IMAGE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32,
    "image_size": 8, "patch_size": 4,
}  # fmt: skip
PAIR = {
    "vocab_size": 60, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32, "decoder_start_token_id": 1, "max_position_embeddings": 40,
} | ENDS  # fmt: skip
LAYERS = ("layers.1", "self_attn")
BERT = ("encoder.layer.1", "attention.self")

ARCHITECTURES: list[tuple[str, dict[str, Any], tuple[str, str]]] = [
    ("Bert", TEXT, BERT),
    ("Roberta", TEXT, BERT),
    ("XLMRoberta", TEXT, BERT),
    ("Electra", TEXT | {"embedding_size": 16}, BERT),
    ("LayoutLM", TEXT, BERT),
    ("MobileBert", TEXT | {
        "embedding_size": 16, "true_hidden_size": 16, "intra_bottleneck_size": 16,
        "use_bottleneck": False, "use_bottleneck_attention": False,
        "key_query_shared_bottleneck": False,
    }, BERT),
    ("DebertaV2", TEXT, BERT),
    ("ModernBert", TEXT | {"global_attn_every_n_layers": 2}, ("layers.0", "attn")),
    ("DistilBert", {"vocab_size": 60, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32},
     ("transformer.layer.1", "attention")),
    ("GPT2", GPT, ("h.1", "attn")),
    ("GPTJ", GPT | {"rotary_dim": 4}, ("h.1", "attn")),
    ("GPTNeo", {
        "vocab_size": 60, "hidden_size": 16, "num_layers": 2, "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
    } | ENDS, ("h.1", "attn.attention")),
    ("GPTNeoX", TEXT, ("layers.1", "attention")),
    ("OPT", TEXT | {"word_embed_proj_dim": 16, "ffn_dim": 32},
     ("decoder.layers.1", "self_attn")),
    ("Bloom", {"vocab_size": 60, "hidden_size": 16, "n_layer": 2, "n_head": 4} | ENDS,
     ("h.1", "self_attention")),
    ("Falcon", TEXT, ("h.1", "self_attention")),
    ("Mpt", {"vocab_size": 60, "d_model": 16, "n_layers": 2, "n_heads": 4}, ("blocks.1", "attn")),
    *[(name, GROUPED, LAYERS) for name in (
        "Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Phi3", "StableLm", "Olmo",
        "Cohere", "Starcoder2",
    )],
    ("Phi", TEXT, LAYERS),
    ("T5", {
        "vocab_size": 60, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4
    }, ("encoder.block.1", "layer.0.SelfAttention")),
    *[(name, PAIR, ("decoder.layers.1", attention)) for name in (
        "Bart", "MBart", "Pegasus", "Marian", "M2M100",
    ) for attention in ("self_attn", "encoder_attn")],
    ("Whisper", PAIR | {
        "num_mel_bins": 8, "max_source_positions": 10, "max_target_positions": 20
    }, ("decoder.layers.1", "encoder_attn")),
    *[(name, IMAGE, ("layers.1", "attention")) for name in ("ViT", "DeiT", "Beit")],
    *[(name, IMAGE, ("encoder.layer.1", "attention")) for name in (
        "Dinov2", "Dinov2WithRegisters",
    )],
    *[(name, IMAGE, ("encoder.layers.1", "self_attn")) for name in (
        "CLIPVision", "SiglipVision",
    )],
    ("Swin", {
        "image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 4],
        "window_size": 4,
    }, ("encoder.layers.1.blocks.0", "attention")),
    ("Wav2Vec2", TEXT | {
        "conv_dim": (8, 8), "conv_stride": (2, 2), "conv_kernel": (3, 3),
        "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
        "num_feat_extract_layers": 2,
    }, ("encoder.layers.1", "attention")),
]  # fmt: skip


def made(name: str, sizes: dict[str, Any], **more: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config, network = (getattr(transformers, name + kind) for kind in ("Config", "Model"))
    model = network(config(**sizes, **more)).eval()
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(5.0) if each.ndim > 1 else each.add_(0.1 * torch.randn_like(each))
    return model


def called(model: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 60, (2, 7), generator=generator)
    if model.main_input_name == "pixel_values":
        side = model.config.image_size
        output = model(pixel_values=torch.randn(1, 3, side, side, generator=generator))
    elif model.main_input_name == "input_values":
        output = model(input_values=torch.randn(1, 60, generator=generator))
    elif model.main_input_name == "input_features":
        sound = torch.randn(2, 8, 20, generator=generator)
        output = model(input_features=sound, decoder_input_ids=ids)
    elif model.config.is_encoder_decoder:
        output = model(input_ids=ids, decoder_input_ids=ids.flip(1))
    else:
        output = model(input_ids=ids)
    # A decoder's states say nothing of the encoder's last layer beyond it.
    found: torch.Tensor = output.last_hidden_state
    return found


@pytest.mark.parametrize(
    ("name", "sizes", "place"), ARCHITECTURES, ids=[f"{n}-{p[1]}" for n, _, p in ARCHITECTURES]
)
def test_heads_and_values_of_this_architecture(
    name: str, sizes: dict[str, Any], place: tuple[str, str]
) -> None:
    model, (block, inner) = made(name, sizes), place
    attention = f"{block}.{inner}"
    with torch.no_grad():
        whole = called(model)
        with ablated(model, {attention: [1]}) as done:
            found = called(model)
        wanted = called(without(model, done.places[attention], [1], 4))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (found - whole).abs().max() > 1e-5 and done.calls[attention] >= 1

    fused = value_zeroing(model, lambda: called(model), block, attention=attention).values
    assert (fused > 1e-9).any() and fused.isfinite().all()
    eager = made(name, sizes, attn_implementation="eager")
    written_out = value_zeroing(eager, lambda: called(eager), block, attention=attention).values
    torch.testing.assert_close(written_out, fused, rtol=1e-2, atol=1e-5)
