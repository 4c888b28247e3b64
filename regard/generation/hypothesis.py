"""A finished answer of a search."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One answer: its tokens without `</s>`, and how probable it is.

    `log_probability` is the sum over the tokens and `</s>`, in nats; `finished` is False for an
    answer that was cut off at the greatest length allowed.
    """

    tokens: tuple[int, ...]
    log_probability: float
    finished: bool

    @classmethod
    def of(cls, written: Sequence[int], log_probability: float, end: int | None) -> "Hypothesis":
        """What was written up to the first `end`.

        >>> Hypothesis.of([5, 6, 3, 3], -1.5, end=3)
        Hypothesis(tokens=(5, 6), log_probability=-1.5, finished=True)
        """
        if end is None or end not in written:
            return cls(tuple(written), log_probability, False)
        return cls(tuple(written[: written.index(end)]), log_probability, True)
