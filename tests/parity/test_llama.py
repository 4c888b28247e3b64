"""LLaMA is Hugging Face's, in every option that theirs has."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.generation import greedy
from regard.sequences import Packed, Sequences
from tests.parity.hugging_face import (
    MASK,
    PADDED,
    VOCAB,
    flipped,
    loaded,
    near,
    near_where_real,
    random_network,
    same_after_saving,
    same_gradients,
    transformers,
    unpacked,
)

TINY: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "intermediate_size": 17,
    "max_position_embeddings": 9,
    "attn_implementation": "eager",
}
FLIPS: list[dict[str, Any]] = [
    {},
    {"num_key_value_heads": 3},
    {"num_key_value_heads": None},
    {"num_attention_heads": 6, "num_key_value_heads": 2},
    {"head_dim": 8},
    {"hidden_act": "gelu"},
    {"hidden_act": "gelu_pytorch_tanh"},
    {"hidden_act": "relu"},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}},
    {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 100.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8,
        }
    },
    {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 100.0,
            "factor": 4.0,
            "original_max_position_embeddings": 8,
        }
    },
    {"attention_bias": True},
    {"mlp_bias": True},
    {"rms_norm_eps": 1e-2},
    {"num_hidden_layers": 1},
    {"attention_dropout": 0.7},
    {"initializer_range": 0.5},
    {"tie_word_embeddings": True},
]
ASKED = {"input_ids": PADDED.ids, "attention_mask": MASK.long()}


def config(**changes: Any) -> Any:
    return transformers.LlamaConfig(**{**TINY, **changes})


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_states_weights_and_gradients_are_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = random_network(transformers.LlamaModel, config(**changes))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = theirs(**ASKED, output_hidden_states=True, output_attentions=True)
    for number, (mine, yours) in enumerate(
        zip(ours.states(PADDED), wanted.hidden_states, strict=True)
    ):
        near_where_real(mine, yours, f"states of layer {number}")
    weights = ours.weights(PADDED)
    for layer, yours in enumerate(wanted.attentions):
        for row, length in enumerate(PADDED.counts.tolist()):
            near(weights[layer, row, :, :length], yours[row, :, :length], f"weights of {layer}")
    found = ours(PADDED)
    packed = Packed.of(PADDED)
    near(unpacked(ours(packed), packed), found, "packed")
    same_gradients(ours, theirs, found[MASK], wanted.last_hidden_state[MASK])
    # What stands in the padding is theirs alone.
    near(
        same_states(ours, transformers.LlamaModel, tmp_path / "ours"),
        wanted.last_hidden_state[MASK],
        "theirs from our folder",
    )


def same_states(ours: Any, kind: Any, folder: Path) -> torch.Tensor:
    regard.save(ours, folder)
    theirs = kind.from_pretrained(folder, attn_implementation="eager").eval()
    return theirs(**ASKED).last_hidden_state[MASK]


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_the_next_token_is_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    kind = transformers.LlamaForCausalLM
    theirs = random_network(kind, config(**changes))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = theirs(**ASKED).logits
    found = ours(PADDED)
    near_where_real(found, wanted, "logits")
    same_gradients(ours, theirs, found[MASK], wanted[MASK])
    near(unpacked(ours(Packed.of(PADDED)), Packed.of(PADDED)), found, "packed")
    row = PADDED.ids[:1]
    same_after_saving(ours, kind, tmp_path / "ours", {"input_ids": row}, "logits", wanted[:1])


@pytest.mark.parametrize("name", ["LlamaForSequenceClassification", "LlamaForTokenClassification"])
def test_labels_are_theirs(name: str, tmp_path: Path) -> None:
    kind = getattr(transformers, name)
    theirs = random_network(kind, config(num_labels=3, pad_token_id=0))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted, found, packed = theirs(**ASKED).logits, ours(PADDED), Packed.of(PADDED)
    if found.ndim == 3:
        near_where_real(found, wanted, name)
        same_gradients(ours, theirs, found[MASK], wanted[MASK])
        near(unpacked(ours(packed), packed), found, "packed")
    else:
        near(found, wanted, name)
        same_gradients(ours, theirs, found, wanted)
        near(ours(packed), wanted, "packed")
    asked = {"input_ids": PADDED.ids[:1]}
    same_after_saving(ours, kind, tmp_path / "ours", asked, "logits", wanted[:1])


def test_the_ends_of_answers_are_theirs(tmp_path: Path) -> None:
    kind = transformers.LlamaForQuestionAnswering
    theirs = random_network(kind, config())
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = theirs(**ASKED)
    wanted = torch.stack([wanted.start_logits, wanted.end_logits], 1)
    found, keep = ours(PADDED), MASK[:, None].expand(-1, 2, -1)
    near(found[keep], wanted[keep], "ends")
    same_gradients(ours, theirs, found[keep], wanted[keep])
    asked = {"input_ids": PADDED.ids[:1]}
    same_after_saving(ours, kind, tmp_path / "ours", asked, "start_logits", wanted[:1, 0])


def test_old_words_for_the_base_are_read(tmp_path: Path) -> None:
    theirs = random_network(transformers.LlamaModel, config())
    ours = loaded(theirs, tmp_path)
    said(tmp_path, rope_parameters=None, rope_theta=7.0, rope_scaling=None)
    assert ours.config.rope_base == 10_000.0 and regard.load(tmp_path).config.rope_base == 7.0


@pytest.mark.parametrize("name", ["rope_parameters", "rope_scaling"])
@pytest.mark.parametrize("kind", ["linear", "dynamic", "longrope"])
def test_stretched_turns_are_refused_by_name(kind: str, name: str, tmp_path: Path) -> None:
    random_network(transformers.LlamaModel, config()).save_pretrained(tmp_path)
    said(tmp_path, rope_parameters=None)
    said(tmp_path, **{name: {"rope_type": kind, "factor": 2.0}})
    with pytest.raises(ValueError, match=f"its rope_type is '{kind}', which is not computed here"):
        regard.load(tmp_path)


SCALED = {
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "llama3 of 32": {"factor": 32.0, "low_freq_factor": 0.5, "high_freq_factor": 3.0},
    "yarn": {"factor": 4.0},
    "yarn, ends given": {"factor": 16.0, "beta_fast": 16.0, "beta_slow": 2.0},
    "yarn, not rounded": {"factor": 4.0, "truncate": False},
    "yarn, two shares": {"factor": 40.0, "mscale": 0.7, "mscale_all_dim": 1.0},
    "yarn, amplitude given": {"factor": 40.0, "attention_factor": 1.25},
    "yarn, none longer": {"factor": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("base", [10_000.0, 500_000.0, 8.0])
@pytest.mark.parametrize("trained", [64, 8192])
@pytest.mark.parametrize("name", SCALED)
def test_stretched_turns_are_theirs(name: str, trained: int, base: float, tmp_path: Path) -> None:
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    kind = name.split(",")[0].split()[0]
    table = {"rope_type": kind, "rope_theta": base, "original_max_position_embeddings": trained,
             **SCALED[name]}  # fmt: skip
    there = config(head_dim=128, rope_parameters=table, max_position_embeddings=4 * trained)
    wanted, amplitude = ROPE_INIT_FUNCTIONS[kind](there, "cpu")
    random_network(transformers.LlamaModel, there).save_pretrained(tmp_path / "theirs")
    ours = regard.load(tmp_path / "theirs")
    rope = ours.decoder.blocks[0].attention.heads.positions
    plain = base ** -(torch.arange(0, 128, 2, dtype=torch.float64) / 128)
    found = rope.scaling(plain, rope.base)
    assert torch.allclose(found.float(), wanted, rtol=2e-5, atol=0)
    assert rope.scaling.amplitude == pytest.approx(amplitude, rel=1e-12)
    regard.save(ours, tmp_path / "ours")
    kept = transformers.AutoConfig.from_pretrained(tmp_path / "ours")
    again, same = ROPE_INIT_FUNCTIONS[kind](kept, "cpu")
    assert torch.equal(again, wanted) and same == pytest.approx(amplitude, rel=1e-12)
    assert regard.load(tmp_path / "ours").config == ours.config


def test_old_files_say_how_turns_are_stretched_beside_the_base(tmp_path: Path) -> None:
    random_network(transformers.LlamaModel, config()).save_pretrained(tmp_path)
    told = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    said(tmp_path, rope_parameters=None, rope_theta=7.0, rope_scaling=told,
         original_max_position_embeddings=16)  # fmt: skip
    read = regard.load(tmp_path).config
    assert read.rope_base == 7.0 and read.rope_scaling.trained == 16
    said(tmp_path, rope_scaling={"type": "yarn", "original_max_position_embeddings": 4},
         max_position_embeddings=32)  # fmt: skip
    assert regard.load(tmp_path).config.rope_scaling.factor == 8.0
    said(tmp_path, rope_scaling={**told, "factor": None})
    with pytest.raises(ValueError, match="rope_parameters of llama3 lack the factor"):
        regard.load(tmp_path)
    said(tmp_path, rope_scaling={**told, "short_factor": [1.0]})
    with pytest.raises(ValueError, match="say 'short_factor', which is not computed"):
        regard.load(tmp_path)


def test_turns_of_a_part_of_a_head_are_refused_by_name(tmp_path: Path) -> None:
    random_network(transformers.LlamaModel, config()).save_pretrained(tmp_path)
    said(tmp_path, rope_parameters={"rope_theta": 9.0, "partial_rotary_factor": 0.5})
    with pytest.raises(ValueError, match="'partial_rotary_factor', which is not computed"):
        regard.load(tmp_path)


def said(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    entries = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: each for key, each in entries.items() if each is not None}))


def test_padding_on_the_left_changes_nothing(tmp_path: Path) -> None:
    ours = loaded(random_network(transformers.LlamaForCausalLM, config()), tmp_path)
    left = torch.zeros_like(PADDED.ids)
    for row, (tokens, length) in enumerate(zip(PADDED.ids, PADDED.counts.tolist(), strict=True)):
        left[row, left.shape[1] - length :] = tokens[:length]
    found = Sequences.back(ours(Sequences.where(left, left != 0)), left != 0)
    near(found[left != 0], ours(PADDED)[MASK], "logits")


def test_copied_weights_in_half_precision_are_near(tmp_path: Path) -> None:
    theirs = random_network(transformers.LlamaModel, config())
    ours = loaded(theirs, tmp_path).to(torch.bfloat16)
    wanted = theirs(**ASKED).last_hidden_state
    naive = theirs.to(torch.bfloat16)(**ASKED).last_hidden_state
    off = (ours(PADDED)[MASK] - wanted[MASK]).abs().max()
    assert off <= 2 * (naive[MASK] - wanted[MASK]).abs().max()


def test_what_is_too_long_is_refused_with_both_numbers(tmp_path: Path) -> None:
    ours = loaded(random_network(transformers.LlamaModel, config()), tmp_path)
    with pytest.raises(ValueError, match=r"10 tokens is longer than the 9 .*\(max_length=9\)"):
        ours(Sequences(torch.ones(1, 10, dtype=torch.long)))
    packed = Packed(torch.ones(1, 12, dtype=torch.long), torch.tensor([9, 3]))
    assert ours(packed).shape == (1, 12, 12)
    with pytest.raises(ValueError, match="11 tokens is longer than the 9"):
        ours(Packed(torch.ones(1, 12, dtype=torch.long), torch.tensor([11, 1])))


def test_in_chunks_and_one_by_one_it_is_the_whole(tmp_path: Path) -> None:
    ours = loaded(random_network(transformers.LlamaForCausalLM, config()), tmp_path)
    tokens = PADDED.ids[:1]
    wanted = ours(tokens)
    for sizes in ([3, 2, 2], [1] * 7, [7]):
        caches, found = ours.new_caches(), []
        for chunk in tokens.split(sizes, dim=1):
            found.append(ours.output(ours.features_after(chunk, caches)))
        near(torch.cat(found, dim=1), wanted, f"logits in {sizes}")


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"attention_bias": True, "tie_word_embeddings": True}], ids=flipped
)
def test_what_is_written_is_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = random_network(transformers.LlamaForCausalLM, config(**changes), spread=0.5)
    ours = loaded(theirs, tmp_path)
    real = ours.encode(PADDED)
    wanted = theirs.generate(
        real.tokens,
        attention_mask=(torch.arange(7) >= real.starts.unsqueeze(1)).long(),
        max_new_tokens=2,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    found = greedy(ours, real, begin=real.last, max_length=2)
    assert [list(each.tokens) for each in found] == wanted[:, 7:].tolist()


@torch.no_grad()
def test_a_text_longer_than_it_reads_is_written_on(tmp_path: Path) -> None:
    ours = loaded(random_network(transformers.LlamaForCausalLM, config()), tmp_path)
    prompt = ours.encode(PADDED)
    found = greedy(ours, prompt, begin=prompt.last, max_length=20)
    assert all(len(each.tokens) == 20 for each in found)
