"""An attentive reader: two pointers into a passage, to the first and last word of an answer."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Attend, AttentionPool, Dropout, MeanPool
from regard.layers.padded_rnn import padded_rnn
from regard.layers.word_dropout import WordDropout
from regard.models.attention import Attends, across, maker, named
from regard.models.attentive_reader.config import Alignment, AttentiveReaderConfig
from regard.models.pooling import AttentionPooling, attention_pool, pool_dims
from regard.models.recurrent import initialize, recurrent
from regard.sequences import Sequences


class AttentiveReader(nn.Module):
    """Read a question and a passage, and predict where in the passage the answer starts and ends.

        a_i = sum_j w_ij E q_j          w_i = softmax_j(relu(A E p_i) . relu(A E q_j))
        p_1 ... p_n = cells([E p_i ; a_i ; 1 if p_i is a word of the question else 0])
        q_1 ... q_m = cells'(E q_j)
        q = sum_j b_j q_j               b = softmax(u . tanh(V q_j + c))
        P_first = softmax([z_1 ; q W_1 p_i ...]),   P_last = softmax([z_2 ; q W_2 p_i ...])

    This is the document reader of DrQA without its pretrained inputs (word vectors, parts of
    speech, frequencies), and with a hidden layer in the pooling of the question. The learned scores
    z mean "there is no answer" (Levy et al.). Pointing by attention is from pointer networks.

    Args:
        attend: replaces the attention parts named in the configuration, in alignment and pooling:
            one for both, or a function that makes one for each. The alignment takes no mask or
            score_mod from it, because these refer to positions in one sequence.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = AttentiveReaderConfig(vocab=9, embed_dim=6, hidden_dim=5)
    >>> passage, question = Sequences.of([[4, 8, 5], [6]]), Sequences.of([[5, 4], [7, 8]])
    >>> AttentiveReader(config)(passage, question).shape
    torch.Size([2, 2, 4])

    References:
        Chen, Fisch, Weston & Bordes. Reading Wikipedia to Answer Open-Domain Questions. 2017.
        https://arxiv.org/abs/1704.00051
        Vinyals, Fortunato & Jaitly. Pointer Networks. 2015. https://arxiv.org/abs/1506.03134
        Levy, Seo, Choi & Zettlemoyer. Zero-Shot Relation Extraction via Reading Comprehension.
        2017. https://arxiv.org/abs/1706.04115
    """

    config_type: ClassVar[type[AttentiveReaderConfig]] = AttentiveReaderConfig

    def __init__(self, config: AttentiveReaderConfig, attend: Attends = None) -> None:
        super().__init__()
        alignment, pooling = config.alignment, config.pooling
        attending = isinstance(alignment, Alignment) or isinstance(pooling, AttentionPooling)
        if attend is not None and not attending:
            raise ValueError("neither alignment nor pooling attends: leave attend out")
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.words = WordDropout(config.word_dropout, config.unknown)
        self.align: Attend | None = None
        self.compared: nn.Linear | None = None
        if isinstance(alignment, Alignment):
            self.compared = nn.Linear(config.embed_dim, alignment.attention_dim, bias=False)
            self.align = across(maker(alignment, config.dims, attend)())
            config = replace(config, alignment=named(alignment, config.dims, self.align))
        self.pool: AttentionPool | MeanPool = MeanPool()
        if isinstance(pooling, AttentionPooling):
            self.pool = attention_pool(pooling, config.width, attend)
            parts = named(pooling, pool_dims(pooling), self.pool.attend)
            config = replace(config, pooling=parts)
        self.config = config
        self.dropout = Dropout(config.dropout)
        self.passage = recurrent(config, config.read_dim)
        self.question = recurrent(config, config.embed_dim)
        for layers in (self.passage, self.question):
            initialize(layers)
        self.pointers = nn.Linear(config.width, 2 * config.width, bias=False)
        for square in self.pointers.weight.chunk(2):
            nn.init.xavier_uniform_(square)
        self.no_answer = nn.Parameter(torch.zeros(2))

    def forward(self, passage: Sequences, question: Sequences) -> Float[Tensor, "batch 2 places"]:
        """Logits of the first and the last word; index 0 is "no answer", words count from 1.

        They are zeros at padding.
        """
        states = self.dropout(self.encode(passage, question))
        asked = self.pointers(self.asked(question))
        asked = rearrange(asked, "batch (two width) -> batch width two", two=2)
        scores = passage.zero_padding(states @ asked)
        none = self.no_answer.to(scores.dtype).expand(len(scores), 1, 2)
        return rearrange(torch.cat([none, scores], dim=1), "batch places two -> batch two places")

    @torch.no_grad()
    def attention_weights(
        self, passage: Sequences, question: Sequences
    ) -> Float[Tensor, "batch k_len q_len"]:
        """How much each word of the passage attended to each of the question; zeros without."""
        if self.align is None:
            return self.embedding.weight.new_zeros(*passage.ids.shape, question.ids.shape[1])
        query, key = (self._compared(self._embedded(side)) for side in (passage, question))
        found = self.align.weights(query, key, question.mask)
        return passage.zero_padding(rearrange(found, "batch 1 k_len q_len -> batch k_len q_len"))

    @torch.no_grad()
    def question_weights(self, question: Sequences) -> Float[Tensor, "batch q_len"]:
        """The weight of each word of the question in the question vector."""
        found = self.pool.weights(self._asked_states(question), question.mask)
        return rearrange(found, "batch 1 q_len -> batch q_len")

    def encode(self, passage: Sequences, question: Sequences) -> Float[Tensor, "batch k_len width"]:
        """The states of the passage, which know of the question; zeros at padding."""
        told, asked = self._embedded(passage), self._embedded(question)
        known = [told]
        if self.align is not None:
            value = rearrange(asked, "batch q_len width -> batch 1 q_len width")
            found = self.align(self._compared(told), self._compared(asked), value, question.mask)
            known.append(rearrange(found, "batch 1 k_len width -> batch k_len width"))
        if self.config.matching:
            known.append(stands_in(passage, question).to(told.dtype))
        states = padded_rnn(self.passage, torch.cat(known, dim=-1), passage.lengths)
        return passage.zero_padding(states)

    def asked(self, question: Sequences) -> Float[Tensor, "batch width"]:
        """The question as one vector; zeros for an empty question."""
        pooled = self.pool(self._asked_states(question), question.mask)
        return self.dropout(rearrange(pooled, "batch 1 width -> batch width"))

    def _asked_states(self, question: Sequences) -> Float[Tensor, "batch q_len width"]:
        states = padded_rnn(self.question, self._embedded(question), question.lengths)
        return question.zero_padding(states)

    def _embedded(self, side: Sequences) -> Float[Tensor, "batch len embed_dim"]:
        return self.dropout(self.embedding(self.words(side.ids)))

    def _compared(self, x: Tensor) -> Float[Tensor, "batch 1 len attention_dim"]:
        assert self.compared is not None
        return rearrange(self.compared(x).relu(), "batch len width -> batch 1 len width")


def stands_in(passage: Sequences, question: Sequences) -> Float[Tensor, "batch k_len 1"]:
    """Which words of each passage occur in its question, as ones and zeros.

    >>> stands_in(Sequences.of([[4, 8, 4]]), Sequences.of([[5, 4]]))[0, :, 0]
    tensor([1., 0., 1.])
    """
    one = rearrange(passage.ids, "batch k_len -> batch k_len 1")
    other = rearrange(question.ids, "batch q_len -> batch 1 q_len")
    real = rearrange(question.real, "batch q_len -> batch 1 q_len")
    return ((one == other) & real).any(-1, keepdim=True).float()
