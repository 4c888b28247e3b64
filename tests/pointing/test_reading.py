"""Which word of a question belongs to which of a passage, and where the answer stands."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.attentive_reader import AttentiveReader, AttentiveReaderConfig
from regard.models.lstm import LSTMTagger, LSTMTaggerConfig
from regard.sequences import Sequences

KEYS, VALUES, FIRST, FACTS = 12, 12, 4, 4
VOCAB = FIRST + KEYS + VALUES

Asked = tuple[Sequences, Sequences, Tensor, Tensor]


def shuffled(count: int, most: int, rng: torch.Generator) -> Tensor:
    return torch.rand(count, most, generator=rng).argsort(1)


def asked(count: int, rng: torch.Generator) -> Asked:
    """Passages of keys, each before its value, and questions: one key and two that are not there.

    Also the place of the key in the passage, from 0, and in the question.
    """
    keys = shuffled(count, KEYS, rng)
    values = torch.randint(VALUES, (count, FACTS), generator=rng) + FIRST + KEYS
    passage = torch.stack([keys[:, :FACTS] + FIRST, values], dim=2).flatten(1)
    which = torch.randint(FACTS, (count,), generator=rng)
    place = torch.randint(3, (count,), generator=rng)
    question = keys[:, FACTS : FACTS + 3] + FIRST
    wanted = keys.gather(1, which[:, None]) + FIRST
    question = question.scatter(1, place[:, None], wanted)
    return Sequences(passage), Sequences(question), 2 * which, place


def trained(steps: int) -> AttentiveReader:
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    config = AttentiveReaderConfig.from_entries(
        {"vocab": VOCAB, "embed_dim": 32, "hidden_dim": 32, "dropout": 0.0, "matching": False}
    )
    model = AttentiveReader(config)
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / steps)
        passage, question, key, _ = asked(64, rng)
        logits = model(passage, question)
        # The value stands behind its key, and words count from 1.
        loss = sum(cross_entropy(logits[:, way], key + 2) for way in range(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.slow
def test_a_word_is_aligned_with_itself_and_the_pointers_find_what_stands_behind_it() -> None:
    model = trained(steps=300)
    passage, question, key, place = asked(400, torch.Generator().manual_seed(99))
    found = model(passage, question).argmax(-1)
    assert (found == (key + 2)[:, None]).double().mean() >= 0.95
    looked = model.attention_weights(passage, question)[torch.arange(400), key]
    assert (looked.argmax(-1) == place).double().mean() >= 0.95
    assert looked.gather(1, place[:, None]).mean() >= 0.9


def test_a_word_is_tagged_by_the_one_far_away_that_it_attends_to() -> None:
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    # Read forwards only: what the last word says of the first ones, attention alone can tell.
    config = LSTMTaggerConfig.from_entries(
        {"vocab": 12, "classes": 4, "embed_dim": 16, "hidden_dim": 16, "bidirectional": False}
        | {"dropout": 0.0, "word_dropout": 0.0}
    )
    model = LSTMTagger(config)

    def sentences(count: int, rng: torch.Generator) -> tuple[Sequences, Tensor]:
        words = torch.randint(8, 12, (count, 6), generator=rng)
        last = torch.randint(4, 8, (count, 1), generator=rng)
        return Sequences(torch.cat([words, last], dim=1)), (last - 4).expand(-1, 6)

    optimizer = torch.optim.Adam(model.parameters())
    for step in range(250):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 250)
        source, tags = sentences(32, rng)
        loss = cross_entropy(model(source)[:, :6].mT, tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, tags = sentences(300, torch.Generator().manual_seed(99))
    assert (model.eval()(source)[:, :6].argmax(-1) == tags).double().mean() >= 0.98
    assert model.attention_weights(source)[:, :6, 6].mean() >= 0.9
