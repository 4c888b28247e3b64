"""Which tokens of a text are masked, and what replaces them."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Int

NOT_CHOSEN = -1
"""The target of unselected tokens: none."""
MASKED, REPLACED = 0.8, 0.1
"""Of the selected tokens, the fractions that are masked, and replaced by random tokens."""


@dataclass(frozen=True, eq=False)
class Masking:
    """How tokens are masked: a fraction of them is selected for prediction.

        chosen = max(1, round(share · n)) tokens of n
        each of them becomes [MASK] (80 %), a random token (10 %), or is unchanged (10 %)

    With `begins_word` all tokens of a word are selected together, as many words as fit into that
    number. The selection depends only on the key and the text.

    Args:
        share: fraction of the tokens of a text.
        mask: the id of `[MASK]`.
        ordinary: the ids of random replacements.
        begins_word: whether each id starts a word; None to select tokens individually.

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
        """The masked text, and the targets.

        Args:
            key: such as the seed and the epoch; different keys select different tokens.
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
