"""The end-to-end memory network: a question looks at a story again and again, then is answered."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard._typing import Normalizer, Score
from regard.layers import Dropout
from regard.layers.choice import Choice, Reinforce
from regard.masks import Padding
from regard.models.memory.config import MemoryConfig
from regard.models.memory.hop import Hop
from regard.models.memory.sentences import (
    Sentences,
    bag_weights,
    position_weights,
    read,
    times,
)
from regard.normalizers import softmax
from regard.scores import Dot


class MemoryNetwork(nn.Module):
    """Answer a question about a story in hops from sentence to sentence.

        m_i = sum_j l_j * A x_ij + T_A(i)      c_i = sum_j l_j * C x_ij + T_C(i)
        u = sum_j l_j * B q_j                  p_i = softmax_i(u . m_i)
        u <- u + sum_i p_i c_i                 one attention call a hop (layerwise: H u + ...)
        p(answer) = softmax(W u)

    Adjacent tying: A of a hop is C of the one before, B the first A, and W the last C, so answers
    are words of the vocabulary. `l_j` is the place of a word in its sentence, T(i) how long ago the
    sentence was told, both if the configuration says so. A question about an empty story is
    answered from the question alone.

    Linear start: until as many questions have been learned from as `start_linear` was told,
    the softmax of the hops is left out. The count is a buffer, so a checkpoint knows it; whoever
    trains counts with `learned`.

    Hard attention reads one sentence a hop: the likeliest, or while it learns a drawn one. What is
    a linear start for soft attention is a soft one for it.

    Args:
        config: sizes and choices.
        score: how alike are question and sentence? `Dot()` if None.
        normalizer: scores to weights, of a soft attention.

    >>> network = MemoryNetwork(MemoryConfig(vocab=9, embed_dim=4, hops=2)).eval()
    >>> story = torch.tensor([[[4, 5, 6], [7, 5, 0]], [[4, 8, 0], [0, 0, 0]]])
    >>> question, lengths = torch.tensor([[3, 4], [3, 7]]), torch.tensor([2, 1])
    >>> network(story, question, lengths).shape, network.look(story, question, lengths).shape
    (torch.Size([2, 9]), torch.Size([2, 2, 2]))

    References:
        Sukhbaatar, Szlam, Weston & Fergus. End-To-End Memory Networks. 2015.
        https://arxiv.org/abs/1503.08895
    """

    linear: Tensor
    question: nn.Parameter

    def __init__(
        self, config: MemoryConfig, score: Score | None = None, normalizer: Normalizer = softmax
    ) -> None:
        super().__init__()
        self.config = config
        adjacent = config.tying == "adjacent"
        sizes = (config.vocab, config.embed_dim, config.memory_size)
        # Adjacent: what hop k reads as values is what hop k + 1 reads as keys.
        count = config.hops + 1 if adjacent else 2
        tables = [Sentences(*sizes) for _ in range(count)]
        self.memories = nn.ModuleList(tables)
        self.hop = Hop(
            Dot() if score is None else score, normalizer, config.attention, config.estimator
        )
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        if adjacent:
            self.output.weight = tables[-1].words
        else:
            self.question = nn.Parameter(torch.empty(config.vocab, config.embed_dim))
            self.between = nn.Linear(config.embed_dim, config.embed_dim, bias=False)
            for weight in (self.question, self.between.weight, self.output.weight):
                nn.init.normal_(weight, std=0.1)
        learns = config.attention == "hard" and config.estimator == "reinforce"
        self.reinforce = Reinforce() if learns else None
        self.register_buffer("linear", torch.zeros(()))

    def start_linear(self, questions: int) -> None:
        """Leave the softmax out, or be soft before being hard, for so many questions."""
        self.linear.fill_(float(questions))

    def learned(self, questions: int) -> None:
        """Count questions that are being learned from."""
        self.linear.sub_(float(questions)).clamp_(min=0.0)

    def forward(
        self,
        story: Int[Tensor, "batch sentences words"],
        question: Int[Tensor, "batch question_words"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch vocab"]:
        """Logits of the answers.

        Word 0 is padding behind a sentence; `lengths` are the numbers of sentences, None where no
        story is padded.
        """
        logits, _ = self.explore(story, question, lengths)
        return logits

    def explore(
        self,
        story: Int[Tensor, "batch sentences words"],
        question: Int[Tensor, "batch question_words"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch vocab"], Choice | None]:
        """Logits, and what a hard attention that learns by REINFORCE drew for them."""
        state, _, choices = self._hops(story, question, lengths, looking=False)
        choice = None
        if choices:
            chosen = torch.stack([each.log_prob for each in choices]).sum(0)
            choice = Choice(chosen, torch.stack([each.entropy for each in choices]).sum(0))
        return self.output(state), choice

    def look(
        self,
        story: Int[Tensor, "batch sentences words"],
        question: Int[Tensor, "batch question_words"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch hops sentences"]:
        """How much each hop looks at each sentence: its weights, which sum to 1.

        During a linear start they are what the softmax makes of the scores.
        """
        _, looks, _ = self._hops(story, question, lengths, looking=True)
        return torch.stack(looks, dim=1)

    def _hops(
        self, story: Tensor, question: Tensor, lengths: Tensor | None, looking: bool
    ) -> tuple[Float[Tensor, "batch embed_dim"], list[Tensor], list[Choice]]:
        """The state after the last hop, where each hop looked if asked for, and what was drawn."""
        keep, memories = self._remember(story, lengths)
        mask, easy = Padding(keep=keep), float(self.linear) > 0
        state, looks, choices = self._ask(question), [], []
        for hop in range(self.config.hops):
            first = hop if self.config.tying == "adjacent" else 0
            key, value = memories[first], memories[first + 1]
            if looking:
                looks.append(self.hop.weights(state, key, mask))
            found, choice = self.hop(state, key, value, mask, easy)
            if choice is not None:
                choices.append(choice)
            state = (state if self.config.tying == "adjacent" else self.between(state)) + found
        return state, looks, choices

    def _remember(
        self, story: Int[Tensor, "batch sentences words"], lengths: Int[Tensor, " batch"] | None
    ) -> tuple[Bool[Tensor, "batch sentences"], list[Tensor]]:
        """Which sentences are remembered, and what each table makes of them."""
        count = story.shape[1]
        if lengths is None:
            lengths = torch.full((len(story),), count, device=story.device)
        place = torch.arange(count, device=story.device)
        since = rearrange(lengths, "batch -> batch 1") - place
        keep = (since > 0) & (since <= self.config.memory_size)
        words = story.masked_fill(rearrange(~keep, "batch sentences -> batch sentences 1"), 0)
        noise = self.config.noise if self.training else 0.0
        time = times(lengths, count, noise).clamp(max=self.config.memory_size - 1)
        weights = self._weigh(words)
        found = [
            rearrange(
                self.dropout(memory(words, weights, time)),
                "batch sentences dim -> batch 1 sentences dim",
            )
            for memory in self.memories
        ]
        return keep, found

    def _ask(
        self, question: Int[Tensor, "batch question_words"]
    ) -> Float[Tensor, "batch embed_dim"]:
        adjacent = self.config.tying == "adjacent"
        table = self.memories.get_parameter("0.words") if adjacent else self.question
        return read(table, question, self._weigh(question))

    def _weigh(self, words: Tensor) -> Tensor:
        config, dtype = self.config, self.memories.get_parameter("0.words").dtype
        if config.encoding == "bag":
            return bag_weights(words, dtype)
        return position_weights(words, config.embed_dim, dtype, config.variant, config.max_words)
