"""The steps of a generated text as one map: each output attends to everything before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.capturing.attention_map import AttentionMap
from regard.capturing.parts import Parts
from regard.capturing.source import Index, Shape
from regard.errors import UsageError


@dataclass(frozen=True, eq=False)
class Stitched:
    """Calls stacked row by row; keys that a call did not have yet have weight 0.

    Args:
        beams: `[sequences, steps]`, the batch index of each sequence at each of the last steps, -1
            where it had ended; None if entry b is sequence b throughout.
    """

    calls: tuple[AttentionMap, ...]
    beams: Tensor | None = None

    is_cheap = True

    @property
    def shape(self) -> Shape:
        first = self.calls[0].shape
        batch = first[0] if self.beams is None else self.beams.shape[0]
        return (
            batch, first[1], sum(each.shape[2] for each in self.calls),
            max(each.shape[3] for each in self.calls),
        )  # fmt: skip

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        _, _, _, k_len = self.shape
        found, start = [], 0
        wanted = None if rows is None else rows.tolist()
        for number, each in enumerate(self.calls):
            q_len = each.shape[2]
            own = None if wanted is None else [r - start for r in wanted if 0 <= r - start < q_len]
            start += q_len
            if own is not None and not own:
                continue
            weights = each.weights(None if heads is None else heads.tolist(), own)
            weights = self._of_sequences(weights, number)
            weights = weights if item is None else weights[item : item + 1]
            found.append(torch.nn.functional.pad(weights, (0, k_len - weights.shape[-1])))
        joined = torch.cat(found, 2)
        if wanted is None:
            return joined
        order = torch.tensor(sorted(range(len(wanted)), key=lambda place: wanted[place]))
        return joined[:, :, order.argsort()]

    def _of_sequences(self, weights: Tensor, number: int) -> Tensor:
        if self.beams is None:
            return weights
        step = number - (len(self.calls) - self.beams.shape[1])
        entries = self.beams[:, max(0, step)].to(weights.device)
        gone = (entries < 0).view(-1, 1, 1, 1)
        return weights[entries.clamp(min=0)].masked_fill(gone, 0.0)

    def parts(self, item: int) -> Parts | None:
        return None


def stitched(maps: Sequence[AttentionMap], beams: Tensor | None) -> list[AttentionMap]:
    """One map for the calls of each place in the network, in the order of the first calls."""
    steps = len({each.step for each in maps}) > 1
    places: dict[tuple[str, str, int], list[AttentionMap]] = {}
    for each in maps:
        one_by_one = not steps and each.shape[2] == 1
        places.setdefault((each.name, each.kind, 0 if one_by_one else each.call), []).append(each)
    return [_joined(calls, beams) for calls in places.values()]


def _joined(calls: list[AttentionMap], beams: Tensor | None) -> AttentionMap:
    first = calls[0]
    if len(calls) == 1 and beams is None:
        return first
    for each in calls:
        same = 1 if beams is not None else 0
        if each.shape[same:2] != first.shape[same:2]:
            raise UsageError(
                f"{first.name} was called with batch and heads {list(first.shape[:2])} and "
                f"{list(each.shape[:2])}: say in which entry of the batch each sequence was at "
                "each step, stitched(beams=[sequences, steps]), -1 where it had ended."
            )
        if each.rows is not None:
            raise UsageError(
                f"{first.name} was captured with rows={list(each.rows)}: stitching needs all rows."
            )
    source = Stitched(tuple(calls), beams)
    name = first.name, first.kind
    how = f"{first.provenance}, {len(calls)} calls joined"
    return AttentionMap(
        call=0,
        step=first.step,
        shape=source.shape,
        mechanism=first.mechanism,
        provenance=how,
        heads=first.heads,
        rows=None,
        _source=source,
        _guards=[],
        _named=lambda: name,
        _name=name,
    )
