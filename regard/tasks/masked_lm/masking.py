"""Which tokens of a text are hidden, and what stands in their places."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Int

NOT_CHOSEN = -1
"""In the place of what is to be found: nothing."""
MASKED, REPLACED = 0.8, 0.1
"""Of the tokens that are chosen, the shares that are masked, and exchanged for any other."""


@dataclass(frozen=True, eq=False)
class Masking:
    """How tokens are hidden: a share of them is chosen, to be found by the network.

        chosen = max(1, round(share · n)) tokens of n
        each of them becomes [MASK] (80 %), any token (10 %), or stays what it is (10 %)

    With `begins_word` all tokens of a word are chosen together, as many words as fit into that
    number. What is drawn depends on the key and the text alone.

    Args:
        share: of the tokens of a text.
        mask: the number of `[MASK]`.
        ordinary: the numbers that may stand for another.
        begins_word: whether each number begins a word; None where tokens are chosen by themselves.

    >>> masking = Masking(0.25, 4, np.arange(5, 10))
    >>> ids, targets = masking.masked(np.array([5, 6, 7, 8]), (0, 0))
    >>> int((targets != NOT_CHOSEN).sum()), len(ids)
    (1, 4)

    References:
        Devlin, Chang, Lee & Toutanova. BERT: Pre-training of Deep Bidirectional Transformers for
        Language Understanding. 2019. https://arxiv.org/abs/1810.04805
    """

    share: float
    mask: int
    ordinary: Int[np.ndarray, " some"]
    begins_word: Bool[np.ndarray, " vocab"] | None = None

    def masked(
        self, text: Int[np.ndarray, " n"], key: tuple[int, int]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """What is read in the place of a text, and what is to be found there.

        Args:
            key: such as the seed and the epoch; other ones hide other tokens.
        """
        content = np.ascontiguousarray(text, dtype="<i4").tobytes()
        rng = np.random.default_rng([*key, crc32(content)])
        chosen = self._chosen(text, rng)
        targets = np.full(len(text), NOT_CHOSEN, dtype=np.int64)
        targets[chosen] = text[chosen]
        ids, draw = text.astype(np.int64), rng.random(len(chosen))
        ids[chosen[draw < MASKED]] = self.mask
        other = chosen[(draw >= MASKED) & (draw < MASKED + REPLACED)]
        ids[other] = rng.choice(self.ordinary, len(other))
        return ids, targets

    def _chosen(self, text: np.ndarray, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """The places that are chosen, in order."""
        count = max(1, round(self.share * len(text)))
        if self.begins_word is None:
            return np.sort(rng.permutation(len(text))[:count])
        begins = self.begins_word[text].copy()
        begins[0] = True
        starts = np.flatnonzero(begins)
        sizes = np.diff([*starts, len(text)])
        taken: list[int] = []
        for word in rng.permutation(len(starts)).tolist():
            if sizes[word] <= count:
                taken.append(word)
                count -= sizes[word]
            if count <= 0:
                break
        taken = taken or [int(sizes.argmin())]
        return np.sort(np.concatenate([starts[w] + np.arange(sizes[w]) for w in taken]))
