"""Tiny configurations of every architecture of `transformers`, and what to call them with."""

import copy
import inspect
from typing import Any

import torch
from torch import nn

LARGEST = 40_000_000

SAME: dict[int, str] = {
    32: """
        hidden_size d_model dim n_embd embed_dim hidden_dim model_dim encoder_hidden_size
        decoder_hidden_size embedding_size projection_dim d_embed emb_dim width n_embed
        embedding_dim decoder_dim encoder_embed_dim decoder_embed_dim mm_embed_dim
        output_dim backbone_hidden_size dim_model text_embed_dim attention_hidden_size
        cross_attention_hidden_size fusion_hidden_size projector_hidden_size
        out_hidden_size adapter_hidden_size text_hidden_size vision_hidden_size
        mask_feature_size feature_size encoder_hidden_dim bert_hidden_size dim_embed
        conv_dim hidden_channels image_size d_latents projection_hidden_size
        share_representation_size
    """,
    64: """
        intermediate_size d_ff ffn_dim encoder_ffn_dim decoder_ffn_dim n_inner d_inner
        dim_feedforward moe_intermediate_size shared_expert_intermediate_size mlp_dim
        encoder_intermediate_size intermediate_dim shared_intermediate_size
        dense_intermediate_size feed_forward_size ffn_hidden_size
        decoder_intermediate_size ffn_embed_dim inner_dim
        moe_shared_expert_intermediate_size decoder_ffn_size block_ff_dim index_topk
        mamba_d_ssm
    """,
    2: """
        num_hidden_layers n_layer num_layers encoder_layers decoder_layers n_layers
        num_decoder_layers num_encoder_layers depth num_blocks encoder_depth
        num_hidden_groups decoder_num_hidden_layers decoder_num_layers encoder_num_layers
        n_encoder_layers l_layers x_layers r_layers vision_depth decoder_depth
        encoder_num_hidden_layers depth_encoder layers dual_transformer_layers
        num_key_value_heads n_kv_heads kv_heads num_kv_heads multi_query_group_num
        num_query_groups decoder_num_key_value_heads encoder_num_key_value_heads
        index_n_heads eos_token_id num_experts_per_tok moe_k moe_topk
        num_experts_per_token spatial_merge_size num_frames decoder_start_token_id
        linear_num_key_heads full_attention_interval
    """,
    4: """
        num_attention_heads n_head num_heads encoder_attention_heads
        decoder_attention_heads n_heads heads decoder_num_attention_heads attention_heads
        encoder_num_attention_heads encoder_heads decoder_heads text_heads rotary_dim
        num_experts num_local_experts n_routed_experts moe_num_experts num_query_tokens
        sliding_window attention_window local_attention_window window_size
        linear_num_value_heads
    """,
    8: """
        head_dim d_kv kv_channels attention_head_dim attention_head_size global_head_dim
        v_head_dim qk_nope_head_dim dim_head encoder_head_dim qk_rope_head_dim d_head
        patch_size mamba_n_heads mamba_d_head mamba_d_state linear_key_head_dim
        linear_value_head_dim
    """,
    16: """
        q_lora_rank kv_lora_rank index_head_dim num_mel_bins n_mels retriever_proj_size
    """,
    199: """
        vocab_size encoder_vocab_size decoder_vocab_size
    """,
    96: """
        n_positions n_ctx max_position_embeddings seq_length
    """,
    60: """
        max_source_positions max_target_positions
    """,
    0: """
        pad_token_id
    """,
    1: """
        bos_token_id n_shared_experts n_group topk_group first_k_dense_replace
        num_shared_experts temporal_patch_size tubelet_size mamba_n_groups
    """,
    150: """
        image_token_id image_token_index
    """,
    151: """
        video_token_id video_token_index
    """,
    152: """
        audio_token_id audio_token_index
    """,
    153: """
        vision_start_token_id
    """,
    154: """
        vision_end_token_id
    """,
    155: """
        boi_token_id boi_token_index
    """,
    156: """
        eoi_token_id eoi_token_index
    """,
    157: """
        audio_start_token_id
    """,
    158: """
        audio_end_token_id
    """,
    3: """
        num_channels in_channels in_chans
    """,
    6: """
        num_queries
    """,
    5: """
        num_latents
    """,
    -1: """
        vision_feature_layer
    """,
}
"""Size → the settings that get it, by the names that configurations have for them."""

SIZES: dict[str, Any] = {name: size for size, names in SAME.items() for name in names.split()}
LISTS: dict[str, list[Any]] = {
    "image_size": [32, 32],
    "hidden_sizes": [16, 32, 48, 64], "embed_dims": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
    "num_heads": [2, 4, 4, 4], "layers": [1, 1, 1, 1], "embed_dim": [16, 32, 48, 64],
    "encoder_hidden_sizes": [16, 32, 48, 64], "num_attention_heads": [2, 4, 4, 4],
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "xlnet": {"d_head": 8},
    "perceiver": {
        "d_latents": 32,
        "num_latents": 5,
        "num_cross_attention_heads": 4,
        "num_self_attends_per_block": 2,
        "num_self_attention_heads": 4,
        "d_model": 32,
    },
    "whisper": {"max_source_positions": 30},
    "longformer": {"attention_window": [4, 4]},
    "funnel": {
        "block_sizes": [1, 1],
        "d_model": 32,
        "n_head": 4,
        "d_head": 8,
        "num_decoder_layers": 1,
        "block_repeats": [1, 1],
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
    "swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "swinv2": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "donut-swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "maskformer-swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "swin2sr": {
        "embed_dim": 16,
        "depths": [1, 1],
        "num_heads": [2, 4],
        "patch_size": 1,
        "window_size": 4,
    },
    "codegen": {"n_ctx": 96, "rotary_dim": 4},
    "gptj": {"rotary_dim": 4},
    "bloom": {"hidden_size": 32, "n_head": 4, "n_layer": 2},
    "openai-gpt": {"n_embd": 32},
    "xlm": {"emb_dim": 32},
    "flaubert": {"emb_dim": 32},
    "mpt": {"d_model": 32},
    "dbrx": {"d_model": 32},
    "jamba": {"attn_layer_offset": 1, "attn_layer_period": 2},
    "bamba": {"attn_layer_indices": [1]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "lfm3": {"layer_types": ["conv", "full_attention"]},
}
"""What an architecture needs of its own."""


def fields_of(kind: Any) -> dict[str, Any]:
    """A configuration's settings and their usual values."""
    found = {
        name: each.default
        for name, each in inspect.signature(kind.__init__).parameters.items()
        if name not in ("self", "kwargs", "args")
    }
    if len(found) < 3:
        found = dict(vars(kind()))
    return found


def tiny(kind: Any, depth: int = 0) -> dict[str, Any]:
    """Settings that make a configuration small."""
    given: dict[str, Any] = {}
    usual = fields_of(kind)
    own = getattr(kind, "attribute_map", {}) or {}
    for name, value in usual.items():
        if name in getattr(kind, "sub_configs", {}) and depth < 3:
            sub = kind.sub_configs[name]
            if sub.__name__ in ("AutoConfig", "PreTrainedConfig", "PretrainedConfig"):
                made = getattr(kind(), name, None)
                if made is None:
                    continue
                given[name] = type(made)(**tiny(type(made), depth + 1))
            else:
                given[name] = tiny(sub, depth + 1)
        elif isinstance(value, (list, tuple)) and name in LISTS and len(value) <= 4:
            given[name] = LISTS[name][: len(value)]
        elif (
            name in SIZES
            and (value is None or isinstance(value, (int, float)))
            and not isinstance(value, bool)
        ):
            if value is not None or name in (
                "head_dim",
                "num_key_value_heads_",
                "intermediate_size",
            ):
                given[name] = SIZES[name]
    for name, target in own.items():
        if (
            name in SIZES
            and target in usual
            and target not in given
            and isinstance(usual[target], int)
        ):
            given[target] = SIZES[name]
    for name in ("layers_block_type", "hybrid_override_pattern"):
        given.pop(name, None)
    given |= {k: v for k, v in KINDS.get(getattr(kind, "model_type", ""), {}).items()}
    if "kv_lora_rank" in usual and "num_key_value_heads" in usual:
        given["num_key_value_heads"] = given.get("num_attention_heads", 4)
    if (
        usual.get("use_timm_backbone")
        or "backbone_config" in usual
        and "use_timm_backbone" in usual
    ):
        from transformers import ResNetConfig

        small = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
        ends = ["stage2", "stage3", "stage4"] if "num_feature_levels" in usual else ["stage4"]
        given |= {
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone": None,
            "backbone_kwargs": None,
            "backbone_config": ResNetConfig(**small, out_features=ends),
        }
    if "layer_types" in usual and usual["layer_types"]:
        given["layer_types"] = list(dict.fromkeys(usual["layer_types"]))[:2]
    return given


def _turned(config: Any) -> None:
    """Rotary sections that fit the heads."""
    for each in [
        config,
        *(getattr(config, name, None) for name in getattr(config, "sub_configs", {})),
    ]:
        rope = getattr(each, "rope_parameters", None)
        if not isinstance(rope, dict):
            continue
        for one in [rope, *(value for value in rope.values() if isinstance(value, dict))]:
            one["mrope_section"] = [2, 1, 1]
            if "partial_rotary_factor" in one:
                one["partial_rotary_factor"] = 1.0


def inputs_of(model: nn.Module, config: Any) -> list[dict[str, Any]]:
    """What a model may be called with: several guesses, the likeliest first."""
    names = set(inspect.signature(model.forward).parameters)
    main = getattr(model, "main_input_name", "input_ids")
    main = main[0] if isinstance(main, (list, tuple)) else main
    text = getattr(config, "text_config", None) or config
    vocab = getattr(text, "vocab_size", None) or 199
    ids = torch.randint(5, min(vocab, 149), (2, 12))
    vision = getattr(config, "vision_config", None) or config
    size = getattr(vision, "image_size", None) or 32
    size = size if isinstance(size, int) else (size[0] if isinstance(size, (list, tuple)) else 32)
    channels = getattr(vision, "num_channels", None) or 3
    frames = getattr(config, "num_frames", 2)
    bins = (
        getattr(config, "num_mel_bins", None)
        or getattr(getattr(config, "audio_config", None), "num_mel_bins", None)
        or 16
    )
    source = getattr(config, "max_source_positions", None) or 30
    sources: dict[str, list[Any]] = {
        "input_ids": [ids],
        "pixel_values": [
            torch.randn(2, channels, size, size),
            torch.randn(2, frames, channels, size, size),
        ],
        "pixel_values_videos": [torch.randn(2, frames, channels, size, size)],
        "input_values": [torch.randn(2, 4000), torch.randn(2, 1024, bins), torch.randn(2, 1, 4000)],
        "input_features": [
            torch.randn(2, bins, 2 * source),
            torch.randn(2, 60, bins),
            torch.randn(2, bins, 64),
        ],
        "inputs": [ids, torch.randn(2, 12, 32)],
        "inputs_embeds": [torch.randn(2, 12, 32)],
        "past_values": [torch.randn(2, 64, 1), torch.randn(2, 64)],
    }
    found = []
    for value in sources.get(main, [ids]):
        given = {main: value}
        if (
            main != "input_ids"
            and "input_ids" in names
            and main in ("pixel_values", "input_features")
            and hasattr(config, "text_config")
        ):
            given["input_ids"] = ids
        if "decoder_input_ids" in names:
            given["decoder_input_ids"] = ids[:, :7]
        if (
            "pixel_values" in names
            and main == "input_ids"
            and hasattr(config, "vision_config")
            and "clip" in type(model).__name__.lower()
        ):
            given["pixel_values"] = sources["pixel_values"][0]
        if "use_cache" in names:
            given["use_cache"] = False
        found.append(given)
        if "bbox" in names:
            given["bbox"] = torch.zeros(2, 12, 4, dtype=torch.long)
        if "visual_feats" in names:
            given |= {
                "visual_feats": torch.randn(2, 5, getattr(config, "visual_feat_dim", 2048)),
                "visual_pos": torch.rand(2, 5, 4),
            }
        if main == "input_ids" and "pixel_values" in names:
            found.append({**given, "pixel_values": sources["pixel_values"][0]})
    grid = next((name for name in ("grid_thw", "image_grid_thw") if name in names), None)
    if grid is not None and "input_ids" not in names:
        first = next(iter(inspect.signature(model.forward).parameters))
        patch, depth = getattr(config, "patch_size", 8), getattr(config, "temporal_patch_size", 1)
        deep = torch.randn(32, channels * depth * patch * patch)
        found.insert(0, {first: deep, grid: torch.tensor([[1, 4, 4], [1, 4, 4]])})
    return found


def build(model_type: str) -> tuple[nn.Module, Any]:
    """A tiny model of an architecture; raises where none can be made."""
    from transformers import AutoModel
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = CONFIG_MAPPING[model_type]
    config = kind(**tiny(kind))
    _turned(config)
    with torch.device("meta"):
        shell = AutoModel.from_config(copy.deepcopy(config))
    count = sum(each.numel() for each in shell.parameters())
    if count > LARGEST:
        raise ValueError(f"{count:,} parameters, although it was to be tiny")
    torch.manual_seed(0)
    model = AutoModel.from_config(config).eval()
    for each in model.parameters():  # where first weights are zeros, nothing could be told apart
        if each.ndim > 1 and not each.detach().any():
            nn.init.normal_(each, std=0.2)
    return model, config
