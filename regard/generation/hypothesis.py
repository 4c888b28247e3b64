"""A finished answer of a beam search."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard.generation.asked import whole

Ends = int | Sequence[int] | None
"""The end token, several alternatives, or None if there is no such token."""


@dataclass(frozen=True)
class Hypothesis:
    """One answer: its tokens without `</s>`, and its log-probability.

    `log_probability` is the sum over the tokens and `</s>`, in nats; `finished` is False for an
    answer that was cut off at the maximum length.
    """

    tokens: tuple[int, ...]
    log_probability: float
    finished: bool

    @classmethod
    def of(cls, written: Sequence[int], log_probability: float, end: Ends) -> "Hypothesis":
        """The tokens up to the first `end`, or the first of several.

        >>> Hypothesis.of([5, 6, 3, 3], -1.5, end=3)
        Hypothesis(tokens=(5, 6), log_probability=-1.5, finished=True)
        """
        ends = ends_of(end)
        for place, token in enumerate(written):
            if token in ends:
                return cls(tuple(written[:place]), log_probability, True)
        return cls(tuple(written), log_probability, False)


def ends_of(end: Ends) -> tuple[int, ...]:
    """The tokens that end an answer; raises unless they are whole numbers from 0.

    >>> ends_of(None), ends_of(3), ends_of([3, 5])
    ((), (3,), (3, 5))
    """
    if end is None:
        return ()
    each = (end,) if isinstance(end, str) or not isinstance(end, Sequence) else end
    return tuple(whole("end", token, 0) for token in each)
