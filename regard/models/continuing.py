"""Continuing texts: what all decoder-only networks have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import KVCache, Past
from regard.layers.attend import both
from regard.layers.through import through
from regard.masks import Causal
from regard.sequences import Packed, Sequences, texts

NewCache = Callable[..., Past]
"""Makes an empty cache, given `starts`: `KVCache`, or `partial(FixedKVCache, 1024)`."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """Texts to continue, left-padded to end in the last column; decoding starts from it, `last`.

    Args:
        tokens: with padding before the shorter texts.
        starts: how much padding; None if there is none.
        cache: the cache of keys and values; `KVCache` if None.
    """

    tokens: Int[Tensor, "batch len"]
    starts: Int[Tensor, " batch"] | None = None
    cache: NewCache | None = None

    @property
    def last(self) -> Int[Tensor, " batch"]:
        """The last token of each."""
        return self.tokens[:, -1]

    @property
    def read(self) -> Int[Tensor, "batch len"]:
        """The tokens of each, with its last one instead of padding: no token it does not have."""
        if self.starts is None:
            return self.tokens
        place = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        real = place >= rearrange(self.starts, "batch -> batch 1")
        return torch.where(real, self.tokens, rearrange(self.last, "batch -> batch 1"))


@dataclass(frozen=True, eq=False)
class Continued:
    """What was read and generated so far, with the padding of the prompt."""

    tokens: Int[Tensor, "rows len"]
    caches: tuple[Past, ...]
    cache: NewCache | None = None

    @property
    def starts(self) -> Int[Tensor, " rows"] | None:
        """The amount of padding before each row."""
        return self.caches[0].starts


class Continuing(nn.Module):
    """The base of decoders: `encode`, `start` and `step`, which `regard.generation` uses.

    Texts of different lengths are continued in one batch: they end in the same column, no query
    sees the padding before them, and positions count from each text's own beginning. When learned
    positions run out, the older half of a text is dropped, independently of the rest of the batch.

    A network implements `features_after`, has its layers in `decoder` (or implements `new_caches`)
    and a linear layer `output`; with a position table, also `longest`.
    """

    decoder: Any
    output: Any

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """The input of `output` for new tokens that follow those in the caches, and are appended.

        Args:
            positions: the position of each token in its own text, 0 for padding; None if they
                continue from `caches[0].length`.
        """
        raise NotImplementedError

    def weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        raise NotImplementedError

    @torch.no_grad()
    def attention_weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences
    ) -> Float[Tensor, "batch q_len q_len"]:
        """How much each token attended to each: the last layer's mean over its heads."""
        last = self.weights(tokens)[-1]
        mean = reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return texts(tokens).zero_padding(mean)

    @property
    def longest(self) -> int | None:
        """The maximum number of positions; None if there is no limit."""
        return None

    def new_caches(
        self, starts: Int[Tensor, " rows"] | None = None, cache: NewCache | None = None
    ) -> tuple[Past, ...]:
        """An empty cache for each layer."""
        make = KVCache if cache is None else cache
        return tuple(make(starts=starts) for _ in self.decoder)

    def encode(
        self,
        tokens: Int[Tensor, "batch len"] | Sequences | Packed,
        cache: NewCache | None = None,
    ) -> Prompt:
        """Texts to continue, of equal or different lengths. Raises `ValueError` for an empty one.

        Args:
            cache: the cache of keys and values, such as `partial(FixedKVCache, 1024)`.
        """
        source = texts(tokens)
        if isinstance(source, Packed):
            ids = nn.utils.rnn.pad_sequence(source.split(source.ids), batch_first=True)
            source = Sequences(ids, source.lengths)
        if source.ids.shape[1] == 0 or (source.lengths is not None and source.lengths.eq(0).any()):
            raise ValueError("a text to continue must have at least one token, got none")
        ids, starts = source.ids, _padding(source.ids.shape[1] - source.counts)
        if starts is not None:
            ids = ids.gather(
                1, (source.positions - rearrange(starts, "rows -> rows 1")) % ids.shape[1]
            )
        return Prompt(ids, starts, cache)

    def start(self, prompt: Prompt, beams: int) -> Continued:
        """The state after reading all of the prompt but its last token."""
        state = self._read(prompt.tokens[:, :-1], prompt.starts, prompt.cache)
        if beams == 1:
            return state
        rows = torch.arange(len(prompt.tokens), device=prompt.tokens.device)
        rows = repeat(rows, "batch -> (batch beams)", beams=beams)
        caches = tuple(cache.reorder(rows) for cache in state.caches)
        return Continued(state.tokens[rows], caches, state.cache)

    def step(
        self, prompt: Prompt, state: Continued, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], Continued]:
        """Logits of the token after `token`, and the state after it; `state` stays valid."""
        if self._is_full(state):
            state = self._read(state.tokens, state.starts, state.cache)
        caches = tuple(cache.copy() for cache in state.caches)
        new = rearrange(token, "rows -> rows 1")
        x = self.features_after(new, caches, _positions(caches[0], 1, token.device))
        logits = through(self.output, rearrange(x, "rows 1 width -> rows width"))
        return logits, Continued(torch.cat([state.tokens, new], dim=1), caches, state.cache)

    def _is_full(self, state: Continued) -> bool:
        """Whether there is a text that has no position for another token."""
        longest, length = self.longest, state.tokens.shape[1]
        if longest is None or length < longest:
            return False
        return state.starts is None or bool((length - state.starts >= longest).any())

    def _read(
        self,
        tokens: Int[Tensor, "rows len"],
        starts: Int[Tensor, " rows"] | None,
        cache: NewCache | None,
    ) -> Continued:
        """The state after these tokens, or the last half of what positions there are."""
        longest, length = self.longest, tokens.shape[1]
        if longest is not None and length >= longest:
            begun = tokens.new_zeros(len(tokens)) if starts is None else starts
            full = length - begun >= longest
            begun = torch.where(full, length - longest // 2, begun)
            first = int(begun.min()) if len(begun) else length - longest // 2
            tokens, starts = tokens[:, first:], _padding(begun - first)
        caches = self.new_caches(starts, cache)
        if tokens.shape[1]:
            positions = _positions(caches[0], tokens.shape[1], tokens.device)
            self.features_after(tokens, caches, positions)
        return Continued(tokens, caches, cache)


def only_before(source: Sequences | Packed) -> Any:
    """The mask that lets a token see itself and the preceding tokens of its own text.

    Padding comes after the tokens, so none of them sees it anyway.
    """
    return both(source.mask, Causal()) if isinstance(source, Packed) else Causal()


def _padding(starts: Int[Tensor, " rows"]) -> Int[Tensor, " rows"] | None:
    """How much padding stands in front of each row; None where there is none."""
    return starts if bool(starts.any()) else None


def _positions(cache: Past, new: int, device: torch.device) -> Int[Tensor, "rows new"] | None:
    """Where new tokens stand in their own texts, if that is not the same for all."""
    if cache.starts is None:
        return None
    places = torch.arange(cache.length, cache.length + new, device=device)
    return (places - rearrange(cache.starts, "rows -> rows 1")).clamp(min=0)
