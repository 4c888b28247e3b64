"""How many architectures does `regard.capture` show as they are? Tiny random ones, one after the other.

Every architecture of `transformers` that a tiny configuration can be made for runs once as its
authors' eager code, which returns its weights, and once on its usual kernels under capture. All
weights that eager returns must be among those captured, to 1e-5, and the outputs under capture must
be those without it, to the bit. What fails stands by name, with the reason.

    python -m benchmarks.capture_breadth                      # everything, some minutes
    python -m benchmarks.capture_breadth --only bert,t5 --show
"""

import argparse
import copy
import gc
import inspect
import itertools
import os
import signal
import time
import traceback
import warnings
from typing import Any

import torch
from torch import Tensor, nn

import regard
from benchmarks.measure import save

CLOSE = 1e-5
LARGEST = 40_000_000
SECONDS = 90

SIZES: dict[str, Any] = {
    **dict.fromkeys(
        "hidden_size d_model dim n_embd embed_dim hidden_dim model_dim encoder_hidden_size decoder_hidden_size "
        "embedding_size projection_dim d_embed emb_dim width n_embed embedding_dim decoder_dim "
        "encoder_embed_dim decoder_embed_dim mm_embed_dim output_dim backbone_hidden_size dim_model "
        "text_embed_dim attention_hidden_size cross_attention_hidden_size fusion_hidden_size "
        "projector_hidden_size out_hidden_size adapter_hidden_size text_hidden_size vision_hidden_size "
        "mask_feature_size feature_size encoder_hidden_dim bert_hidden_size dim_embed "
        "conv_dim hidden_channels".split(), 32),
    **dict.fromkeys(
        "intermediate_size d_ff ffn_dim encoder_ffn_dim decoder_ffn_dim n_inner d_inner dim_feedforward "
        "moe_intermediate_size shared_expert_intermediate_size mlp_dim encoder_intermediate_size "
        "intermediate_dim shared_intermediate_size dense_intermediate_size feed_forward_size ffn_hidden_size "
        "decoder_intermediate_size ffn_embed_dim inner_dim moe_shared_expert_intermediate_size "
        "decoder_ffn_size block_ff_dim".split(), 64),
    **dict.fromkeys(
        "num_hidden_layers n_layer num_layers encoder_layers decoder_layers n_layers num_decoder_layers "
        "num_encoder_layers depth num_blocks encoder_depth num_hidden_groups decoder_num_hidden_layers "
        "decoder_num_layers encoder_num_layers num_encoder_blocks_ n_encoder_layers l_layers x_layers "
        "r_layers vision_depth decoder_depth num_mem_blocks_ encoder_num_hidden_layers "
        "depth_encoder layers dual_transformer_layers text_encoder_layers_".split(), 2),
    **dict.fromkeys(
        "num_attention_heads n_head num_heads encoder_attention_heads decoder_attention_heads n_heads "
        "num_key_value_heads_ heads decoder_num_attention_heads attention_heads encoder_num_attention_heads "
        "encoder_heads decoder_heads num_attention_heads_ text_heads".split(), 4),
    **dict.fromkeys("num_key_value_heads n_kv_heads kv_heads num_kv_heads multi_query_group_num "
        "num_query_groups decoder_num_key_value_heads encoder_num_key_value_heads".split(), 2),
    **dict.fromkeys("head_dim d_kv kv_channels attention_head_dim d_head_ qkv_channels_ "
        "attention_head_size global_head_dim v_head_dim qk_nope_head_dim dim_head encoder_head_dim".split(), 8),
    "qk_rope_head_dim": 8, "q_lora_rank": 16, "kv_lora_rank": 16, "rotary_dim": 4, "index_head_dim": 16,
    "d_head": 8, "index_n_heads": 2, "index_topk": 64,
    "vocab_size": 199, "n_positions": 96, "n_ctx": 96, "max_position_embeddings": 96, "seq_length": 96,
    "max_source_positions": 60, "max_target_positions": 60, "encoder_vocab_size": 199,
    "decoder_vocab_size": 199, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "image_token_id": 150, "image_token_index": 150, "video_token_id": 151, "video_token_index": 151,
    "audio_token_id": 152, "audio_token_index": 152, "vision_start_token_id": 153,
    "vision_end_token_id": 154, "boi_token_id": 155, "eoi_token_id": 156, "boi_token_index": 155,
    "eoi_token_index": 156, "audio_start_token_id": 157, "audio_end_token_id": 158,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "moe_num_experts": 4, "moe_k": 2,
    "moe_topk": 2, "num_experts_per_token": 2, "first_k_dense_replace": 1, "num_shared_experts": 1,
    "image_size": 32, "patch_size": 8, "num_channels": 3, "in_channels": 3, "in_chans": 3,
    "spatial_merge_size": 2, "temporal_patch_size": 1, "num_frames": 2, "tubelet_size": 1,
    "num_mel_bins": 16, "num_queries": 6, "num_query_tokens": 4, "num_latents": 5, "d_latents": 32,
    "sliding_window": 4, "attention_window": 4, "local_attention_window": 4, "window_size": 4,
    "decoder_start_token_id": 2, "mamba_d_ssm": 64, "mamba_n_heads": 8, "mamba_d_head": 8,
    "mamba_d_state": 8, "mamba_n_groups": 1, "n_mels": 16,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "full_attention_interval": 2, "vision_feature_layer": -1,
    "projection_hidden_size": 32, "share_representation_size": 32, "retriever_proj_size": 16,
}  # fmt: skip
LISTS: dict[str, list[Any]] = {
    "hidden_sizes": [16, 32, 48, 64], "embed_dims": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
    "num_heads": [2, 4, 4, 4], "layers": [1, 1, 1, 1], "embed_dim": [16, 32, 48, 64],
    "encoder_hidden_sizes": [16, 32, 48, 64], "num_attention_heads": [2, 4, 4, 4],
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "xlnet": {"d_head": 8},
    "perceiver": {"d_latents": 32, "num_latents": 5, "num_cross_attention_heads": 4, "num_self_attends_per_block": 2, "num_self_attention_heads": 4, "d_model": 32},
    "whisper": {"max_source_positions": 30},
    "longformer": {"attention_window": [4, 4]},
    "funnel": {"block_sizes": [1, 1], "d_model": 32, "n_head": 4, "d_head": 8, "num_decoder_layers": 1, "block_repeats": [1, 1]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
    "swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "swinv2": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "donut-swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "maskformer-swin": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 4},
    "swin2sr": {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "patch_size": 1, "window_size": 4},
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
}  # fmt: skip
KEEP = ("hidden_act", "activation")


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
            if "mrope_section" in one:
                one["mrope_section"] = [2, 1, 1]
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


def attentions_of(output: Any) -> list[tuple[str, Tensor]]:
    """The weights that an output holds, with their names."""
    found: list[tuple[str, Tensor]] = []

    def walk(name: str, value: Any, inside: bool) -> None:
        if isinstance(value, Tensor):
            if inside and value.ndim == 4 and value.is_floating_point():
                found.append((name, value))
        elif isinstance(value, dict) or hasattr(value, "items"):
            for key, each in value.items():
                walk(f"{name}.{key}" if name else str(key), each, inside or "attention" in str(key))
        elif isinstance(value, (list, tuple)):
            for number, each in enumerate(value):
                walk(f"{name}[{number}]", each, inside)

    walk("", output, False)
    return found


def tensors(output: Any) -> list[Tensor]:
    """All tensors of an output, in order."""
    if isinstance(output, Tensor):
        return [output]
    if hasattr(output, "items"):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [tensor for each in output for tensor in tensors(each)]
    return []


def equal(one: Any, other: Any) -> bool:
    """Whether two outputs are the same to the bit."""
    pairs = list(itertools.zip_longest(tensors(one), tensors(other)))
    return bool(pairs) and all(
        a is not None and b is not None and a.shape == b.shape
        and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in pairs
    )  # fmt: skip


def compare(maps: Any, wanted: list[tuple[str, Tensor]]) -> tuple[int, float, list[str]]:
    """How many of the weights are among the maps, the largest difference, and what is missing."""
    left, worst, missing = list(maps), 0.0, []
    for name, weights in wanted:
        best, place = float("inf"), None
        for number, each in enumerate(left):
            shape = tuple(each.shape)
            if shape != tuple(weights.shape):
                continue
            off = float((each.weights().double() - weights.double()).abs().max())
            if off < best:
                best, place = off, number
        if place is None:
            missing.append(f"{name} {[*weights.shape]} is not among the shapes captured")
        elif not best <= CLOSE:
            missing.append(f"{name} {[*weights.shape]} differs by {best:.2g}")
        else:
            worst = max(worst, best)
            left.pop(place)
    return len(wanted) - len(missing), worst, missing


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


def look(model_type: str) -> dict[str, Any]:
    """One row of the result."""
    row: dict[str, Any] = {"architecture": model_type}
    try:
        model, config = build(model_type)
    except Exception as error:
        return {**row, "state": "not built", "why": _short(error)}
    row["class"] = type(model).__name__
    usual = getattr(model.config, "_attn_implementation", None)
    row["kernel"] = usual
    wanted, given, why = None, None, ""
    for guess in inputs_of(model, config):
        try:
            with torch.no_grad():
                _implementation(model, "eager")
                torch.manual_seed(1)
                eager = model(**guess, output_attentions=True)
        except TypeError as error:
            try:
                with torch.no_grad():
                    torch.manual_seed(1)
                    eager = model(**guess)
            except Exception:
                why = why or _short(error)
                continue
        except Exception as error:
            why = why or _short(error)
            continue
        wanted, given = attentions_of(eager), guess
        break
    if given is None:
        return {**row, "state": "not run", "why": why}
    assert wanted is not None
    try:
        _implementation(model, usual)
        with torch.no_grad():
            torch.manual_seed(1)
            plain = model(**given)
            torch.manual_seed(1)
            with regard.capture(model) as maps:
                seen = model(**given)
        row["maps"] = len(maps)
        row["bit_equal"] = equal(plain, seen)
        row["reference"] = "output_attentions"
        if not wanted and len(maps):
            wanted = written(model, given, usual)
            row["reference"] = "the softmaxes of the eager code"
        if not wanted:
            state = "no reference" if len(maps) else "nothing captured"
            return {**row, "state": state, "why": "eager returns no weights"}
        found, worst, missing = compare(maps if len(maps) else [], wanted)
        if missing and row["reference"] == "output_attentions":
            wanted = eager_of_its_own(model, model_type, given)  # some cannot change it afterwards
            found, worst, missing = compare(maps if len(maps) else [], wanted)
        row |= {"of_eager": len(wanted), "found": found, "worst": worst}
        good = found == len(wanted) and row["bit_equal"]
        row["state"] = "equal" if good else "different"
        if not good:
            row["why"] = "; ".join(missing[:3]) or "outputs differ"
    except Exception as error:
        row |= {"state": "error", "why": _short(error)}
        if os.environ.get("SHOW"):
            traceback.print_exc()
    return row


def written(model: nn.Module, given: dict[str, Any], usual: str | None) -> list[tuple[str, Tensor]]:
    """The softmaxes that the eager code computes; none where that is what runs anyway."""
    if usual == "eager":
        return []
    _implementation(model, "eager")
    with torch.no_grad(), regard.capture(model) as maps:
        torch.manual_seed(1)
        model(**given)
    _implementation(model, usual)
    own = "as the module computed them"
    return [(each.name, each.weights()) for each in maps._session.maps if each.provenance == own]


def eager_of_its_own(
    model: nn.Module, model_type: str, given: dict[str, Any]
) -> list[tuple[str, Tensor]]:
    """What a model says that was built for eager code, with the same parameters."""
    from transformers import AutoModel

    _, config = build(model_type)
    config._attn_implementation = "eager"
    eager = AutoModel.from_config(config, attn_implementation="eager").eval()
    eager.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.manual_seed(1)
        return attentions_of(eager(**given, output_attentions=True))


def _implementation(model: nn.Module, name: str | None) -> None:
    if name is not None and hasattr(model, "set_attn_implementation"):
        model.set_attn_implementation(name)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def transformer_rows() -> list[dict[str, Any]]:
    """`nn.Transformer*` in every flag, against the weights that `nn.MultiheadAttention` returns."""
    rows = []
    for norm_first, batch_first, bias, padded, training in itertools.product(
        (False, True), repeat=5
    ):
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(
            16, 4, 32, dropout=0.0, norm_first=norm_first, batch_first=batch_first, bias=bias
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encoder = nn.TransformerEncoder(layer, 2).train(training)
            x = torch.randn(3, 6, 16) if batch_first else torch.randn(6, 3, 16)
            mask = torch.arange(6) >= torch.tensor([6, 4, 3])[:, None] if padded else None
            name = f"TransformerEncoder norm_first={norm_first} batch_first={batch_first} bias={bias} padded={padded} training={training}"
            with torch.set_grad_enabled(training):
                plain = encoder(x, src_key_padding_mask=mask)
                with regard.capture(encoder) as maps:
                    seen = encoder(x, src_key_padding_mask=mask)
            wanted = _asked(encoder, x, mask)
        real = torch.ones(3, 6, dtype=torch.bool) if mask is None else ~mask
        off = max(
            float(((each.weights() - want) * real[:, None, :, None]).abs().max())
            for each, want in zip(maps, wanted, strict=True)
        )
        good = off <= CLOSE and torch.equal(plain, seen)
        rows.append({"architecture": name, "state": "equal" if good else "different",
                     "maps": len(maps), "worst": off, "bit_equal": torch.equal(plain, seen)})  # fmt: skip
    return rows


def _asked(encoder: Any, x: Tensor, mask: Tensor | None) -> list[Tensor]:
    """What each layer's attention says when it is asked for weights."""
    found = []
    with (
        torch.no_grad(),
        torch.backends.mha.set_fastpath_enabled(False) if False else torch.no_grad(),
    ):
        before = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            for layer in encoder.layers:
                inner = layer.norm1(x) if layer.norm_first else x
                found.append(
                    layer.self_attn(
                        inner, inner, inner, key_padding_mask=mask, average_attn_weights=False
                    )[1]
                )
                x = layer(x, src_key_padding_mask=mask)
        finally:
            torch.backends.mha.set_fastpath_enabled(before)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true", help="print every row, save nothing")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    transformers.logging.set_verbosity_error()
    names = args.only.split(",") if args.only else sorted(MODEL_MAPPING_NAMES)
    rows = []
    started = time.time()
    for name in names:
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(SECONDS)
        try:
            row = look(name)
        except TimeoutError:
            row = {"architecture": name, "state": "not run", "why": f"more than {SECONDS} s"}
        finally:
            signal.alarm(0)
        gc.collect()
        rows.append(row)
        if args.show or row["state"] in ("different", "error", "nothing captured"):
            print({k: v for k, v in row.items() if k not in ("class",)}, flush=True)
    if not args.only:
        rows += transformer_rows()
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    print(counts, f"{time.time() - started:.0f} s")
    if not args.show:
        print(
            save(
                "capture_breadth",
                rows,
                counts=counts,
                versions={"transformers": transformers.__version__},
            )
        )


def _too_long(*_: Any) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
