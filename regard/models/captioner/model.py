"""Show, Attend and Tell: a captioning network that attends to the image for each word."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import (
    AuxLoss,
    CoverageLoss,
    Dropout,
    Reinforce,
    ReinforceLoss,
    Sampled,
)
from regard.layers.rank_synchronized import RankSynchronized
from regard.layers.sampling import closed_log, sample_keys
from regard.layers.stacked_lstm import STATES, LSTMLayer
from regard.layers.steps import Tensors, over_steps
from regard.layers.through import through
from regard.models.attention import Attends, maker, named
from regard.models.captioner.config import CaptionerConfig, HardAttention
from regard.models.resnet.config import ResNetConfig
from regard.models.resnet.model import ResNet
from regard.normalizers import hard
from regard.parts import Dims

Images = Float[Tensor, "batch channels height width"]
Rows = Float[Tensor, "rows hidden_dim"]


@dataclass(frozen=True, eq=False)
class Places:
    """What the decoder needs of a batch of images, computed once.

    `keys` are the values projected for the score; `hidden` and `cell` are the decoder's first
    state.
    """

    values: Float[Tensor, "batch 1 k_len annotation_dim"]
    keys: Float[Tensor, "batch 1 k_len attention_dim"]
    hidden: Float[Tensor, "batch hidden_dim"]
    cell: Float[Tensor, "batch hidden_dim"]


@dataclass(frozen=True, eq=False)
class Memory:
    """The decoder's state of every beam, those of an image consecutively."""

    hidden: Rows
    cell: Rows


@dataclass(frozen=True, eq=False)
class Told:
    """Intermediate results along the words of a batch, all `[batch, q_len, ...]`.

    `before` and `after` are the states around each step, `contexts` its attention contexts.
    """

    before: Float[Tensor, "batch q_len hidden_dim"]
    after: Float[Tensor, "batch q_len hidden_dim"]
    contexts: Float[Tensor, "batch q_len annotation_dim"]
    embedded: Float[Tensor, "batch q_len embed_dim"]
    more: tuple[Tensor, ...] = ()
    """What a training step also returns: its weights, or its sample."""


class Captioner(RankSynchronized):
    """Encode an image by a residual network, then caption it, attending before each word.

        a_1 .. a_L = the last feature maps of the network, place by place
        h_0 = tanh(W_h mean(a) + b_h);   c_0 = tanh(W_c mean(a) + b_c)
        e_ti = v^T tanh(W_a a_i + W_d h_{t-1} + b)         one attention call
        z_t = sigmoid(w_b h_{t-1} + b_b) sum_i softmax_i(e_ti) a_i
        h_t, c_t = LSTM([E y_{t-1} ; z_t], h_{t-1}, c_{t-1})
        p(y_t) = softmax(L_o (E y_{t-1} + L_h h_t + L_z z_t))

    Soft attention has the additional loss lambda sum_i (1 - sum_t alpha_ti)^2, so that a sentence
    attends everywhere. Hard attention sees one a_i: in training it is sampled and learned by
    REINFORCE, with a fraction of the sentences seeing the weighted mean; otherwise it is the most
    likely. Until it has been taught as many sentences as `start_soft` was given, all of them see
    the mean: a draw teaches little while the decoder does not use what it sees. The count is a
    buffer, so checkpoints include it; the training loop counts with `learned`, over all ranks.

    It differs from the paper in its encoder (residual, trained with the rest), in its
    initial weights, and in omitting the score's constant, which a softmax cancels.

    Args:
        attend: compares a state with projected annotations, instead of the parts named in the
            configuration.

    >>> from regard.models.resnet import Cifar
    >>> model = Captioner(CaptionerConfig(target_vocab=7, shape=Cifar(depth=8, width=4))).eval()
    >>> images, target = torch.randn(2, 3, 16, 12), torch.tensor([[2, 5, 4], [2, 4, 6]])
    >>> model(images, target).shape, model.attention_weights(images, target).shape
    (torch.Size([2, 3, 7]), torch.Size([2, 3, 4, 3]))

    References:
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel & Bengio. Show, Attend and Tell: Neural
        Image Caption Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
    """

    config_type: ClassVar[type[CaptionerConfig]] = CaptionerConfig

    soft: Tensor | None

    def __init__(self, config: CaptionerConfig, attend: Attends = None) -> None:
        super().__init__()
        looks, width = config.attention, config.hidden_dim
        self.sees = ResNet(
            ResNetConfig(
                channels=config.channels, classes=1, shape=config.shape, block=config.block
            )
        )
        annotation_dim = self.sees.output.in_features
        # Its head says nothing here, and a layer without a gradient would hold up other ranks.
        self.sees.set_submodule("output", nn.Identity())
        self.key = nn.Linear(annotation_dim, looks.attention_dim)
        dims = Dims(width, looks.attention_dim, looks.attention_dim, projected=True)
        self.attend = maker(looks, dims, attend)()
        self.config = replace(config, attention=named(looks, dims, self.attend))
        self.reinforce = Reinforce() if isinstance(looks, HardAttention) else None
        self.register_buffer("soft", None if self.reinforce is None else torch.zeros(()))
        self.hidden = nn.Linear(annotation_dim, width)
        self.cell = nn.Linear(annotation_dim, width)
        self.selector = nn.Linear(width, 1)
        self.embedding = nn.Embedding(config.target_vocab, config.embed_dim)
        self.decoder = LSTMLayer(config.embed_dim, width)
        self.context = nn.Linear(annotation_dim, 4 * width, bias=False)
        self.told_state = nn.Linear(width, config.embed_dim)
        self.told_context = nn.Linear(annotation_dim, config.embed_dim, bias=False)
        self.output = nn.Linear(config.embed_dim, config.target_vocab)
        self.dropout = Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.xavier_uniform_(self.told_state.weight, STATES)
        for gate in self.context.weight.chunk(4):
            nn.init.xavier_uniform_(gate)

    def start_soft(self, captions: int) -> None:
        """Teach hard attention this many captions by the weighted mean; soft attention always."""
        if self.soft is not None:
            self.soft.fill_(float(captions))

    def learned(self, captions: int) -> None:
        """Count training captions, over all ranks."""
        if self.soft is not None:
            self.count_down(self.soft, captions)

    def forward(
        self, images: Images, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of each output, given the previous outputs (`target` starts with `<s>`)."""
        return self.output(self.features(images, target))

    def features(
        self, images: Images, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """The input of the output layer."""
        return self._read(self._tell(self.encode(images), target))

    def features_sampled(
        self,
        images: Images,
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch q_len embed_dim"], AuxLoss | None]:
        """The same with the auxiliary loss of the attention in training.

        Args:
            lengths: of the rows of `target`, all of it if None; padding is not learned from.
        """
        encoded = self.encode(images)
        if not self.training or not target.shape[1] or not self._teaches:
            return self._read(self._tell(encoded, target)), None
        expected = torch.rand(len(target), 1, device=target.device)
        told = self._tell(encoded, target, expected)
        where = torch.ones_like(target, dtype=torch.bool)
        if lengths is not None:
            place = torch.arange(target.shape[1], device=target.device)
            where = place < rearrange(lengths, "batch -> batch 1")
        first, *others = told.more
        if self.reinforce is None:
            looked = (first * where.unsqueeze(-1)).sum(1)
            return self._read(told), CoverageLoss(looked, self._penalty)
        (entropy,) = others
        drawn = Sampled((first * where).sum(1), (entropy * where).sum(1))
        return self._read(told), ReinforceLoss(self.reinforce, drawn)

    @torch.no_grad()
    def attention_weights(
        self, images: Images, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len map_height map_width"]:
        """How much each output attended to each place of the image: maps of exact weights."""
        maps = self._maps(images)
        encoded = self._encoded(maps)
        states = self._tell(encoded, target).before
        query = rearrange(states, "batch q_len width -> batch 1 q_len width")
        weights = self._weights(query, encoded)
        shape = {"height": maps.shape[2], "width": maps.shape[3]}
        return rearrange(weights, "b 1 q_len (height width) -> b q_len height width", **shape)

    def encode(self, images: Images) -> Places:
        """Compute the annotations of the images."""
        return self._encoded(self._maps(images))

    def start(self, encoded: Places, beams: int) -> Memory:
        """The state before the first token, the same for every beam."""
        both = (encoded.hidden, encoded.cell)
        return Memory(*(repeat(x, "batch width -> (batch beams) width", beams=beams) for x in both))

    def step(
        self, encoded: Places, state: Memory, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], Memory]:
        """Logits of the next output after `token`, and the state after that.

        The beams of an image are queries over the same annotations; nothing is copied per beam.
        """
        embedded = self.embedding(token)
        gates = self.decoder.project(embedded.unsqueeze(0))[0]
        context = self._gated(state.hidden, self._look(encoded, state.hidden))
        new = self._advance(gates, context, state)
        return through(self.output, self._deep(new.hidden, context, embedded)), new

    @property
    def _penalty(self) -> float:
        looks = self.config.attention
        return 0.0 if isinstance(looks, HardAttention) else looks.penalty

    @property
    def _teaches(self) -> bool:
        return self.reinforce is not None or self._penalty > 0

    def _maps(self, images: Images) -> Float[Tensor, "batch annotation_dim map_height map_width"]:
        return self.sees.maps(images)[-1]

    def _encoded(self, maps: Float[Tensor, "batch annotation_dim map_height map_width"]) -> Places:
        values = rearrange(maps, "batch width rows columns -> batch 1 (rows columns) width")
        mean = rearrange(values.mean(2), "batch 1 width -> batch width")
        first = (torch.tanh(layer(mean)) for layer in (self.hidden, self.cell))
        return Places(values, self.key(values), *first)

    def _tell(
        self,
        encoded: Places,
        target: Int[Tensor, "batch q_len"],
        expected: Float[Tensor, "batch 1"] | None = None,
    ) -> Told:
        """Go along the words; with numbers from 0 to 1 (`expected`) as an attention learns it."""
        inputs = rearrange(target, "batch q_len -> q_len batch")
        embedded = self.dropout(self.embedding(inputs))
        gates = self.decoder.project(embedded)
        embedded = rearrange(embedded, "q_len batch width -> batch q_len width")
        if not target.shape[1]:
            none = encoded.hidden.unsqueeze(1)[:, :0]
            contexts = none.new_zeros(len(none), 0, encoded.values.shape[-1])
            return Told(none, none, contexts, embedded)

        def step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            before = state[0]
            more: Tensors = ()
            if expected is None:
                seen = self._look(encoded, before)
            else:
                seen, more = self._look_and_learn(encoded, before, expected)
            context = self._gated(before, seen)
            new = self._advance(inputs[0], context, Memory(*state))
            return (new.hidden, new.cell), (before, new.hidden, context, *more)

        _, found = over_steps(step, (encoded.hidden, encoded.cell), (gates,))
        turned = (rearrange(x, "q_len batch ... -> batch q_len ...") for x in found)
        before, after, contexts, *more = turned
        return Told(before, after, contexts, embedded, tuple(more))

    def _look(self, encoded: Places, hidden: Rows) -> Float[Tensor, "rows annotation_dim"]:
        """What each state sees in its image."""
        images = encoded.keys.shape[0]
        beams = hidden.shape[0] // images if images else 1
        query = rearrange(hidden, "(batch beams) width -> batch 1 beams width", beams=beams)
        if self.reinforce is None:
            seen = self.attend(query, encoded.keys, encoded.values)
        else:
            seen = self._weights(query, encoded) @ encoded.values
        return rearrange(seen, "batch 1 beams width -> (batch beams) width")

    def _look_and_learn(
        self, encoded: Places, hidden: Rows, expected: Float[Tensor, "batch 1"]
    ) -> tuple[Float[Tensor, "rows annotation_dim"], tuple[Tensor, ...]]:
        """What each state sees, and its weights, or the log-probability of its draw and entropy."""
        query = rearrange(hidden, "batch width -> batch 1 1 width")
        weights = rearrange(self.attend.weights(query, encoded.keys), "b 1 1 k_len -> b 1 k_len")
        values = rearrange(encoded.values, "batch 1 k_len width -> batch k_len width")
        looks = self.config.attention
        if not isinstance(looks, HardAttention) or self.soft is None:
            return (weights @ values).squeeze(1), (weights.squeeze(1),)
        drawn, sampled = sample_keys(weights)
        mean = (expected < looks.expectation) | (self.soft > 0)
        seen = torch.where(mean.unsqueeze(-1), weights, drawn) @ values
        # What was not drawn has no probability to be raised.
        log_prob = sampled.log_prob.masked_fill(mean.squeeze(1), 0.0)
        return seen.squeeze(1), (log_prob, sampled.entropy)

    def _weights(self, query: Tensor, encoded: Places) -> Float[Tensor, "batch 1 q_len k_len"]:
        """The weights of an attention that has learned: of a hard one a 1 at the likeliest."""
        weights = self.attend.weights(query, encoded.keys)
        return weights if self.reinforce is None else hard(closed_log(weights))

    def _gated(
        self, hidden: Rows, seen: Float[Tensor, "rows annotation_dim"]
    ) -> Float[Tensor, "rows annotation_dim"]:
        return torch.sigmoid(self.selector(hidden)) * seen

    def _advance(
        self,
        gates: Float[Tensor, "rows gates_dim"],
        context: Float[Tensor, "rows annotation_dim"],
        state: Memory,
    ) -> Memory:
        """The next state; `gates` are what the last output contributes."""
        gates = (gates + self.context(context)).unsqueeze(0)
        hidden, cell = self.decoder(gates, state.hidden, state.cell)
        return Memory(hidden[0], cell[0])

    def _read(self, told: Told) -> Float[Tensor, "batch q_len embed_dim"]:
        return self._deep(told.after, told.contexts, told.embedded)

    def _deep(
        self,
        hidden: Float[Tensor, "*rows hidden_dim"],
        context: Float[Tensor, "*rows annotation_dim"],
        embedded: Float[Tensor, "*rows embed_dim"],
    ) -> Float[Tensor, "*rows embed_dim"]:
        """The deep output before the logits."""
        state = self.told_state(self.dropout(hidden))
        return self.dropout(embedded + state + self.told_context(context))
