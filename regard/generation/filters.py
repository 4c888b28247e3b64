"""Filters: transforms of the logits before a token is sampled.

A filter is called with the logits of each row and the preceding tokens, of the prompt and of the
answer so far, and returns new logits; -inf is a token that is never sampled. Several filters are a
tuple.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor

from regard._printable import shown
from regard.config import Between, Config, LargeCount, Positive, Token

Logits = Float[Tensor, "rows vocab"]
Written = Int[Tensor, "rows len"]
Filter = Callable[[Logits, Written], Logits]
Filters = Filter | tuple["Filters", ...] | list["Filters"]

Probability = Annotated[float, Between(above=0.0, most=1.0)]


@dataclass(frozen=True)
class Temperature(Config):
    """Divide the logits, in float32: below 1 sharpens the distribution, above 1 flattens it.

    >>> Temperature(0.5)(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 0, dtype=torch.long))
    tensor([[2., 4.]])
    """

    temperature: Positive = 1.0

    def __post_init__(self) -> None:
        if self.temperature == 0:
            raise ValueError(
                f"temperature must be above 0, got {self.temperature}; the most probable token is "
                "taken by greedy decoding, or with KeepTopK(1)"
            )
        super().__post_init__()

    def __call__(self, logits: Logits, written: Written) -> Logits:
        return logits.float() / self.temperature


@dataclass(frozen=True)
class KeepTopK(Config):
    """Keep the `k` most probable tokens.

    >>> KeepTopK(1)(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 0, dtype=torch.long))
    tensor([[-inf, 2.]])

    References:
        Fan, Lewis & Dauphin. Hierarchical Neural Story Generation. 2018.
        https://aclanthology.org/P18-1082
    """

    k: LargeCount

    def __call__(self, logits: Logits, written: Written) -> Logits:
        best = logits.topk(min(self.k, logits.shape[-1]), dim=-1)
        return torch.full_like(logits, -inf).scatter(-1, best.indices, best.values)


@dataclass(frozen=True)
class KeepTopP(Config):
    """Keep the fewest tokens whose total probability is at least `p` (nucleus sampling).

    With 1 all tokens are kept.

    >>> logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    >>> KeepTopP(0.7)(logits, torch.zeros(1, 0, dtype=torch.long)).exp()
    tensor([[0.5000, 0.3000, 0.0000]])

    References:
        Holtzman, Buys, Du, Forbes & Choi. The Curious Case of Neural Text Degeneration. 2020.
        https://arxiv.org/abs/1904.09751
    """

    p: Probability

    def __call__(self, logits: Logits, written: Written) -> Logits:
        if self.p == 1.0:
            return logits
        ordered, token = logits.sort(dim=-1, descending=True, stable=True)
        share = torch.softmax(ordered.float(), dim=-1)
        # What stands before a token, so that the one that reaches `p` is kept, and one always is.
        before = share.cumsum(-1) - share
        ordered = ordered.masked_fill(before >= self.p, -inf)
        return torch.empty_like(logits).scatter(-1, token, ordered)


@dataclass(frozen=True)
class KeepMinP(Config):
    """Keep the tokens at least `p` times as probable as the most probable one; all with 0.

    >>> logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    >>> KeepMinP(0.5)(logits, torch.zeros(1, 0, dtype=torch.long)).exp()
    tensor([[0.5000, 0.3000, 0.0000]])

    References:
        Nguyen, Baker, Neo, Roush, Kirsch & Shwartz-Ziv. Turning Up the Heat: Min-p Sampling for
        Creative and Coherent LLM Outputs. 2025. https://arxiv.org/abs/2407.01082
    """

    p: Annotated[float, Between(least=0.0, most=1.0)]

    def __call__(self, logits: Logits, written: Written) -> Logits:
        share = torch.softmax(logits.float(), dim=-1)
        return logits.masked_fill(share < self.p * share.amax(-1, keepdim=True), -inf)


@dataclass(frozen=True)
class RepetitionPenalty(Config):
    """Divide the logits of tokens already in the row by `penalty`, multiply negative ones by it.

    Above 1, tokens that occurred in the prompt or in the answer, once or several times, become
    less probable. Tokens that only an encoder has read do not count.

    >>> RepetitionPenalty(2.0)(torch.tensor([[1.0, -1.0, 3.0]]), torch.tensor([[0, 1, 1]]))
    tensor([[ 0.5000, -2.0000,  3.0000]])

    References:
        Keskar, McCann, Varshney, Xiong & Socher. CTRL: A Conditional Transformer Language Model for
        Controllable Generation. 2019. https://arxiv.org/abs/1909.05858
    """

    penalty: Positive

    def __call__(self, logits: Logits, written: Written) -> Logits:
        found = logits.gather(-1, written)
        found = torch.where(found > 0, found / self.penalty, found * self.penalty)
        return logits.scatter(-1, written, found)


@dataclass(frozen=True)
class ForceFirst(Config):
    """Force the first token after `begin`, such as that of the target language.

    >>> begin = torch.zeros(1, 1, dtype=torch.long)
    >>> ForceFirst(1)(torch.tensor([[1.0, 2.0]]), begin)
    tensor([[-inf, 0.]])
    """

    token: Token

    def __call__(self, logits: Logits, written: Written) -> Logits:
        if written.shape[1] > 1:
            return logits
        if self.token >= logits.shape[-1]:
            raise ValueError(
                f"token {self.token} cannot be forced: there are {logits.shape[-1]} tokens, "
                "numbered from 0"
            )
        found = torch.full_like(logits, -inf)
        found[:, self.token] = 0.0
        return found


def _without_token(logits: Logits) -> int:
    """The number of rows that no token can be taken for."""
    return len(logits) - int((logits > -inf).any(dim=-1).sum())


def filtered(filters: Filters, logits: Logits, written: Written) -> Logits:
    """The logits after a filter, or after several in order.

    Raises `TypeError` for what cannot be called, `ValueError` for a filter that changes the shape
    or leaves no token.

    >>> none = torch.zeros(1, 0, dtype=torch.long)
    >>> filtered((Temperature(0.5), KeepTopK(1)), torch.tensor([[1.0, 2.0]]), none)
    tensor([[-inf, 4.]])
    """
    if isinstance(filters, (tuple, list)):
        for each in filters:
            logits = filtered(each, logits, written)
        return logits
    if not callable(filters):
        raise TypeError(f"a filter must be callable, got {shown(filters)}; () is none")
    found = filters(logits, written)
    if found.shape != logits.shape:
        raise ValueError(
            f"the filter {shown(filters)} made logits of shape {[*found.shape]} of those of shape "
            f"{[*logits.shape]}; it must keep the shape, and give -inf to what it forbids"
        )
    if _without_token(found) > _without_token(logits):
        raise ValueError(
            f"the filter {shown(filters)} leaves no token: all logits of a text are -inf, or nan"
        )
    return found
