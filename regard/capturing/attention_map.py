"""One captured attention: its name, its mechanism, and its weights on request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from regard._backends._weights import Chosen, _selected
from regard.capturing.parts import Parts
from regard.capturing.source import Index, Shape, Source
from regard.capturing.store import Guards, Spilled, require_unchanged
from regard.capturing.undisturbed import undisturbed
from regard.capturing.unknown import UNKNOWN
from regard.errors import UsageError


@dataclass(frozen=True, eq=False)
class Computed:
    """Weights that were computed immediately, for the requested heads and rows."""

    kept: Tensor
    whole: Shape
    heads: tuple[int, ...] | None = None
    rows: tuple[int, ...] | None = None

    is_cheap = True

    @property
    def shape(self) -> Shape:
        return self.whole

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        kept = self.kept if item is None else self.kept[item : item + 1]
        for axis, (index, there, word) in enumerate(
            ((heads, self.heads, "heads"), (rows, self.rows, "rows")), start=1
        ):
            if index is not None:
                kept = kept.index_select(axis, _places(index, there, word).to(kept.device))
        return kept

    def parts(self, item: int) -> Parts | None:
        return None


def _places(index: Tensor, there: tuple[int, ...] | None, word: str) -> Tensor:
    if there is None:
        return index
    places = {number: place for place, number in enumerate(there)}
    for number in index.tolist():
        if number not in places:
            raise UsageError(
                f"{word} asks for {number}, but the capture kept {word}={list(there)}: capture "
                f"with {word}=None to choose afterwards."
            )
    return torch.tensor([places[number] for number in index.tolist()], dtype=torch.long)


@dataclass(eq=False)
class AttentionMap:
    """The weights of one call, `[batch, heads, q_len, k_len]`, computed when read.

    Args:
        name: the calling module, as in `named_modules()`.
        call: 0 for the first call of the module in one pass, and so on.
        step: the pass; generating text takes one per token.
        kind: "self", "cross", "pool" (one query attends to all), "gate" (a vision block's weights).
        shape: batch, heads, queries, keys of the call.
        mechanism: the steps: score, normalizer, and mask and score_mod if there are any.
        provenance: how the weights are obtained.
        heads, rows: which were kept; None is all.

    Example:
        >>> import torch, regard
        >>> x = torch.randn(1, 4, 6, 8)
        >>> with regard.capture() as maps:
        ...     _ = regard.attention(x, x, x)
        >>> maps[0].weights(heads=0, rows=[-1]).shape
        torch.Size([1, 1, 1, 6])
    """

    call: int
    step: int
    shape: Shape
    mechanism: Mapping[str, str]
    provenance: str
    heads: tuple[int, ...] | None
    rows: tuple[int, ...] | None
    _source: Source | Spilled
    _guards: Guards
    _named: Callable[[], tuple[str, str]]
    _name: tuple[str, str] | None = None
    _gradient: "Gradient | None" = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return (self._name or self._named())[0]

    @property
    def kind(self) -> str:
        return (self._name or self._named())[1]

    def settle(self) -> None:
        """Fix the map's name, so that it holds no reference to a module."""
        self._name = self._named()
        self._named = _settled

    def weights(self, heads: Chosen = None, rows: Chosen = None, item: int | None = None) -> Tensor:
        """`[batch, heads, rows, k_len]` in float32 (float64 where the model is), before dropout.

        Args:
            heads, rows: an index, a slice or several indices, counted as in the call; None is all
                that were captured.
            item: one entry of the batch; the axis is kept.

        Raises:
            IndexError: a head, row or item that does not exist.
            UsageError: one that was not kept, or tensors that were changed in place since.
        """
        return self._read(lambda source, chosen: source.weights(*chosen), heads, rows, item)

    def parts(self, item: int = 0) -> Parts | None:
        """What the weights of one item were computed from; None if unknown."""
        self._check_item(item)
        require_unchanged(self.name, self._guards)
        with undisturbed():
            return self._loaded().parts(item % max(1, self.shape[0]))

    @property
    def unknown(self) -> str:
        """Why `parts` is None for hand-written attention: the step that is not understood."""
        return UNKNOWN.get(self.unknown_step, "")

    @property
    def unknown_step(self) -> str:
        """That step in one word, as pages show it."""
        return str(self.extra.get("unknown", ""))

    def gradient(
        self, heads: Chosen = None, rows: Chosen = None, item: int | None = None
    ) -> Tensor:
        """The gradient of the loss, `[batch, heads, rows, k_len]`, after `backward()`.

            ∂loss/∂weights = ∂loss/∂output · valueᵀ

        This holds whatever kernel ran. With dropout it is the gradient of the dropped weights.

        Raises:
            UsageError: captured without `gradients=True`, or there was no backward pass.
        """
        if self._gradient is None:
            raise UsageError(
                f"{self.name} was captured without gradients: regard.capture(gradients=True)."
            )
        gradient = self._gradient.found(self.name)
        batch, every, q_len, _ = self.shape
        head = _selected(heads, every, "heads", gradient.device)
        row = _selected(rows, q_len, "rows", gradient.device)
        if item is not None:
            self._check_item(item)
            gradient = gradient[item % batch][None]
        gradient = gradient if head is None else gradient[:, head]
        return gradient if row is None else gradient[:, :, row]

    def _read(self, read: Any, heads: Chosen, rows: Chosen, item: int | None) -> Tensor:
        batch, every, q_len, _ = self.shape
        device = torch.device("cpu")
        chosen = (
            _selected(self.heads if heads is None else heads, every, "heads", device),
            _selected(self.rows if rows is None else rows, q_len, "rows", device),
            None if item is None else self._check_item(item),
        )
        require_unchanged(self.name, self._guards)
        with undisturbed():
            found = read(self._loaded(), chosen)
            if found.shape[0] != batch and item is None:
                found = found.expand(batch, -1, -1, -1)
            return found if found.dtype == torch.float64 else found.float()

    def _loaded(self) -> Source:
        return self._source.loaded() if isinstance(self._source, Spilled) else self._source

    def _check_item(self, item: int) -> int:
        batch = self.shape[0]
        if not -batch <= item < batch:
            raise IndexError(
                f"item asks for {item}, but {self.name} has a batch of {batch}: count from 0 to "
                f"{batch - 1}."
            )
        return item % batch

    def __repr__(self) -> str:
        which = f" call={self.call}" if self.call else ""
        step = f" step={self.step}" if self.step else ""
        said = ", ".join(f"{role}={word}" for role, word in self.mechanism.items())
        return f"<{self.name}{which}{step}: {self.kind} {list(self.shape)} {said}>"


def _settled() -> tuple[str, str]:
    raise AssertionError("a settled map asked for its name")


class Gradient:
    """The gradient of the weights, from that of the output or of the weights themselves."""

    def __init__(self, value: Tensor | None) -> None:
        self._value, self._gradients = value, list[Tensor]()

    def add(self, gradient: Tensor) -> None:
        self._gradients.append(gradient.detach())

    def found(self, name: str) -> Tensor:
        if not self._gradients:
            raise UsageError(
                f"no gradient came to {name}: call loss.backward() first, on a loss that depends "
                "on it, with gradients enabled in the captured call."
            )
        gradient = self._gradients[-1]
        if self._value is None:
            return gradient.float()
        with undisturbed():
            value = self._value.to(torch.promote_types(gradient.dtype, torch.float32))
            groups = gradient.shape[1] // value.shape[1]
            value = value.repeat_interleave(groups, 1) if groups > 1 else value
            return gradient.to(value.dtype) @ value.mT
