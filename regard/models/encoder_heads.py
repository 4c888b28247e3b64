"""Heads that all encoders share: text and token classification, and question answering."""

from typing import Any, ClassVar

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Dropout
from regard.models.attention import Attends
from regard.models.first_weights import start_normal
from regard.sequences import Packed, Sequences, of_ids


class EncoderHead(nn.Module):
    """The base: a family's encoder, and a linear layer.

    A family's encoder takes its configuration and returns the states of tokens (`forward`), one
    vector per text (`summary`), and its `weights`.
    """

    encoder_type: ClassVar[Any]
    config_type: ClassVar[Any]
    summarizes: ClassVar[bool] = False
    output_bias: ClassVar[bool] = True

    def __init__(self, config: Any, attend: Attends, outputs: int) -> None:
        super().__init__()
        self.encoder = self.encoder_type(config, attend, summarizes=self.summarizes)
        self.config: Any = self.encoder.config
        self.output = nn.Linear(config.embed_dim, outputs, self.output_bias)
        start_normal(self.output, config.init_std)

    @of_ids
    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.encoder.weights(source)

    @of_ids
    def last_weights(self, source: Sequences | Packed) -> Float[Tensor, "batch q_len k_len"]:
        """The weights of the last layer, averaged over its heads."""
        last = self.weights(source)[-1]
        return reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")

    def joined(self, left: Sequences | Packed, right: Sequences) -> Sequences:
        """Both texts of each pair as one, distinguished by segments if the network has several."""
        if isinstance(left, Packed):
            raise TypeError("pairs are read as two Sequences, got a Packed")
        return Sequences.joined(left, right, told=getattr(self.config, "segments", 1) > 1)


class EncoderClassifier(EncoderHead):
    """Text classification: `softmax(W summary(x) + b)`; a pair is read as one text."""

    summarizes = True

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, config.classes)
        self.dropout = _output_dropout(config)

    @of_ids
    def forward(
        self, source: Sequences | Packed, right: Sequences | None = None
    ) -> Float[Tensor, "rows classes"]:
        """Logits of the labels, of texts or of pairs of texts."""
        return self.output(self.features(source, right))

    @of_ids
    def features(
        self, source: Sequences | Packed, right: Sequences | None = None
    ) -> Float[Tensor, "rows width"]:
        """The input of the output layer: one vector per text or pair."""
        read = source if right is None else self.joined(source, right)
        return self.dropout(self.encoder.summary(self.encoder(read), read))

    @torch.no_grad()
    @of_ids
    def attention_weights(
        self, source: Sequences, right: Sequences | None = None
    ) -> Float[Tensor, "batch *rows k_len"]:
        """How much the summary token attended to each: the last layer, averaged over heads.

        For pairs, how much each token of the right attended to each of the left.
        """
        if right is None:
            return self.encoder.summarizing(self.last_weights(source), source)
        mean = self.last_weights(self.joined(source, right))
        asked, known = source.counts.tolist(), right.counts.tolist()
        found = mean.new_zeros(len(mean), right.ids.shape[1], source.ids.shape[1])
        for row, left, length in zip(range(len(mean)), asked, known, strict=True):
            found[row, :length, :left] = mean[row, left : left + length, :left]
        return found


class EncoderTagger(EncoderHead):
    """Token classification: `softmax(W x_j + b)`."""

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, config.classes)
        self.dropout = _output_dropout(config)

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len classes"]:
        """Logits of each token's label, zeros at padding."""
        return source.zero_padding(self.output(self.dropout(self.encoder(source))))

    @torch.no_grad()
    @of_ids
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch len len"]:
        """How much each token attended to each: the last layer, the mean over its heads."""
        return source.zero_padding(self.last_weights(source))


class EncoderSpans(EncoderHead):
    """Extractive question answering: start and end logits for each token.

    A passage and a question about it are read as one text, the question first.
    """

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__(config, attend, 2)

    @of_ids
    def forward(
        self, source: Sequences | Packed, question: Sequences | None = None
    ) -> Float[Tensor, "batch 2 len"]:
        """Logits of each token being the first and the last of the answer, zeros elsewhere.

        With a question about each passage, only the passage's tokens count, from 1; index 0, the
        first token of all, means "no answer".
        """
        read = source if question is None else self.joined(question, _one_a_row(source))
        ends = read.zero_padding(self.output(self.encoder(read)))
        if question is None:
            return rearrange(ends, "batch len two -> batch two len")
        passage = _one_a_row(source)
        place = passage.positions + rearrange(question.counts, "batch -> batch 1")
        place = place.clamp(max=ends.shape[1] - 1)
        place = torch.cat([torch.zeros_like(place[:, :1]), place], dim=1)
        index = repeat(place, "batch places -> batch places two", two=2)
        return rearrange(ends.gather(1, index), "batch places two -> batch two places")


def _one_a_row(source: Sequences | Packed) -> Sequences:
    if isinstance(source, Packed):
        raise TypeError("passages with questions are two Sequences, got a Packed")
    return source


def _output_dropout(config: Any) -> Dropout:
    """Of what labels are read from: the encoder's own where nothing is said."""
    given = getattr(config, "output_dropout", None)
    return Dropout(config.dropout if given is None else given)
