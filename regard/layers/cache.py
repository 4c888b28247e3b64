"""Keys and values cached between calls, so that decoding a token costs one token."""

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count
from regard._torch_private import can_look_at, is_traced

BY_SOURCE = {"by": "source"}
"""Metadata of a field with one row per source rather than per beam."""

LEAST = 16
"""Minimum capacity of a new buffer, in positions."""

Cache = TypeVar("Cache", bound="Past")


@dataclass(frozen=True, eq=False)
class StaticKVCache:
    """Keys and values that never change: those of a memory (`CrossAttention.precompute_kv`)."""

    key: Float[Tensor, "batch kv_heads k_len head_dim"]
    value: Float[Tensor, "batch kv_heads k_len value_dim"]

    def reorder(self, rows: Int[Tensor, " rows"]) -> "StaticKVCache":
        """The cache of these rows of the batch."""
        return StaticKVCache(self.key[rows], self.value[rows])


class _Room:
    """Places for keys and values. Caches may share one: none writes where another has written."""

    def __init__(self, key: Tensor, value: Tensor, used: int) -> None:
        self.key, self.value, self.used = key, value, used

    @classmethod
    def like(cls, key: Tensor, value: Tensor, places: int) -> "_Room":
        """A buffer for more of these; unwritten places have arbitrary values."""
        made, also = (x.new_empty(*x.shape[:2], places, x.shape[3]) for x in (key, value))
        return cls(made, also, 0)

    def takes(self, key: Tensor, value: Tensor, end: int) -> bool:
        """Whether these can be written at `end` without anybody's noticing."""
        return (
            self.used == end
            and end + key.shape[2] <= self.key.shape[2]
            and (key.dtype, value.dtype) == (self.key.dtype, self.value.dtype)
            and (torch.is_inference_mode_enabled() or not self.key.is_inference())
        )

    def write(self, key: Tensor, value: Tensor) -> None:
        """Put these behind what there is."""
        end = self.used + key.shape[2]
        self.key[:, :, self.used : end] = key
        self.value[:, :, self.used : end] = value
        self.used = end


class Past:
    """Base class: the cache of self-attention, in memory that grows by doubling.

    Where a graph is recorded, appending replaces the tensors instead of writing to them in place.
    Either way, a `copy` is independent and costs nothing.

    Args:
        starts: number of padding positions before each row; no query sees them. None if there are
            none.

    `length` is the number of positions read, including padding.
    """

    def __init__(self, starts: Int[Tensor, " batch"] | None = None) -> None:
        self.starts, self.length = starts, 0
        self._room: _Room | None = None
        self._begin = self._end = 0

    @property
    def key(self) -> Tensor | None:
        """The keys that the next queries will see."""
        return None if self._room is None else self._part(self._room.key)

    @property
    def value(self) -> Tensor | None:
        """The values of the same positions."""
        return None if self._room is None else self._part(self._room.value)

    def append(
        self,
        key: Float[Tensor, "batch kv_heads new head_dim"],
        value: Float[Tensor, "batch kv_heads new value_dim"],
    ) -> tuple[
        Float[Tensor, "batch kv_heads k_len head_dim"],
        Float[Tensor, "batch kv_heads k_len value_dim"],
    ]:
        """Append the new positions and return what their queries may see, old and new.

        Raises `ValueError` when the batch is not that of the positions kept.
        """
        self._require_fit(key)
        if self._records():
            self._join(key, value)
        else:
            self._write(key, value)
        self.length += key.shape[2]
        assert self._room is not None
        seen = self._part(self._room.key), self._part(self._room.value)
        self._forget()
        return seen

    def keys(
        self, key: Float[Tensor, "batch kv_heads new head_dim"]
    ) -> Float[Tensor, "batch kv_heads k_len head_dim"]:
        """The keys that queries at these positions would see, without appending them.

        Raises `ValueError` when the batch is not that of the positions kept.
        """
        self._require_fit(key)
        return key if self._room is None else torch.cat([self._kept(self._room.key), key], dim=2)

    def real(
        self, key: Float[Tensor, "batch kv_heads new head_dim"]
    ) -> Bool[Tensor, "batch k_len"] | None:
        """Which keys are real once these are appended; None means all."""
        if self.starts is None:
            return None
        first = self.length - (self._end - self._begin)
        places = torch.arange(first, self.length + key.shape[2], device=key.device)
        return places >= rearrange(self.starts, "batch -> batch 1")

    @property
    def first_query(self) -> int | None:
        """The index, among the returned keys, of the next query's position; None: the default."""
        return None

    def copy(self: Cache) -> Cache:
        """A cache that starts with the same positions."""
        other = self._empty(self.starts)
        other._room, other._begin, other._end = self._room, self._begin, self._end
        other.length = self.length
        return other

    def reorder(self: Cache, rows: Int[Tensor, " rows"]) -> Cache:
        """The cache of these rows of the batch, as continued by a beam search."""
        if can_look_at(rows) and self._keeps_order(rows):
            return self.copy()
        other = self._empty(None if self.starts is None else self.starts[rows])
        other.length = self.length
        if self._room is not None:
            other._take(*(self._kept(x)[rows] for x in (self._room.key, self._room.value)))
        return other

    def _empty(self: Cache, starts: Tensor | None) -> Cache:
        """Another of the kind."""
        raise NotImplementedError

    def _part(self, places: Tensor) -> Tensor:
        """What of a room is seen."""
        return self._kept(places)

    def _kept(self, places: Tensor) -> Tensor:
        """What of a room is this cache's."""
        if self._begin == 0 and self._end == places.shape[2]:
            return places
        return places[:, :, self._begin : self._end]

    def _forget(self) -> None:
        """Drop what no later query sees."""

    @staticmethod
    def _records() -> bool:
        return is_traced() or torch.is_grad_enabled()

    def _join(self, key: Tensor, value: Tensor) -> None:
        """Old and new as tensors of their own."""
        if self._room is not None:
            key = torch.cat([self._kept(self._room.key), key], dim=2)
            value = torch.cat([self._kept(self._room.value), value], dim=2)
        self._take(key, value)

    def _take(self, key: Tensor, value: Tensor) -> None:
        """Keep these tensors as they are, and nothing else."""
        self._begin, self._end = 0, key.shape[2]
        self._room = _Room(key, value, self._end)

    def _write(self, key: Tensor, value: Tensor) -> None:
        """Old and new in one room."""
        if self._room is None:
            return self._take(key, value)
        if not self._room.takes(key, value, self._end):
            # Under autocast new keys may be of another type than those of the prompt.
            old = _promoted(self._kept(self._room.key), key)
            old_value = _promoted(self._kept(self._room.value), value)
            places = max(2 * (old.shape[2] + key.shape[2]), LEAST)
            self._room, self._begin = _Room.like(old, old_value, places), 0
            self._room.write(old, old_value)
        self._room.write(key, value)
        self._end = self._room.used

    def _require_fit(self, key: Tensor) -> None:
        rows = None if self._room is None else self._room.key.shape[0]
        if rows is None and self.starts is not None:
            rows = len(self.starts)
        if rows is not None and key.shape[0] != rows:
            raise ValueError(
                f"the cache holds {rows} rows but {key.shape[0]} are appended; "
                "reorder the cache or start a new one"
            )

    def _keeps_order(self, rows: Tensor) -> bool:
        held = None if self._room is None else len(self._room.key)
        return held == len(rows) and bool((rows == torch.arange(len(rows))).all())


def _promoted(old: Tensor, new: Tensor) -> Tensor:
    return old.to(torch.promote_types(old.dtype, new.dtype))


class KVCache(Past):
    """Keys and values of everything read so far; each call of self-attention appends its own.

    Example:
        >>> cache, x = KVCache(), torch.randn(2, 4, 3, 8)
        >>> keys, values = cache.append(x, x)
        >>> keys, values = cache.append(x[:, :, :1], x[:, :, :1])
        >>> cache.length, keys.shape
        (4, torch.Size([2, 4, 4, 8]))
        >>> cache.reorder(torch.tensor([1, 1, 0])).key.shape
        torch.Size([3, 4, 4, 8])
    """

    def __init__(
        self,
        key: Tensor | None = None,
        value: Tensor | None = None,
        starts: Int[Tensor, " batch"] | None = None,
    ) -> None:
        super().__init__(starts)
        if key is not None and value is not None:
            self._take(key, value)
            self.length = self._end

    def _empty(self, starts: Tensor | None) -> "KVCache":
        return KVCache(starts=starts)


class WindowKVCache(Past):
    """Keys and values of the last `window` positions, what `SlidingWindow(window)` still sees.

    The layers that read it need such a mask, or a narrower one: in a call with several queries,
    each sees its own window. Positions keep counting (`length`), so that RoPE and learned
    positions stay correct.

    Raises `ValueError` for a window below 1.

    Example:
        >>> cache, x = WindowKVCache(2), torch.randn(1, 4, 3, 8)
        >>> cache.append(x, x)[0].shape, cache.append(x, x)[0].shape, cache.key.shape, cache.length
        (torch.Size([1, 4, 3, 8]), torch.Size([1, 4, 5, 8]), torch.Size([1, 4, 2, 8]), 6)

    References:
        Beltagy, Peters & Cohan. Longformer: The Long-Document Transformer. 2020.
        https://arxiv.org/abs/2004.05150
    """

    def __init__(self, window: Count, starts: Int[Tensor, " batch"] | None = None) -> None:
        super().__init__(starts)
        self.window = count("WindowKVCache", "window", window, least=1, hint="one is the least")

    def _empty(self, starts: Tensor | None) -> "WindowKVCache":
        return WindowKVCache(self.window, starts)

    def _forget(self) -> None:
        self._begin = max(self._begin, self._end - self.window)
        # A long prompt is not kept for its last keys.
        if self._room is not None and self._begin > 2 * self.window + LEAST:
            if not self._room.key.requires_grad and not is_traced():
                places = self._room.key, self._room.value
                self._take(*(self._kept(each).clone() for each in places))


class FixedKVCache(Past):
    """Keys and values of everything read, in memory preallocated for `places` positions.

    Every call returns all places, so that no shape changes from token to token, which compiled
    steps need; no query sees places that have not been written.

    Raises `ValueError` for fewer than one place, and when more is appended than fits.

    Example:
        >>> cache, x = FixedKVCache(9), torch.randn(2, 4, 3, 8)
        >>> cache.append(x, x)[0].shape, cache.length
        (torch.Size([2, 4, 9, 8]), 3)
    """

    def __init__(self, places: Count, starts: Int[Tensor, " batch"] | None = None) -> None:
        super().__init__(starts)
        self.places = count("FixedKVCache", "places", places, least=1, hint="one is the least")

    @property
    def first_query(self) -> int | None:
        return self.length

    def real(
        self, key: Float[Tensor, "batch kv_heads new head_dim"]
    ) -> Bool[Tensor, "batch k_len"] | None:
        places = repeat(
            torch.arange(self.places, device=key.device), "places -> batch places", batch=len(key)
        )
        known = places < self.length + key.shape[2]
        if self.starts is None:
            return known
        return known & (places >= rearrange(self.starts, "batch -> batch 1"))

    def _empty(self, starts: Tensor | None) -> "FixedKVCache":
        return FixedKVCache(self.places, starts)

    def _part(self, places: Tensor) -> Tensor:
        return places

    def _take(self, key: Tensor, value: Tensor) -> None:
        more = (0, 0, 0, self.places - key.shape[2])
        self._begin, self._end = 0, key.shape[2]
        self._room = _Room(F.pad(key, more), F.pad(value, more), self._end)

    def keys(
        self, key: Float[Tensor, "batch kv_heads new head_dim"]
    ) -> Float[Tensor, "batch kv_heads k_len head_dim"]:
        found = super().keys(key)
        return F.pad(found, (0, 0, 0, self.places - found.shape[2]))

    def _write(self, key: Tensor, value: Tensor) -> None:
        if self._room is not None and self._room.takes(key, value, self._end):
            return super()._write(key, value)
        self._join(key, value)

    def _require_fit(self, key: Tensor) -> None:
        super()._require_fit(key)
        if self.length + key.shape[2] > self.places:
            raise ValueError(
                f"the cache has {self.places} places but {self.length + key.shape[2]} are needed; "
                "give FixedKVCache more"
            )
