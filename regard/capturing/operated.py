"""A call of our own operator: its parts are known, and the operator's own definition weighs it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard._backends import _weights
from regard._backends._call import Call, label
from regard._backends._held import tensors_of
from regard._pairwise import Offset
from regard.capturing.parts import Parts
from regard.capturing.source import Index, Seen, Shape, one_item
from regard.masks import And
from regard.parts import spell
from regard.score_mods import SoftCap
from regard.scores import Cosine, FeatureMapDot, ScaledDot


@dataclass(frozen=True, eq=False)
class Operated:
    """What `bind` made of a call, but for its dropout."""

    query: Tensor
    key: Tensor
    value: Tensor
    score: Any
    score_mod: Any
    mask: Any
    normalizer: Any
    q_offset: Offset

    is_cheap = True

    @property
    def shape(self) -> Shape:
        batch, heads, q_len, _ = self.query.shape
        return batch, heads, q_len, self.key.shape[2]

    @property
    def held(self) -> list[Tensor]:
        """Tensors of the parts, which are not in fields of this."""
        parts = (self.score, self.score_mod, self.mask, self.normalizer)
        return [tensor for part in parts for tensor in tensors_of(part)]

    def call(self) -> Call:
        return Call(
            self.query, self.key, self.value, self.score, self.score_mod, self.mask,
            self.normalizer, 0.0, self.q_offset,
        )  # fmt: skip

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        call = self.call()
        exact = call.exact  # the answer is for people: it is not rounded to the query's type
        call = call.where(
            query=call.query.to(exact), key=call.key.to(exact), value=call.value.to(exact)
        )
        weights = _weights.run(call, heads, rows)
        return weights if item is None else weights[item : item + 1]

    def parts(self, item: int) -> Parts | None:
        call = self.call()
        indices = call.indices
        bias = allowed = None
        numbers: dict[str, float] = {}
        if self.mask is not None:
            allowed = one_item(call.permitted(*indices), item)[0]
        if isinstance(self.score_mod, SoftCap):
            numbers["soft_cap"] = float(self.score_mod.cap)
        elif self.score_mod is not None:
            if not getattr(self.score_mod, "additive", False):
                return None
            b, h, q, k = indices
            zero = torch.zeros((), dtype=call.exact, device=self.query.device)
            nothing = zero.expand(*self.shape)
            bias = one_item(call.modified(nothing, b, h, q, k), item)[0]
        # The temperature of a cosine is its scale; under that name softmax has one too.
        owners = (
            (self.normalizer,) if isinstance(self.score, Cosine) else (self.score, self.normalizer)
        )
        for owner in owners:
            for field, value in vars(owner).items() if hasattr(owner, "__dict__") else ():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    if not field.startswith("_") and field != "training":
                        numbers[field] = float(value)
        query, key = self.query[item], self.key[item]
        if isinstance(self.score, FeatureMapDot):
            query, key = self.score.feature_map(query), self.score.feature_map(key)
        return Parts(
            query,
            key,
            self.value[item],
            _scale(self.score, self.query),
            bias,
            allowed,
            _name("score", self.score),
            _name("normalizer", self.normalizer),
            {**_tensors(self.score), **_of_item(_tensors(self.normalizer), item)},
            numbers,
        )


def seen(call: Call, output: Tensor, partial: bool) -> Seen:
    """The call as it was checked; of `attention_partial` the weights are among these keys alone."""
    source = Operated(
        call.query, call.key, call.value, call.score, call.score_mod, call.mask, call.normalizer,
        call.q_offset,
    )  # fmt: skip
    mechanism = {
        "score": _word("score", call.score),
        "normalizer": _word("normalizer", call.normalizer),
    }
    if call.mask is not None:
        mechanism["mask"] = _word("mask", call.mask)
    if call.score_mod is not None:
        mechanism["score_mod"] = _word("score_mod", call.score_mod)
    how = "recomputed from query and key"
    return Seen(
        source, mechanism, f"{how}, among these keys alone" if partial else how,
        output=output, of_output=lambda gradient: gradient,
    )  # fmt: skip


def _word(role: str, part: Any) -> str:
    """A part as it is spelled; a mask or mod without a spelling by its class."""
    try:
        return spell(role, part)
    except ValueError:
        if isinstance(part, And):
            return f"{_word(role, part.left)} & {_word(role, part.right)}"
        own = isinstance(part, nn.Module) or not hasattr(part, "__name__")
        return _snake(type(part).__name__) if own else label(part)


def _name(role: str, part: Any) -> str:
    """A part's name without its numbers."""
    return _word(role, part).partition("(")[0]


def _snake(name: str) -> str:
    """Spell the name of a class as parts are spelled.

    >>> _snake("LearnedBias")
    'learned_bias'
    """
    return "".join(
        f"_{c.lower()}" if c.isupper() and place and not name[place - 1].isupper() else c.lower()
        for place, c in enumerate(name)
    )


def _scale(score: Any, query: Tensor) -> float:
    if isinstance(score, Cosine):
        return 1.0 / float(score.temperature)
    if not isinstance(score, ScaledDot):
        return 1.0
    return query.shape[-1] ** -0.5 if score.scale is None else float(score.scale)


def _of_item(tensors: dict[str, Tensor], item: int) -> dict[str, Tensor]:
    """Of what has rows for each sequence, as the center of a local attention, this one's."""
    return {
        name: each[min(item, len(each) - 1)] if name == "center" and each.ndim == 3 else each
        for name, each in tensors.items()
    }


def _tensors(score: Any) -> dict[str, Tensor]:
    """What a score holds, by the names that it has there."""
    if isinstance(score, nn.Module):
        return {name: each.detach() for name, each in score.named_parameters()}
    return (
        {name: each.detach() for name, each in vars(score).items() if isinstance(each, Tensor)}
        if hasattr(score, "__dict__")
        else {}
    )
