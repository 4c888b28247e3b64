"""The recurrent tagger is its formula."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.lstm import LSTMTagger, LSTMTaggerConfig
from regard.normalizers import sparsemax
from regard.scores import Cosine
from regard.sequences import Sequences
from tests.models.lstm.by_the_book import Array, run
from tests.models.lstm.small import LENGTHS, ragged_batch

SIZES: dict[str, Any] = {
    **{"vocab": 20, "classes": 3, "embed_dim": 4, "hidden_dim": 4},
    **{"dropout": 0.0, "word_dropout": 0.0},
}


def small_tagger(attend: Attend | None = None, **choices: Any) -> LSTMTagger:
    torch.manual_seed(0)
    model = LSTMTagger(LSTMTaggerConfig.from_entries(SIZES | choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def tagged(model: LSTMTagger, words: list[int]) -> tuple[Array, Array]:
    """Logits of each word's tag, and how much each word attends to each."""
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    config, n = model.config, len(words)
    layer = [w["embedding.weight"][word] for word in words]
    cells = {name.removeprefix("encoder."): each for name, each in w.items()}
    for number in range(config.layers):
        ways = [run(cells, config.cell, f"l{number}", layer)]
        if config.bidirectional:
            ways.append(run(cells, config.cell, f"l{number}_reverse", layer[::-1])[::-1])
        layer = [np.concatenate(states) for states in zip(*ways, strict=True)]
    mean = np.zeros((n, n))
    if model.attention is not None:
        heads, width = config.attention.num_heads, len(layer[0])
        part = width // heads
        both, bias = w["attention.heads.input.weight"], w["attention.heads.input.bias"]
        q, k, v = (
            [both[s : s + width] @ h + bias[s : s + width] for h in layer]
            for s in (0, width, 2 * width)
        )
        looked = [[] for _ in layer]
        for head in range(heads):
            own = slice(head * part, (head + 1) * part)
            for j in range(n):
                scores = np.array([q[j][own] @ k[i][own] / np.sqrt(part) for i in range(n)])
                weights = np.exp(scores) / np.exp(scores).sum()
                mean[j] += weights / heads
                looked[j].append(sum(weights[i] * v[i][own] for i in range(n)))
        out, at = w["attention.heads.output.weight"], w["attention.heads.output.bias"]
        joined = [out @ np.concatenate(parts) + at for parts in looked]
        layer = [np.concatenate(pair) for pair in zip(layer, joined, strict=True)]
    return np.array([w["output.weight"] @ x + w["output.bias"] for x in layer]), mean


@pytest.mark.parametrize("attention", ["self", "self(num_heads=2)", "none"])
@pytest.mark.parametrize(
    ("cell", "layers", "bidirectional"), [("lstm", 1, True), ("gru", 2, True), ("lstm", 1, False)]
)
def test_logits_and_weights_are_those_of_the_equations(
    attention: str, cell: str, layers: int, bidirectional: bool
) -> None:
    choices = {"cell": cell, "layers": layers, "bidirectional": bidirectional}
    model, batch = small_tagger(attention=attention, **choices), ragged_batch()
    logits, weights = model(batch), model.attention_weights(batch)
    for row, length in enumerate(LENGTHS):
        wanted, looked = tagged(model, batch.ids[row, :length].tolist())
        np.testing.assert_allclose(logits[row, :length].detach(), wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(weights[row, :length, :length], looked, rtol=0, atol=1e-10)
        assert not logits[row, length:].any()


def test_parts_can_be_given_or_named() -> None:
    batch = ragged_batch()
    given = small_tagger(Attend(Cosine(), normalizer=sparsemax))
    named = small_tagger(attention="self(score=cosine, normalizer=sparsemax)")
    assert named.config == given.config
    named.load_state_dict(given.state_dict())
    assert torch.equal(named(batch), given(batch))
    with pytest.raises(ValueError, match="attention is none, so nothing attends: leave attend out"):
        small_tagger(Attend(), attention="none")


def test_a_word_far_away_is_known_only_by_what_attends_or_recurs() -> None:
    one, other = (Sequences(torch.tensor([[first, 5, 6, 7, 8]])) for first in (4, 9))
    attending = small_tagger(bidirectional=False, hidden_dim=4)
    plain = small_tagger(bidirectional=False, attention="none")
    turned = [Sequences(each.ids.flip(1)) for each in (one, other)]
    # Read forwards, the first word does not know of the last one unless it attends to it.
    assert torch.equal(*(plain(each)[0, 0] for each in turned))
    assert not torch.equal(*(attending(each)[0, 0] for each in turned))


def test_heads_that_do_not_share_a_state_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="num_heads 3 does not divide the width of a state, 8"):
        LSTMTaggerConfig.from_entries(SIZES | {"attention": "self(num_heads=3)"})
