"""What one `with regard.capture(...)` keeps of what is seen."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard.capturing.attention_map import AttentionMap, Computed, Gradient
from regard.capturing.layers import Layers, Wanted
from regard.capturing.modules import Names, Place
from regard.capturing.source import Seen, Shape, Source, tensors_in
from regard.capturing.store import Folder, Guards, Store, spilled
from regard.capturing.undisturbed import undisturbed
from regard.errors import UsageError
from regard.layers.attention_pool import AttentionPool

CROSS = re.compile(
    r"cross|enc_?dec|encoder_attn|multihead_attn|attn2|src_attn|encoder_attention|memory", re.I
)
SELF = re.compile(r"self_?attn|selfattention|self_attention|attn1\b", re.I)
SAME = 1 << 62
"""Stands for the length of keys that are those of the queries, of now and of before."""
AT_LEAST = 16 << 20
"""Bytes up to which query, key and value are kept although their weights are smaller: with them the
arithmetic can be shown."""


@dataclass(frozen=True)
class Limits:
    """What a capture may keep, and where the rest goes."""

    max_bytes: int
    spill: str | Path | None
    gradients: bool


class Session:
    """The maps of one capture while it is on."""

    def __init__(
        self, model: nn.Module | None, layers: Layers, heads: Chosen, rows: Chosen, limits: Limits
    ) -> None:
        self.wanted = Wanted(layers, model)
        self.names = Names(model)
        self.heads, self.rows, self.limits = heads, rows, limits
        self.store = Store()
        self.maps: list[AttentionMap] = []
        self.sites: dict[tuple[int, str, int], int] = {}
        self._site_of: list[int] = []
        self._named: list[Any] = []
        self._lengths: dict[int, int] = {}
        self._folder: Folder | None = None
        self.spilled_bytes = 0
        self.ran: Counter[str] = Counter()
        self.site_names: list[str] = []

    def tell(self, seen: Seen, place: Place) -> None:
        """Keep what was asked for of one attention."""
        site = (id(place.module), place.child, place.call)
        is_new = site not in self.sites
        number = self.sites.setdefault(site, len(self.sites))
        shape = seen.source.shape
        kind = seen.kind or ("pool" if isinstance(place.around, AttentionPool) else "")
        kind = kind or self._by_length(number, shape)
        named = partial(_named, self.names, place, kind)
        if is_new:
            self._named.append(named)
            self._drop_others()
        name = named()[0] if self.wanted.names else ""
        if self.wanted.stays(number, name, len(self.sites)):
            self._keep(seen, shape, number, place, named)

    def _by_length(self, number: int, shape: Shape) -> str:
        """What the lengths tell, with a question mark behind what a name may tell better."""
        _, _, q_len, k_len = shape
        before = self._lengths.get(number, 0)
        if q_len == k_len or 0 < before < k_len:
            before = SAME
        self._lengths[number] = before if before == SAME else k_len
        return "self?" if before == SAME else "cross?"

    def _drop_others(self) -> None:
        """Forget what was kept in case it were among the last ones, and is not."""
        if not self.wanted.from_the_end:
            return
        total = len(self.sites)
        self._retain(lambda number, name: self.wanted.stays(number, name, total))

    def _retain(self, keeps: Any) -> None:
        stay = []
        for map_, number in zip(self.maps, self._site_of, strict=True):
            if keeps(number, map_.name):
                stay.append((map_, number))
            elif not hasattr(map_._source, "path"):
                self.store.forget(map_._source)
        self.maps[:] = [map_ for map_, _ in stay]
        self._site_of[:] = [number for _, number in stay]

    def _keep(self, seen: Seen, shape: Shape, number: int, place: Place, named: Any) -> None:
        heads = _existing(self.heads, shape[1], "heads")
        rows = _existing(self.rows, shape[2], "rows")
        if (heads is not None and not heads) or (rows is not None and not rows):
            return
        kept, guards = self._cheapest(seen.source, shape, heads, rows, named)
        self.maps.append(
            AttentionMap(
                place.call,
                place.step,
                shape,
                seen.mechanism,
                seen.provenance,
                heads,
                rows,
                kept,
                guards,
                named,
                extra=seen.extra,
            )  # fmt: skip
        )
        self._site_of.append(number)
        if self.limits.gradients:
            self.maps[-1]._gradient = _gradient(seen)

    def _cheapest(
        self,
        source: Source,
        shape: Shape,
        heads: tuple[int, ...] | None,
        rows: tuple[int, ...] | None,
        named: Any,
    ) -> tuple[Any, Guards]:
        """References or weights, whichever is smaller and fits; a file where neither fits."""
        batch, every, q_len, k_len = shape
        weights = 4 * batch * (every if heads is None else len(heads)) * k_len
        weights *= q_len if rows is None else len(rows)
        whole = heads is None and rows is None
        if not whole and source.is_cheap and 2 * weights < _bytes(source):
            references = 2 * weights  # or more: nothing depends on how much
        else:
            references = self.store.cost(tensors_in(source))
        prefers_references = references <= weights or (
            whole and q_len > 1 and references <= AT_LEAST
        )
        if not source.is_cheap and q_len > 1 and references <= AT_LEAST:
            prefers_references = True
        left = self.limits.max_bytes - self.store.bytes
        if prefers_references and references > left and weights < references:
            prefers_references = False
        needed = references if prefers_references else weights
        if needed > left and self.limits.spill is None:
            raise self._too_much(needed, named()[0])
        if not prefers_references:
            source = _computed(source, shape, heads, rows)
        if needed > left:
            return self._spill(source), []
        return self.store.kept(source)

    def _too_much(self, needed: int, name: str) -> UsageError:
        return UsageError(
            f"capturing {name} needs {needed:,} bytes more than the {self.store.bytes:,} that are "
            f"kept already, and max_bytes is {self.limits.max_bytes:,}: raise it, keep less with "
            "layers=, heads= or rows=, or give spill='a folder' to write what does not fit to disk."
        )

    def _spill(self, source: Source) -> Any:
        if self._folder is None:
            assert self.limits.spill is not None
            self._folder = Folder(self.limits.spill)
        path = os.path.join(self._folder.path, f"{len(self.maps):06}.safetensors")
        found = spilled(source, path, self._folder)
        self.spilled_bytes += os.path.getsize(path)
        return found

    def finish(self) -> None:
        """What can be said no earlier than at the end: which were the last ones, and all names."""
        total = len(self.sites)
        if self.wanted.given is not None:
            self._retain(lambda number, name: self.wanted.asked(number, name, total))
        for map_ in self.maps:
            map_.settle()
        self.site_names = [named()[0] for named in self._named]
        self._named = []
        self.store.release()

    def nothing_seen(self) -> str:
        """Why there is no map, and what would make one."""
        ran = ", ".join(f"{name} ({times})" for name, times in self.ran.most_common(8))
        ran = f"what ran: {ran}" if ran else "no module ran"
        return (
            f"no attention was seen in the block; {ran}. Was the model called in the block, in "
            "this thread, and not as an exported or scripted graph? A kernel of its own is named: "
            "regard.capture(ops=[torch.ops.my.attention])."
        )

    def nothing_kept(self) -> str:
        shapes = f"heads={self.heads!r}, rows={self.rows!r}"
        return f"{len(self.sites)} attentions were seen, but none has what was asked for, {shapes}."


def _named(names: Names, place: Place, kind: str) -> tuple[str, str]:
    name = names.of(place.module, place.roots) + place.child or "attention"
    if kind.endswith("?"):
        if CROSS.search(name):
            kind = "cross"
        elif SELF.search(name):
            kind = "self"
    return name, kind.rstrip("?")


def _bytes(source: Source) -> int:
    """Of all that a source needs, whether it is kept already or not."""
    return sum(each.numel() * each.element_size() for each in tensors_in(source))


def _existing(chosen: Chosen, length: int, word: str) -> tuple[int, ...] | None:
    """The heads or rows asked for that a call has."""
    if chosen is None:
        return None
    if isinstance(chosen, slice):
        return tuple(range(length)[chosen])
    if isinstance(chosen, Tensor) or not isinstance(chosen, int):
        numbers = [int(one) for one in chosen]
    else:
        numbers = [chosen]
    return tuple(one % length for one in numbers if -length <= one < length)


def _computed(
    source: Source, shape: Shape, heads: tuple[int, ...] | None, rows: tuple[int, ...] | None
) -> Computed:
    with undisturbed():
        head, row = (None if some is None else torch.tensor(some) for some in (heads, rows))
        weights = source.weights(head, row, None)
        if weights.dtype != torch.float64:
            weights = weights.float()
    return Computed(weights.contiguous(), shape, heads, rows)


def _gradient(seen: Seen) -> Gradient:
    """What takes the gradient of the output, or of the weights where these are at hand."""
    output, change = seen.output, seen.of_output
    if output is None or change is None or not output.requires_grad:
        return Gradient(None)
    gradient = Gradient(_value(seen.source))
    output.register_hook(lambda given: gradient.add(change(given)))
    return gradient


def _value(source: Any) -> Tensor | None:
    heads = getattr(source, "value_heads", None)
    if heads is not None:
        with undisturbed():
            found: Tensor = heads()
            return found
    value: Tensor | None = getattr(source, "value", None)
    return None if value is None else value.detach()
