"""Three BERTs of chemical reactions (`rxnfp`), in old folders of pickles, made new and compared."""

from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from examples.atom_mapping import read
from regard.models.converting import convert
from regard.sequences import Packed, Sequences
from tests.weights.packages import folder_of

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.weights

REACTIONS = [
    "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
    "CCO.BrCC>>CCOCC",
    "Nc1cccc2cnccc12.O=C(O)c1cc([N+](=O)[O-])c(Sc2c(Cl)cncc2Cl)s1>>"
    "O=C(Nc1cccc2cnccc12)c1cc([N+](=O)[O-])c(Sc2c(Cl)cncc2Cl)s1",
]
KINDS = {
    "bert_pretrained": ("bert_masked_lm", "BertForPreTraining"),
    "bert_ft": ("bert", "BertModel"),
    "bert_ft_10k_25s": ("bert_classifier", "BertForSequenceClassification"),
}


@pytest.fixture(scope="module")
def source() -> Sequences:
    folder = folder_of("rxnfp", "models/transformers/bert_ft")
    vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")
    rows = [["[CLS]", *read(reaction).tokens, "[SEP]"] for reaction in REACTIONS]
    return Sequences.of([[vocabulary.index(token) for token in row] for row in rows])


def both(name: str, made: Path) -> tuple[Any, Any]:
    """Ours from the new folder, theirs from the old one."""
    old = folder_of("rxnfp", "models/transformers", name)
    network, theirs = KINDS[name]
    found = convert(old, made / name, "bert")
    assert found.network == network
    labels = {"num_labels": 50} if network == "bert_classifier" else {}
    kind = getattr(transformers, theirs)
    reference = kind.from_pretrained(old, attn_implementation="eager", **labels).eval()
    return regard.load(made / name), reference


def near(found: torch.Tensor, wanted: torch.Tensor) -> None:
    scale = max(1.0, float(wanted.abs().max()))
    assert found.shape == wanted.shape and (found - wanted).abs().max() <= 1e-5 * scale


@torch.no_grad()
def test_masked_tokens_and_the_next_sentence(source: Sequences, tmp_path: Path) -> None:
    ours, theirs = both("bert_pretrained", tmp_path)
    wanted = theirs(input_ids=source.ids, attention_mask=source.real.long())
    near(ours(source)[source.real], wanted.prediction_logits[source.real])
    near(ours.follows(source), wanted.seq_relationship_logits)
    near(ours(Packed.of(source))[0], wanted.prediction_logits[source.real])
    # It was trained to fill in what is masked, and does.
    hidden = source.ids.clone()
    hidden[0, 3] = 14
    assert ours(Sequences(hidden, source.lengths))[0, 3].argmax() == source.ids[0, 3]


@torch.no_grad()
def test_fingerprints(source: Sequences, tmp_path: Path) -> None:
    ours, theirs = both("bert_ft", tmp_path)
    wanted = theirs(input_ids=source.ids, attention_mask=source.real.long())
    near(ours(source)[source.real], wanted.last_hidden_state[source.real])
    near(source.first(ours(source)), wanted.last_hidden_state[:, 0])


@torch.no_grad()
def test_fifty_classes(source: Sequences, tmp_path: Path) -> None:
    ours, theirs = both("bert_ft_10k_25s", tmp_path)
    assert ours.config.classes == 50
    wanted = theirs(input_ids=source.ids, attention_mask=source.real.long()).logits
    near(ours(source), wanted)
    near(ours(Packed.of(source)), wanted)
    near(torch.cat([ours(Sequences.of([row[:n]])) for row, n in zip(
        source.ids.tolist(), source.counts.tolist(), strict=True)]), wanted)  # fmt: skip
