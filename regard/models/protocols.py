"""What a task requires of a network: one small protocol each, which any network can implement."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from regard.generation.decoder import Decoder
from regard.sequences import Sequences


@runtime_checkable
class Classifies(Protocol):
    """A network that labels texts, as `regard.tasks.classify` trains it.

    One that has `attention_weights(source)` of `[batch, k_len]` shows how much each token counted;
    one that has `forward_sampled` is trained by it.
    """

    def forward(self, source: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        ...


@runtime_checkable
class Tags(Protocol):
    """A network that tags words, as `regard.tasks.tag` trains it.

    One that has `attention_weights(source)` of `[batch, len, len]` shows which words each word
    attended to; one that has `forward_sampled` is trained by it.
    """

    def forward(self, source: Sequences) -> Float[Tensor, "batch len classes"]:
        """Logits of the tags of each word; those at padding are ignored."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """An encoder of tokens, on top of which heads are put."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch len width"]:
        """The vectors of the tokens, zeros at padding."""
        ...

    def summary(
        self, states: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """One vector per text, from those of its tokens."""
        ...


@runtime_checkable
class EncodesImages(Protocol):
    """An encoder of image patches, on top of which heads are put."""

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """The vectors of the first token and of the patches."""
        ...

    def summary(
        self, states: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch summary_dim"]:
        """One vector per image, from those of its tokens."""
        ...


@runtime_checkable
class ClassifiesImages(Protocol):
    """A network that classifies images, as `regard.tasks.image_classify` trains it.

    One that has `attention_weights(images)` of `[batch, rows, columns]` shows how much each patch
    counted; one that has `forward_sampled` is trained by it.
    """

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        ...


@runtime_checkable
class Segments(Protocol):
    """A network that classifies each pixel, as `regard.tasks.segment` trains it.

    One that has `forward_branches(images)`, a pair of the logits and a list of further logits with
    loss weights, is trained by all of them.
    """

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of the classes of each pixel."""
        ...


@runtime_checkable
class Captions(Decoder, Protocol):
    """A network that captions images, as `regard.tasks.caption` trains it.

    One that has `attention_weights(images, target)` of `[batch, q_len, rows, columns]` shows where
    in the image it attended for each output. One that has `features(images, target)` of
    `[batch, q_len, width]` and `features_sampled(images, target, lengths)`, a pair of them and an
    `AuxLoss` or None, is trained through these, which its `output` turns into logits.
    """

    def forward(
        self,
        images: Float[Tensor, "batch channels height width"],
        target: Int[Tensor, "batch q_len"],
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of what follows each token of `target`, which begins with `<s>`."""
        ...

    def encode(self, images: Float[Tensor, "batch channels height width"]) -> Any:
        """What `start` and `step` need of the images, with a row for each."""
        ...


@runtime_checkable
class FillsIn(Protocol):
    """A masked language model, as `regard.tasks.masked_lm` trains it."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token at each place."""
        ...

    def features(self, source: Sequences) -> Float[Tensor, "batch len width"]:
        """The input of its `output`, an `nn.Linear` that returns logits."""
        ...


@runtime_checkable
class SaysInOrder(Protocol):
    """A permutation language model, as `regard.tasks.permutation_lm` trains it.

    One that has `features` and an `output` layer is trained without storing the logits; one that
    has `attention_weights(source, order)` of `[batch, targets, len]` shows what each attended to.
    """

    def forward(
        self, source: Sequences, order: Int[Tensor, "batch len"]
    ) -> Float[Tensor, "batch targets vocab"]:
        """Logits of the tokens with an index in the order, -1 being none, by index.

        They may depend only on tokens without an index or with a lower one.
        """
        ...


@runtime_checkable
class FindsSpans(Protocol):
    """A network that reads a question and a passage as one text and points into it."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch 2 len"]:
        """Logits of each token being the first and the last of the answer."""
        ...


@runtime_checkable
class Translates(Decoder, Protocol):
    """A sequence-to-sequence network, as `regard.tasks.translate` trains it.

    One that has `attention_weights(source, target)` of `[batch, q_len, k_len]` shows which inputs
    each output came from. One that has `features(source, target)` of `[batch, q_len, width]`, which
    its `output`, an `nn.Linear`, turns into logits, is trained without storing these. One that has
    an auxiliary loss returns it with either: `forward_sampled`, and `features_sampled` if it has
    `features`, return a pair of what they are named after and an `AuxLoss` or None.
    """

    def forward(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of what follows each token of `target`, which begins with `<s>`."""
        ...

    def encode(self, source: Sequences) -> Any:
        """What `start` and `step` need of the source, with a row for each sequence."""
        ...


@runtime_checkable
class Continues(Decoder, Protocol):
    """A causal language model, as `regard.tasks.language_model` trains it.

    One that has `attention_weights(tokens)` of `[batch, q_len, q_len]` shows which tokens each one
    attended to. One that has `features(tokens)` of `[batch, q_len, width]`, which its `output`, an
    `nn.Linear`, turns into logits, is trained without storing these.
    """

    def forward(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each, which must not depend on later tokens."""
        ...

    def encode(self, tokens: Int[Tensor, "batch q_len"]) -> Any:
        """What `start` and `step` need of the texts; the last token of each starts the answer."""
        ...


@runtime_checkable
class Matches(Protocol):
    """A network that classifies pairs of texts, as `regard.tasks.match` trains it.

    One that has `attention_weights(left, right)` of `[batch, right_len, left_len]` shows which
    words of the left belong to each of the right; one that has `forward_sampled` is trained by it.
    """

    def forward(self, left: Sequences, right: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        ...


@runtime_checkable
class Answers(Protocol):
    """A network that answers questions about stories, as `regard.tasks.answer` trains it.

    One that has `attention_weights(story, question)` of `[batch, rows, sentences]` shows which
    sentences it attended to; one that has `forward_sampled` is trained by it.
    """

    def forward(self, story: Sequences, question: Sequences) -> Float[Tensor, "batch vocab"]:
        """Logits of the words that may be the answer.

        A story is its words, with the id `end` after every sentence.
        """
        ...


@runtime_checkable
class Extracts(Protocol):
    """A network that finds answers in passages, as `regard.tasks.extract` trains it."""

    def forward(self, passage: Sequences, question: Sequences) -> Float[Tensor, "batch 2 places"]:
        """Logits of where the answer starts and where it ends.

        Index 0 is "no answer", and the words of the passage count from 1; padding is ignored.
        """
        ...


@runtime_checkable
class StartsLinear(Protocol):
    """A network that is trained without its softmax for a given number of examples at first."""

    linear: Tensor
    """The number of examples left until the softmax is used, 0 afterwards."""

    def start_linear(self, questions: int) -> None:
        """Leave the softmax out for this many examples."""
        ...

    def learned(self, questions: int) -> None:
        """Count training examples, over all ranks."""
        ...


@runtime_checkable
class StartsSoft(Protocol):
    """A network whose attention is soft for a given number of training examples at first."""

    def start_soft(self, captions: int) -> None:
        """Sample nothing for this many examples."""
        ...

    def learned(self, captions: int) -> None:
        """Count training examples, over all ranks."""
        ...


@runtime_checkable
class Recommends(Protocol):
    """A network that scores items for users, as `regard.tasks.recommend` trains it.

    One that has `attention_weights(history, candidate)` of `[batch, n, items of the history]`
    shows which items of the history counted.
    """

    def forward(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n"]:
        """The scores of each user's candidates; a history is item ids, oldest first."""
        ...


@runtime_checkable
class TwoTower(Protocol):
    """A recommender whose scores are inner products of a user's vector and an item's.

    It can be trained with a softmax over all items, because a user's vector is computed only once.
    """

    def user(self, history: Sequences) -> Float[Tensor, "batch width"]:
        """The vectors of users with these histories."""
        ...

    @property
    def item_vectors(self) -> Float[Tensor, "items width"]:
        """The vectors of all items."""
        ...


@runtime_checkable
class EmbedsItems(Protocol):
    """A recommender with item embeddings, which `l2` regularizes."""

    @property
    def item_table(self) -> Float[Tensor, "items embed_dim"]:
        """The embedding table, by item id."""
        ...


@runtime_checkable
class DescribesItems(Protocol):
    """A recommender that uses side features of items: their category, their brand ..."""

    def set_item_features(self, features: Int[Tensor, "items columns"]) -> None:
        """Set these features of the items, each an id."""
        ...
