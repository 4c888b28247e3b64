"""The end-to-end memory network: a question attends to a story in several hops."""

from dataclasses import replace
from functools import reduce
from operator import add
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._typing import Normalizer
from regard.layers import Attend, AuxLoss, Dropout, Reinforce, ReinforceLoss, Sampled
from regard.layers.rank_synchronized import RankSynchronized
from regard.masks import Padding
from regard.models.attention import Attends, maker, named
from regard.models.memory.config import (
    BagOfWords,
    HardReading,
    MemoryConfig,
    OfficialPositionEncoding,
)
from regard.models.memory.hop import hop_weights, read_all, read_drawn
from regard.models.memory.sentences import (
    SentenceTable,
    StoryGrid,
    bag_weights,
    position_weights,
    sentence_ages,
    story_grid,
    sum_of_words,
)
from regard.normalizers import GumbelSoftmax, hard, unnormalized
from regard.parts import Dims
from regard.sequences import Sequences


class MemoryNetwork(RankSynchronized):
    """Answer a question about a story in hops from sentence to sentence.

        m_i = sum_j l_j * A x_ij + T_A(i)      c_i = sum_j l_j * C x_ij + T_C(i)
        u = sum_j l_j * B q_j                  p_i = softmax_i(u . m_i)
        u <- u + sum_i p_i c_i                 one attention call per hop (layerwise: H u + ...)
        p(answer) = softmax(W u)

    Adjacent tying: A of a hop is C of the previous one, B the first A, and W the last C, so answers
    are words of the vocabulary. `l_j` encodes the position of a word in its sentence, T(i) the age
    of the sentence, both as configured. A question about an empty story is answered from the
    question alone.

    Linear start: the softmax of the hops is left out for as many training questions as
    `start_linear` was given. The count is a buffer, so checkpoints include it; the training loop
    counts with `learned`, over all ranks.

    Hard attention reads one sentence per hop: the most likely, or in training a sampled one. It
    uses the same linear start, without which two hops are not learned.

    Args:
        config: the configuration.
        attend: replaces the attention parts named in the configuration, the same in all hops.

    >>> network = MemoryNetwork(MemoryConfig(vocab=9, embed_dim=4, hops=2)).eval()
    >>> story = Sequences.of([[4, 5, 6, 3, 7, 5, 3], [4, 8, 3]])
    >>> question = Sequences.of([[5, 4], [5, 7]])
    >>> network(story, question).shape, network.attention_weights(story, question).shape
    (torch.Size([2, 9]), torch.Size([2, 2, 2]))

    References:
        Sukhbaatar, Szlam, Weston & Fergus. End-To-End Memory Networks. 2015.
        https://arxiv.org/abs/1503.08895
    """

    config_type: ClassVar[type[MemoryConfig]] = MemoryConfig

    linear: Tensor
    question: nn.Parameter

    def __init__(self, config: MemoryConfig, attend: Attends = None) -> None:
        super().__init__()
        adjacent = config.tying == "adjacent"
        dims = Dims(config.embed_dim, config.embed_dim, config.embed_dim)
        hop: Attend = maker(config.attention, dims, attend)()
        sizes = (config.vocab, config.embed_dim, config.memory_size)
        # Adjacent: what hop k reads as values is what hop k + 1 reads as keys.
        count = config.hops + 1 if adjacent else 2
        tables = [SentenceTable(*sizes) for _ in range(count)]
        self.memories = nn.ModuleList(tables)
        self.hop = hop
        self.config = replace(config, attention=named(config.attention, dims, hop))
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        if adjacent:
            self.output.weight = tables[-1].words
        else:
            self.question = nn.Parameter(torch.empty(config.vocab, config.embed_dim))
            self.between = nn.Linear(config.embed_dim, config.embed_dim, bias=False)
            for weight in (self.question, self.between.weight, self.output.weight):
                nn.init.normal_(weight, std=0.1)
        reads = config.attention
        drawn = isinstance(reads, HardReading) and reads.estimator == "reinforce"
        self.reinforce = Reinforce() if drawn else None
        self.register_buffer("linear", torch.zeros(()))

    def start_linear(self, questions: int) -> None:
        """Leave out the softmax, or the sampling of hard attention, for this many questions."""
        self.linear.fill_(float(questions))

    def learned(self, questions: int) -> None:
        """Count training questions, over all ranks."""
        self.count_down(self.linear, questions)

    def forward(self, story: Sequences, question: Sequences) -> Float[Tensor, "batch vocab"]:
        """Logits of the answers; a story has the id `end` after every sentence."""
        return self.forward_sampled(story, question)[0]

    def forward_sampled(
        self, story: Sequences, question: Sequences
    ) -> tuple[Float[Tensor, "batch vocab"], AuxLoss | None]:
        """Logits, and the samples from which hard attention learns."""
        grid = self._grid(story)
        state, _, sampled = self._hops(grid, question, weighing=False)
        logits = self.output(state)
        if not sampled or self.reinforce is None:
            return logits, None
        return logits, ReinforceLoss(self.reinforce, reduce(add, sampled))

    @torch.no_grad()
    def attention_weights(
        self, story: Sequences, question: Sequences
    ) -> Float[Tensor, "batch hops sentences"]:
        """How much each hop attends to each sentence: weights that sum to 1, 0 if not in memory.

        During a linear start they are the softmax of the scores.
        """
        grid = self._grid(story)
        _, weights, _ = self._hops(grid, question, weighing=True)
        found = torch.stack(weights, dim=1)
        whole = grid.earlier + grid.counts
        place = torch.arange(found.shape[2], device=found.device)
        place = place + rearrange(grid.earlier, "batch -> batch 1 1")
        place = repeat(place, "batch 1 sentences -> batch hops sentences", hops=found.shape[1])
        longest = int(whole.max()) if len(whole) else 0
        return found.new_zeros(*found.shape[:2], longest).scatter(2, place, found)

    def _grid(self, story: Sequences) -> StoryGrid:
        return story_grid(story, self.config.end, self.config.memory_size)

    def _hops(
        self, grid: StoryGrid, question: Sequences, weighing: bool
    ) -> tuple[Float[Tensor, "batch embed_dim"], list[Tensor], list[Sampled]]:
        """The state after the last hop, the weights of each hop if wanted, and what was drawn."""
        place = torch.arange(grid.words.shape[1], device=grid.words.device)
        mask = Padding(keep=place < rearrange(grid.counts, "batch -> batch 1"))
        memories, state = self._remember(grid), self._ask(question)
        # What is exported has its start behind it.
        easy = not torch.compiler.is_exporting() and float(self.linear) > 0
        shown = hard if isinstance(self.config.attention, HardReading) else None
        weights, sampled = [], []
        for hop in range(self.config.hops):
            first = hop if self.config.tying == "adjacent" else 0
            key, value = memories[first], memories[first + 1]
            if weighing:
                weights.append(hop_weights(self.hop, state, key, mask, shown))
            if self.training and self.reinforce is not None and not easy:
                found, drawn = read_drawn(self.hop, state, key, value, mask)
                sampled.append(drawn)
            else:
                found = read_all(self.hop, state, key, value, mask, self._normalizer(easy))
            state = (state if self.config.tying == "adjacent" else self.between(state)) + found
        return state, weights, sampled

    def _normalizer(self, easy: bool) -> Normalizer | None:
        """What stands in the place of the operator's own where all sentences are read."""
        reads = self.config.attention
        if easy:
            return unnormalized
        if not isinstance(reads, HardReading):
            return None
        return GumbelSoftmax(reads.temperature, hard=True) if self.training else hard

    def _remember(self, grid: StoryGrid) -> list[Float[Tensor, "batch 1 sentences embed_dim"]]:
        """What each table makes of the sentences."""
        noise = self.config.noise if self.training else 0.0
        time = sentence_ages(grid.counts, grid.words.shape[1], noise)
        time = time.clamp(max=self.config.memory_size - 1)
        weights = self._weigh_words(grid.real)
        return [
            rearrange(
                self.dropout(memory(grid.words, weights, time)),
                "batch sentences dim -> batch 1 sentences dim",
            )
            for memory in self.memories
        ]

    def _ask(self, question: Sequences) -> Float[Tensor, "batch embed_dim"]:
        adjacent = self.config.tying == "adjacent"
        table = self.memories.get_parameter("0.words") if adjacent else self.question
        return sum_of_words(table, question.ids, self._weigh_words(question.real))

    def _weigh_words(self, real: Bool[Tensor, "*sentences words"]) -> Tensor:
        encoding, dtype = self.config.encoding, self.memories.get_parameter("0.words").dtype
        if isinstance(encoding, BagOfWords):
            return bag_weights(real, dtype)
        max_words = encoding.max_words if isinstance(encoding, OfficialPositionEncoding) else None
        return position_weights(real, self.config.embed_dim, dtype, max_words)
