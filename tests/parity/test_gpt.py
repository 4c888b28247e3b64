"""GPT-1 and GPT-2 are Hugging Face's, in every option that theirs have."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.models.gpt import GptLM, GptLMConfig, gpt1, gpt2_small
from regard.sequences import Packed, Sequences
from tests.parity.hugging_face import (
    MASK,
    PADDED,
    VOCAB,
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
    "n_embd": 12,
    "n_layer": 3,
    "n_head": 3,
    "n_positions": 9,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "bos_token_id": 3,
}
BOTH: list[dict[str, Any]] = [
    {},
    {"layer_norm_epsilon": 1e-2},
    {"n_layer": 1},
    {"n_head": 1},
    {"n_head": 12},
    {"resid_pdrop": 0.7},
    {"embd_pdrop": 0.7},
    {"attn_pdrop": 0.7},
    {"summary_type": "mean"},
    {"initializer_range": 0.5},
    {"eos_token_id": [3, 5]},
    {"eos_token_id": None},
]
FLIPS = {
    "gpt2": [
        *BOTH,
        {"activation_function": "gelu"},
        {"activation_function": "relu"},
        {"activation_function": "silu"},
        {"n_inner": 17},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"scale_attn_by_inverse_layer_idx": True, "scale_attn_weights": False},
        {"reorder_and_upcast_attn": True},
        {"tie_word_embeddings": False},
    ],
    "openai-gpt": [*BOTH, {"afn": "relu"}, {"afn": "silu"}, {"afn": "swish"}],
}
KINDS = {
    "gpt2": (transformers.GPT2Config, transformers.GPT2Model, transformers.GPT2LMHeadModel),
    "openai-gpt": (
        transformers.OpenAIGPTConfig,
        transformers.OpenAIGPTModel,
        transformers.OpenAIGPTLMHeadModel,
    ),
}
HEADS = {
    "GPT2LMHeadModel": "gpt2",
    "GPT2ForSequenceClassification": "gpt2",
    "GPT2ForTokenClassification": "gpt2",
    "OpenAIGPTLMHeadModel": "openai-gpt",
    "OpenAIGPTForSequenceClassification": "openai-gpt",
}
ASKED = {"input_ids": PADDED.ids, "attention_mask": MASK.long()}
families = pytest.mark.parametrize("family", KINDS)


def config(family: str, **changes: Any) -> Any:
    return KINDS[family][0](**{**TINY, **changes})


def named(changes: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in changes.items()) or "usual"


@pytest.mark.parametrize(
    ("family", "changes"),
    [(family, changes) for family, all_ in FLIPS.items() for changes in all_],
    ids=lambda each: each if isinstance(each, str) else named(each),
)
def test_states_weights_and_gradients_are_theirs(
    family: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    kind = KINDS[family][1]
    theirs = random_network(kind, config(family, **changes))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = theirs(**ASKED, output_hidden_states=True, output_attentions=True)
    pairs = zip(ours.states(PADDED), wanted.hidden_states, strict=True)
    for number, (mine, yours) in enumerate(pairs):
        near_where_real(mine, yours, f"states of layer {number}")
    weights = ours.weights(PADDED)
    for layer, yours in enumerate(wanted.attentions):
        for row, n in enumerate(PADDED.counts.tolist()):
            near(weights[layer, row, :, :n, :n], yours[row, :, :n, :n], f"weights of {layer}")
    found, packed = ours(PADDED), Packed.of(PADDED)
    near(unpacked(ours(packed), packed), found, "packed")
    near(ours(PADDED.ids[:1]), found[:1], "bare numbers")
    same_gradients(ours, theirs, found[MASK], wanted.last_hidden_state[MASK])
    asked = {"input_ids": PADDED.ids[:1]}
    same_after_saving(ours, kind, tmp_path / "ours", asked,
                      "last_hidden_state", found[:1].detach())  # fmt: skip


def test_the_ends_of_answers_are_theirs(tmp_path: Path) -> None:
    kind = transformers.GPT2ForQuestionAnswering
    theirs = random_network(kind, config("gpt2"))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = theirs(**ASKED)
    wanted = torch.stack([wanted.start_logits, wanted.end_logits], 1)
    found, keep = ours(PADDED), MASK[:, None].expand(-1, 2, -1)
    near(found[keep], wanted[keep], "ends")
    same_gradients(ours, theirs, found[keep], wanted[keep])
    asked = {"input_ids": PADDED.ids[:1]}
    same_after_saving(ours, kind, tmp_path / "ours", asked, "start_logits", wanted[:1, 0])


@pytest.mark.parametrize("name", HEADS)
def test_what_is_put_upon_it_is_theirs(name: str, tmp_path: Path) -> None:
    kind = getattr(transformers, name)
    theirs = random_network(kind, config(HEADS[name], num_labels=3))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted, found = theirs(**ASKED).logits, ours(PADDED)
    if found.ndim == 3:
        near_where_real(found, wanted, name)
        same_gradients(ours, theirs, found[MASK], wanted[MASK])
        packed = Packed.of(PADDED)
        near(unpacked(ours(packed), packed), found, "packed")
    else:
        near(found, wanted, name)
        same_gradients(ours, theirs, found, wanted)
        near(ours(Packed.of(PADDED)), wanted, "packed")
    # What is padding is no business of ours: asked for one text, theirs need not know.
    asked = {"input_ids": PADDED.ids[:1]}
    same_after_saving(ours, kind, tmp_path / "ours", asked, "logits", wanted[:1])


@families
def test_an_output_of_its_own_is_read(family: str, tmp_path: Path) -> None:
    kind = KINDS[family][2]
    theirs = random_network(kind, config(family, tie_word_embeddings=False))
    ours = loaded(theirs, tmp_path / "theirs")
    assert not ours.config.tied
    wanted = theirs(**ASKED).logits
    near_where_real(ours(PADDED), wanted, "logits")
    same_after_saving(ours, kind, tmp_path / "ours", ASKED, "logits", wanted)


@pytest.mark.parametrize("classifier_dropout", [0.3, None])
def test_the_dropout_of_a_tagger_is_read(classifier_dropout: Any, tmp_path: Path) -> None:
    changes = {} if classifier_dropout is None else {"classifier_dropout": classifier_dropout}
    kind = transformers.GPT2ForTokenClassification
    theirs = random_network(kind, config("gpt2", **changes))
    assert loaded(theirs, tmp_path).dropout.p == theirs.dropout.p


@pytest.mark.parametrize(("said", "read"), [(3, (3,)), ([3, 5], (3, 5)), (None, ())])
def test_what_ends_a_text_is_read_and_written(said: Any, read: Any, tmp_path: Path) -> None:
    theirs = random_network(KINDS["gpt2"][2], config("gpt2", eos_token_id=said))
    ours = loaded(theirs, tmp_path / "theirs")
    assert ours.config.ends == read
    regard.save(ours, tmp_path / "ours")
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["eos_token_id"] == said


def test_cross_attention_is_refused(tmp_path: Path) -> None:
    random_network(KINDS["gpt2"][1], config("gpt2")).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"add_cross_attention": True}))
    with pytest.raises(ValueError, match="its add_cross_attention is True, which is not computed"):
        regard.load(tmp_path)


def test_the_buffers_of_old_files_are_left_out(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    theirs = random_network(KINDS["gpt2"][2], config("gpt2"))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    old = {n.removeprefix("transformer."): t for n, t in load_file(path).items()}
    old["h.0.attn.bias"], old["h.0.attn.masked_bias"] = torch.ones(1, 1, 9, 9), torch.tensor(-1e4)
    save_file(old, path)
    near_where_real(regard.load(tmp_path)(PADDED), theirs(**ASKED).logits, "logits")


def test_each_of_the_two_is_saved_as_its_own_family(tmp_path: Path) -> None:
    small: dict[str, Any] = {"vocab": 11, "embed_dim": 6, "num_heads": 2, "layers": 2}
    for made, model_type in ((gpt1, "openai-gpt"), (gpt2_small, "gpt2")):
        model = GptLM(made(**small)).eval()
        regard.save(model, tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["model_type"] == model_type
        again = regard.load(tmp_path)
        assert again.config == model.config
        assert torch.equal(again(PADDED.ids % 11), model(PADDED.ids % 11))


@pytest.mark.parametrize(
    "changes",
    [{"band": 2}, {"head_dim": 5}, {"norm": "post", "ff_dim": 7}, {"attention": "cosine"}],
    ids=str,
)
def test_what_they_have_no_word_for_is_saved_in_ours(changes: Any, tmp_path: Path) -> None:
    entries = {"vocab": 11, "embed_dim": 6, "num_heads": 2, "layers": 2, **changes}
    if "attention" in entries:
        entries["attention"] = {"score": "cosine"}
    model = GptLM(GptLMConfig.from_entries(entries)).eval()
    regard.save(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["format"] == 2
    assert torch.equal(regard.load(tmp_path)(PADDED.ids % 11), model(PADDED.ids % 11))


@families
def test_padding_on_the_left_changes_nothing(family: str, tmp_path: Path) -> None:
    ours = loaded(random_network(KINDS[family][2], config(family)), tmp_path)
    left = torch.zeros_like(PADDED.ids)
    for row, (tokens, length) in enumerate(zip(PADDED.ids, PADDED.counts.tolist(), strict=True)):
        left[row, left.shape[1] - length :] = tokens[:length]
    found = Sequences.back(ours(Sequences.where(left, left != 0)), left != 0)
    near(found[left != 0], ours(PADDED)[MASK], "logits")


def test_copied_weights_in_half_precision_are_near(tmp_path: Path) -> None:
    theirs = random_network(KINDS["gpt2"][1], config("gpt2"))
    ours = loaded(theirs, tmp_path).to(torch.bfloat16)
    wanted = theirs(**ASKED).last_hidden_state
    naive = theirs.to(torch.bfloat16)(**ASKED).last_hidden_state
    off = (ours(PADDED)[MASK] - wanted[MASK]).abs().max()
    assert off <= 2 * (naive[MASK] - wanted[MASK]).abs().max()
