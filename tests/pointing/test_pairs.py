"""Which word of one sentence belongs to which of the other: the attention between them says so."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regard.layers import CrossAttention
from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.sequences import Sequences

WORDS, LENGTH, FIRST, TAGS = 20, 6, 4, 8

Pairs = tuple[Sequences, Sequences, Tensor, Tensor]


def shuffled(count: int, most: int, rng: torch.Generator) -> Tensor:
    """Rows of different numbers below `most`."""
    return torch.rand(count, most, generator=rng).argsort(1)


def pairs(count: int, synonyms: bool, rng: torch.Generator) -> Pairs:
    """Left, right, where each right word stands in the left, and whether it does.

    Every other right sentence is the left one in another order, or its synonyms; in the rest two
    words are other ones.
    """
    words, order = shuffled(count, WORDS, rng), shuffled(count, LENGTH, rng)
    left = words[:, :LENGTH]
    right = left.gather(1, order)
    label = torch.arange(count) % 2
    exchanged = (shuffled(count, LENGTH, rng) < 2) & (label == 0)[:, None]
    right = torch.where(exchanged, words[:, LENGTH : 2 * LENGTH], right)
    sides = Sequences(left + FIRST), Sequences(right + FIRST + WORDS * synonyms)
    return *sides, order, label


def trained(attention: str, synonyms: bool, steps: int, seed: int = 0) -> ABCNN:
    """A network that has learned which pairs belong together."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    config = ABCNNConfig(
        vocab=FIRST + 2 * WORDS,
        classes=2,
        embed_dim=16,
        hidden_dim=16,
        layers=1,
        # In another order a word has other neighbours: only windows of one word are the same.
        width=1 if attention == "pooling" else 2,
        max_length=LENGTH,
        attention=attention,
        similarity="cosine",
    )
    model = ABCNN(config)
    with torch.no_grad():
        # Likeness speaks for the second class; a network that begins the other way round may learn
        # to judge as well by setting apart what belongs together.
        model.output.weight.copy_(torch.tensor([[-0.3], [0.3]]).expand_as(model.output.weight))
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - step / steps)
        left, right, _, label = pairs(32, synonyms, rng)
        optimizer.zero_grad()
        cross_entropy(model(left, right), label).backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def judged(model: ABCNN, synonyms: bool) -> tuple[float, float]:
    """How many pairs are judged right, and for how many words the best match is the aligned one."""
    left, right, order, label = pairs(400, synonyms, torch.Generator().manual_seed(99))
    right_ones = (model(left, right).argmax(1) == label).double().mean()
    found = model.attention_weights(left, right).argmax(2) == order
    return right_ones.item(), found[label == 1].double().mean().item()


@pytest.mark.parametrize(
    "attention", ["input", *(pytest.param(n, marks=pytest.mark.slow) for n in ("pooling", "both"))]
)
def test_a_word_matches_itself_wherever_it_stands(attention: str) -> None:
    model = trained(attention, synonyms=False, steps=300)
    right, found = judged(model, synonyms=False)
    assert right >= 0.9 and found >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["input", "pooling"])
def test_a_word_comes_to_match_its_synonym(attention: str) -> None:
    model = trained(attention, synonyms=True, steps=400)
    right, found = judged(model, synonyms=True)
    assert right >= 0.95 and found >= 0.95


def test_cross_attention_fetches_what_belongs_to_the_same_word() -> None:
    torch.manual_seed(0)
    words, tags = nn.Embedding(WORDS, 32), nn.Embedding(TAGS, 32)
    attend, output = CrossAttention(32, 1), nn.Linear(32, TAGS)
    network, rng = nn.ModuleList([words, tags, attend, output]), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(250):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 250)
        left, right, order, _ = pairs(64, False, rng)
        tag = torch.randint(TAGS, left.ids.shape, generator=rng)
        memory = words(left.ids - FIRST) + tags(tag)
        wanted = tag.gather(1, order)[1::2]
        found = output(attend(words(right.ids - FIRST), memory))[1::2]
        optimizer.zero_grad()
        cross_entropy(found.flatten(0, 1), wanted.flatten()).backward()
        optimizer.step()
    left, right, order, _ = pairs(400, False, torch.Generator().manual_seed(99))
    memory = words(left.ids - FIRST) + tags(torch.randint(TAGS, left.ids.shape, generator=rng))
    weights = attend.weights(words(right.ids - FIRST), memory)[1::2, 0]
    assert (weights.argmax(-1) == order[1::2]).double().mean() >= 0.95
    assert weights.gather(2, order[1::2, :, None]).mean() >= 0.95
