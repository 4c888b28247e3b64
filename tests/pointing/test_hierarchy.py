"""One word of a document decides: the network must look at its sentence, and in it at the word.

Every word names one of many classes and one of them is loud. The others' classes stand around it in
every state, and the recurrences start forgetful, so that its own state alone says what is asked;
a recurrence that remembers is content to look beside it.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from regard.models.han import HAN, HANConfig
from regard.models.pooling import AttentionPooling
from regard.sequences import Sequences

pytestmark = pytest.mark.slow

CLASSES, SENTENCES, WORDS = 50, 6, 7
END, FIRST = 3, 4
WIDTH = 12


def documents(count: int) -> tuple[Sequences, Tensor, Tensor]:
    """Documents, their labels, and the place of the word that says the label."""
    words = torch.randint(FIRST, FIRST + CLASSES, (count, SENTENCES, WORDS + 1))
    words[:, :, -1] = END
    label, rows = torch.randint(CLASSES, (count,)), torch.arange(count)
    sentence, word = torch.randint(SENTENCES, (count,)), torch.randint(WORDS, (count,))
    words[rows, sentence, word] = FIRST + CLASSES + label
    return Sequences(words.flatten(1)), label, sentence * (WORDS + 1) + word


def forgetful(model: HAN) -> None:
    """Open the update gates and take out what the states before contribute."""
    with torch.no_grad():
        for level in model.document:
            level.encoder.cells.gate_bias[..., WIDTH:] = 2.0
            level.encoder.cells.gate_weight.zero_()
            level.encoder.cells.candidate_weight.zero_()


def test_the_network_points_at_the_sentence_that_decides_and_in_it_at_the_word() -> None:
    torch.manual_seed(0)
    config = HANConfig(
        vocab=FIRST + 2 * CLASSES,
        classes=CLASSES,
        end=END,
        embed_dim=16,
        hidden_dim=WIDTH,
        word_pooling=AttentionPooling(attention_dim=16),
        sentence_pooling=AttentionPooling(attention_dim=16),
        dropout=0.0,
        word_dropout=0.0,
    )
    model = HAN(config)
    forgetful(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(160):
        source, label, _ = documents(48)
        optimizer.zero_grad()
        F.cross_entropy(model(source), label).backward()
        optimizer.step()
    source, label, place = documents(400)
    assert (model(source).argmax(1) == label).float().mean() >= 0.95
    sentence, word = place // (WORDS + 1), place % (WORDS + 1)
    rows = torch.arange(len(place))
    of_words, of_sentences = (
        found.reshape(-1, SENTENCES, WORDS + 1) for found in model.weights_by_level(source)
    )
    assert (of_sentences[..., 0].argmax(1) == sentence).float().mean() >= 0.95
    assert (of_words[rows, sentence].argmax(1) == word).float().mean() >= 0.95
    assert (model.attention_weights(source).argmax(1) == place).float().mean() >= 0.95
