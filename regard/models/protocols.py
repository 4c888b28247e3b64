"""What a task asks of a network: one small protocol each, which a network of anybody's can meet."""

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
        """Logits of the tags of each word; those behind a sentence's end are not looked at."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A network that makes a vector of each token, which others are put upon."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch len width"]:
        """The vectors of the tokens, zeros where there is none."""
        ...

    def summary(
        self, states: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """One vector for each text, from those of its tokens."""
        ...


@runtime_checkable
class EncodesImages(Protocol):
    """A network that makes a vector of each patch of an image, which others are put upon."""

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """The vectors of the first token and of the patches."""
        ...

    def summary(
        self, states: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch summary_dim"]:
        """One vector for each image, from those of its tokens."""
        ...


@runtime_checkable
class ClassifiesImages(Protocol):
    """A network that labels images, as `regard.tasks.image_classify` trains it.

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
    """A network that labels each pixel, as `regard.tasks.segment` trains it.

    One that has `forward_branches(images)`, a pair of the logits and a list of further ones with
    what the loss of each counts, is trained by all of them.
    """

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of the classes of each pixel."""
        ...


@runtime_checkable
class Captions(Decoder, Protocol):
    """A network that writes about images, as `regard.tasks.caption` trains it.

    One that has `attention_weights(images, target)` of `[batch, q_len, rows, columns]` shows where
    in the image it looked for each output. One that has `features(images, target)` of
    `[batch, q_len, width]` and `features_sampled(images, target, lengths)`, a pair of them and an
    `AuxLoss` or None, is trained by these, which its `output` makes logits of.
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
    """A network that says what stands behind a mask, as `regard.tasks.masked_lm` trains it."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token at each place."""
        ...

    def features(self, source: Sequences) -> Float[Tensor, "batch len width"]:
        """What its `output`, an `nn.Linear`, makes logits of."""
        ...


@runtime_checkable
class SaysInOrder(Protocol):
    """A network that reads in any order, as `regard.tasks.permutation_lm` trains it.

    One that has `features` and an `output` layer is trained without keeping the logits; one that
    has `attention_weights(source, order)` of `[batch, targets, len]` shows what each knew.
    """

    def forward(
        self, source: Sequences, order: Int[Tensor, "batch len"]
    ) -> Float[Tensor, "batch targets vocab"]:
        """Logits of the tokens that have a number in the order, -1 being none, by their number.

        What is said of a token must depend on those without a number and with a lower one alone.
        """
        ...


@runtime_checkable
class FindsSpans(Protocol):
    """A network that reads a question and a passage as one text and points into it."""

    def forward(self, source: Sequences) -> Float[Tensor, "batch 2 len"]:
        """Logits of each token's being the first and the last of the answer."""
        ...


@runtime_checkable
class Translates(Decoder, Protocol):
    """A network that reads one sequence and writes another, as `regard.tasks.translate` trains it.

    One that has `attention_weights(source, target)` of `[batch, q_len, k_len]` shows which inputs
    each output came from. One that has `features(source, target)` of `[batch, q_len, width]`, which
    its `output`, an `nn.Linear`, makes logits of, is trained without keeping these logits. One that
    has an auxiliary loss gives it with either: `forward_sampled`, and `features_sampled` if it has
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
    """A network that continues texts, as `regard.tasks.language_model` trains it.

    One that has `attention_weights(tokens)` of `[batch, q_len, q_len]` shows which tokens each one
    knew. One that has `features(tokens)` of `[batch, q_len, width]`, which its `output`, an
    `nn.Linear`, makes logits of, is trained without keeping these logits.
    """

    def forward(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of what follows each token, which must not know of those behind it."""
        ...

    def encode(self, tokens: Int[Tensor, "batch q_len"]) -> Any:
        """What `start` and `step` need of the texts; the last token of each begins the answer."""
        ...


@runtime_checkable
class Matches(Protocol):
    """A network that labels pairs of texts, as `regard.tasks.match` trains it.

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

        A story is its words, with the number `end` behind every sentence.
        """
        ...


@runtime_checkable
class Extracts(Protocol):
    """A network that finds answers in passages, as `regard.tasks.extract` trains it."""

    def forward(self, passage: Sequences, question: Sequences) -> Float[Tensor, "batch 2 places"]:
        """Logits of where the answer begins and where it ends.

        Place 0 is "there is no answer", and the words of the passage count from 1; what is behind a
        passage's end is not looked at.
        """
        ...


@runtime_checkable
class StartsLinear(Protocol):
    """A network that is trained without its softmax at first, for as many examples as is told."""

    linear: Tensor
    """How many examples are left until the softmax is put in, 0 when that is done."""

    def start_linear(self, questions: int) -> None:
        """Leave the softmax out for so many examples."""
        ...

    def learned(self, questions: int) -> None:
        """Count examples that are being learned from, on all ranks."""
        ...


@runtime_checkable
class Recommends(Protocol):
    """A network that scores items for users, as `regard.tasks.recommend` trains it.

    One that has `attention_weights(history, candidate)` of `[batch, n, items of the history]`
    shows what of the history counted.
    """

    def forward(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n"]:
        """The scores of each user's candidates; a history is the numbers of items, oldest first."""
        ...


@runtime_checkable
class TwoTower(Protocol):
    """A recommender whose scores are inner products of a user's vector and an item's.

    It can be trained by a softmax over all items, because a user's vector is needed only once.
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
    """A recommender with a vector for each item of a history, which `l2` keeps small."""

    @property
    def item_table(self) -> Float[Tensor, "items embed_dim"]:
        """The vectors by the numbers of the items."""
        ...


@runtime_checkable
class DescribesItems(Protocol):
    """A recommender that reads the side features of items: their category, their brand ..."""

    def set_item_features(self, features: Int[Tensor, "items columns"]) -> None:
        """Know these features of the items, each a number."""
        ...
