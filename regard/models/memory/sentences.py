"""Stories as sentences, and sentences as vectors: words by position, sentences by age."""

from dataclasses import dataclass
from math import prod

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard.sequences import Sequences


@dataclass(frozen=True, eq=False)
class StoryGrid:
    """The last sentences of stories, one per row.

    Args:
        words: token ids; padding is ignored.
        real: which positions hold a word.
        counts: number of sentences of each story included here.
        earlier: number of sentences of each story before them.
    """

    words: Int[Tensor, "batch sentences words"]
    real: Bool[Tensor, "batch sentences words"]
    counts: Int[Tensor, " batch"]
    earlier: Int[Tensor, " batch"]


def story_grid(story: Sequences, end: int, memory_size: int) -> StoryGrid:
    """The last `memory_size` sentences of each story, split after every `end`.

    A sentence may be empty; the last one needs no `end`.

    >>> story = Sequences.of([[7, 3, 8, 9, 3], [3], []])
    >>> grid = story_grid(story, end=3, memory_size=1)
    >>> grid.words[:, 0].tolist(), grid.counts, grid.earlier
    ([[8, 9], [0, 0], [0, 0]], tensor([1, 1, 0]), tensor([1, 0, 0]))
    """
    ids, place = story.ids, story.positions
    if not ids.numel():
        none = ids.new_zeros(len(ids), 0, 0)
        return StoryGrid(none, none.bool(), ids.new_zeros(len(ids)), ids.new_zeros(len(ids)))
    real, is_end = story.real, ids == end
    ends = is_end & real
    number = ends.cumsum(1) - ends.long()
    counts = torch.where(real, number + 1, 0).amax(1)
    kept = counts.clamp(max=memory_size)
    earlier = counts - kept
    sentence = number - rearrange(earlier, "batch -> batch 1")
    # Where each sentence begins: behind the end of the one before; what is no end tells nothing.
    starts = ids.new_zeros(ids.shape[0], ids.shape[1] + 2)
    behind = torch.where(ends, number + 1, ids.shape[1] + 1)
    begin = starts.scatter(1, behind, (place + 1).expand_as(ids)).gather(1, number)
    if torch.compiler.is_exporting():
        # No shape may depend on what is told: the grid has room for the most that can be.
        kind = torch.where(real & ~is_end, sentence, -1)
        return _widest_grid(ids, kind, place - begin, (kept, earlier), memory_size)
    # The words that stay, counted over the whole batch.
    at = (real & ~is_end & (sentence >= 0)).flatten().nonzero()[:, 0]
    column = (place - begin).take(at)
    shape = (len(ids), int(kept.max()), int(column.max()) + 1 if len(at) else 0)
    row = at // ids.shape[1] * shape[1] + sentence.take(at)
    target = row * shape[2] + column
    words = ids.new_zeros(prod(shape)).index_copy(0, target, ids.take(at))
    held = torch.zeros_like(words, dtype=torch.bool).index_fill(0, target, True)
    return StoryGrid(words.reshape(shape), held.reshape(shape), kept, earlier)


def _widest_grid(
    ids: Int[Tensor, "batch len"],
    sentence: Int[Tensor, "batch len"],
    column: Int[Tensor, "batch len"],
    counts: tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]],
    sentences: int,
) -> StoryGrid:
    """The grid of words in these sentences (below 0: in none) and places, as large as it can be."""
    batch, width = ids.shape
    row = rearrange(torch.arange(batch, device=ids.device), "batch -> batch 1")
    size = batch * sentences * width
    # What is no word goes behind the last cell, which is cut off.
    target = torch.where(sentence >= 0, (row * sentences + sentence) * width + column, size)
    empty, flat = ids.new_zeros(size + 1), target.flatten()
    words = empty.scatter(0, flat, ids.flatten())[:size]
    held = empty.scatter(0, flat, torch.ones_like(flat))[:size] > 0
    shape = (batch, sentences, width)
    return StoryGrid(words.reshape(shape), held.reshape(shape), *counts)


def bag_weights(
    real: Bool[Tensor, "*sentences words"], dtype: torch.dtype
) -> Float[Tensor, "*sentences words 1"]:
    """One for each word, 0 where there is none."""
    return rearrange(real, "... words -> ... words 1").to(dtype)


def position_weights(
    real: Bool[Tensor, "*sentences words"],
    embed_dim: int,
    dtype: torch.dtype,
    max_words: int | None = None,
) -> Float[Tensor, "*sentences words {embed_dim}"]:
    """The weight of word j in component k, for j and k from 1, J words and d components.

        paper     l_kj = (1 - j/J) - (k/d) (1 - 2j/J)
        official  l_kj = 1 + 4 (k - (d + 1)/2) (j - (J + 1)/2) / (d J)        J = max_words

    Words come first; padding has weight 0. With `max_words` it is the official variant.

    >>> position_weights(torch.tensor([True, True, False]), 2, torch.float32)
    tensor([[0.5000, 0.5000],
            [0.5000, 1.0000],
            [0.0000, 0.0000]])
    """
    place = torch.arange(1, real.shape[-1] + 1, device=real.device, dtype=dtype)
    part = torch.arange(1, embed_dim + 1, device=real.device, dtype=dtype) / embed_dim
    if max_words is not None:
        steep = 4 * rearrange(place - (max_words + 1) / 2, "words -> words 1") / max_words
        weights = 1 + steep * (part - (embed_dim + 1) / (2 * embed_dim))
    else:
        share = place / real.sum(-1, keepdim=True).clamp(min=1)
        share = rearrange(share, "... words -> ... words 1")
        weights = (1 - share) - part * (1 - 2 * share)
    return weights * rearrange(real, "... words -> ... words 1")


class SentenceTable(nn.Module):
    """The vector of a sentence: `sum_j l_j * E x_j + T(time)`, embeddings of words and of time.

    Args:
        vocab: vocabulary size.
        embed_dim: width of the vectors.
        memory_size: number of times, 0 the latest.
    """

    def __init__(self, vocab: int, embed_dim: int, memory_size: int) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.empty(vocab, embed_dim))
        self.time = nn.Parameter(torch.empty(memory_size, embed_dim))
        nn.init.normal_(self.words, std=0.1)
        nn.init.normal_(self.time, std=0.1)

    def forward(
        self,
        words: Int[Tensor, "batch sentences words"],
        weights: Float[Tensor, "batch sentences words #embed_dim"],
        time: Int[Tensor, "batch sentences"],
    ) -> Float[Tensor, "batch sentences embed_dim"]:
        return sum_of_words(self.words, words, weights) + nn.functional.embedding(time, self.time)


def sum_of_words(
    table: Float[Tensor, "vocab embed_dim"],
    words: Int[Tensor, "*sentences words"],
    weights: Float[Tensor, "*sentences words #embed_dim"],
) -> Float[Tensor, "*sentences embed_dim"]:
    """The weighted sums of the words' vectors."""
    vectors = nn.functional.embedding(words, table)
    return reduce(vectors * weights, "... words dim -> ... dim", "sum")


def sentence_ages(
    lengths: Int[Tensor, " batch"], sentences: int, noise: float = 0.0
) -> Int[Tensor, "batch {sentences}"]:
    """The age of each sentence, 0 for the last; padding has 0, too.

    With noise, up to `ceil(noise * length)` empty sentences are inserted between the real ones, in
    number and place drawn from torch's generator, so that the real ones seem older.

    >>> sentence_ages(torch.tensor([3, 1]), 3)
    tensor([[2, 1, 0],
            [0, 0, 0]])
    """
    place = torch.arange(sentences, device=lengths.device)
    count = rearrange(lengths, "batch -> batch 1")
    if not noise:
        return (count - 1 - place).clamp(min=0)
    most = torch.ceil(noise * lengths)
    gaps = torch.floor(torch.rand_like(most) * (most + 1)).long()
    ends = count + rearrange(gaps, "batch -> batch 1")
    slots = sentences + int(most.max())
    slot = torch.arange(slots, device=lengths.device)
    draw = torch.rand(len(lengths), slots, device=lengths.device)
    rank = draw.masked_fill(slot >= ends, torch.inf).argsort(-1).argsort(-1)
    taken = torch.where(rank < count, slot, slots).sort(-1).values[:, :sentences]
    return (ends - 1 - taken).clamp(min=0)
