"""BERT is Hugging Face's, in every option that theirs has."""

from pathlib import Path
from typing import Any

import pytest
import torch

import regard
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
    "intermediate_size": 17,
    "max_position_embeddings": 9,
    "attn_implementation": "eager",
}
FLIPS: list[dict[str, Any]] = [
    {},
    {"hidden_act": "gelu_new"},
    {"hidden_act": "relu"},
    {"hidden_act": "silu"},
    {"type_vocab_size": 1},
    {"type_vocab_size": 4},
    {"layer_norm_eps": 1e-2},
    {"num_hidden_layers": 1},
    {"num_attention_heads": 1},
    {"num_attention_heads": 12},
    {"hidden_dropout_prob": 0.7},
    {"attention_probs_dropout_prob": 0.7},
    {"classifier_dropout": 0.7},
    {"pad_token_id": 3},
    {"initializer_range": 0.5},
]
SEGMENTS = torch.tensor([[0, 0, 1, 1, 0, 1, 1], [1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0]])
ASKED = {"input_ids": PADDED.ids, "attention_mask": MASK.long()}
HEADS = {
    "BertForSequenceClassification": "logits",
    "BertForTokenClassification": "logits",
    "BertForMaskedLM": "logits",
    "BertForPreTraining": "prediction_logits",
}


def config(**changes: Any) -> Any:
    return transformers.BertConfig(**{**TINY, **changes})


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_states_weights_and_gradients_are_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = random_network(transformers.BertModel, config(**changes))
    ours = loaded(theirs, tmp_path / "theirs")
    segments = SEGMENTS.clamp(max=changes.get("type_vocab_size", 2) - 1)
    source = Sequences(PADDED.ids, PADDED.counts, segments)
    ask = {**ASKED, "token_type_ids": segments}
    wanted = theirs(**ask, output_hidden_states=True, output_attentions=True)
    for number, (mine, yours) in enumerate(
        zip(ours.states(source), wanted.hidden_states, strict=True)
    ):
        near_where_real(mine, yours, f"states of layer {number}")
    weights = ours.weights(source)
    for layer, yours in enumerate(wanted.attentions):
        for row, length in enumerate(PADDED.counts.tolist()):
            near(weights[layer, row, :, :length], yours[row, :, :length], f"weights of {layer}")
    found = ours(source)
    near(ours.summary(found, source), wanted.pooler_output, "summary")
    packed = Packed.of(source)
    near(unpacked(ours(packed), packed), found, "packed")
    read = found[MASK], wanted.last_hidden_state[MASK]
    same_gradients(ours, theirs, *read)
    same_after_saving(ours, transformers.BertModel, tmp_path / "ours", ask,
                      "pooler_output", wanted.pooler_output)  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_what_is_put_upon_it_is_theirs(name: str, tmp_path: Path) -> None:
    kind = getattr(transformers, name)
    theirs = random_network(kind, config(num_labels=3))
    ours = loaded(theirs, tmp_path / "theirs")
    wanted = getattr(theirs(**ASKED), HEADS[name])
    found = ours(PADDED)
    if found.ndim == 3:
        near_where_real(found, wanted, name)
        same_gradients(ours, theirs, found[MASK], wanted[MASK])
    else:
        near(found, wanted, name)
        same_gradients(ours, theirs, found, wanted)
    if found.ndim == 2:
        near(ours(Packed.of(PADDED)), wanted, "packed")
    same_after_saving(ours, kind, tmp_path / "ours", ASKED, HEADS[name], wanted)


def test_spans_are_theirs(tmp_path: Path) -> None:
    theirs = random_network(transformers.BertForQuestionAnswering, config())
    ours = loaded(theirs, tmp_path)
    wanted = theirs(**ASKED)
    found = ours(PADDED)
    near_where_real(found[:, 0], wanted.start_logits, "beginnings")
    near_where_real(found[:, 1], wanted.end_logits, "ends")


def test_the_next_sentence_is_theirs(tmp_path: Path) -> None:
    theirs = random_network(transformers.BertForPreTraining, config())
    ours = loaded(theirs, tmp_path)
    near(ours.follows(PADDED), theirs(**ASKED).seq_relationship_logits, "next sentence")


def test_an_output_of_its_own_is_read(tmp_path: Path) -> None:
    theirs = random_network(transformers.BertForMaskedLM, config(tie_word_embeddings=False))
    ours = loaded(theirs, tmp_path)
    assert not ours.config.tied
    near_where_real(ours(PADDED), theirs(**ASKED).logits, "logits")


@pytest.mark.parametrize("key", ["is_decoder", "add_cross_attention"])
def test_what_is_not_computed_is_refused(key: str, tmp_path: Path) -> None:
    random_network(transformers.BertModel, config()).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace(f'"{key}": false', f'"{key}": true'))
    with pytest.raises(ValueError, match=f"its {key} is True, which is not computed here"):
        regard.load(tmp_path)


def test_padding_on_the_left_changes_nothing(tmp_path: Path) -> None:
    ours = loaded(random_network(transformers.BertModel, config()), tmp_path)
    left = torch.zeros_like(PADDED.ids)
    for row, (tokens, length) in enumerate(zip(PADDED.ids, PADDED.counts.tolist(), strict=True)):
        left[row, left.shape[1] - length :] = tokens[:length]
    found = Sequences.back(ours(Sequences.where(left, left != 0)), left != 0)
    near(found[left != 0], ours(PADDED)[MASK], "states")


def test_copied_weights_in_half_precision_are_near(tmp_path: Path) -> None:
    theirs = random_network(transformers.BertModel, config())
    ours = loaded(theirs, tmp_path).to(torch.bfloat16)
    wanted = theirs(**ASKED).last_hidden_state
    naive = theirs.to(torch.bfloat16)(**ASKED).last_hidden_state
    off = (ours(PADDED)[MASK] - wanted[MASK]).abs().max()
    assert off <= 2 * (naive[MASK] - wanted[MASK]).abs().max()
