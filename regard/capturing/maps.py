"""All attentions of a capture, in the order of the calls, and by name."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from torch import Tensor

from regard._nearest import nearest
from regard._printable import shown
from regard.capturing.attention_map import AttentionMap
from regard.capturing.session import Session
from regard.capturing.stitched import stitched
from regard.errors import UsageError

if TYPE_CHECKING:
    from regard.view.attention_view import View


class Maps(Sequence[AttentionMap]):
    """The captured attentions, as a sequence in call order.

    `maps[0]` is the first, `maps["decoder.layers.0.self_attn"]` that of a module, `maps[:4]` the
    first four as a list. While the `with` block runs, the maps are those seen so far.

    Raises:
        UsageError: there is no map (with what was seen instead, and what to pass), a requested
            layer was not seen, or a name is unknown or belongs to several calls.

    Example:
        >>> import torch, regard
        >>> layer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = torch.randn(1, 5, 8)
        >>> with regard.capture(layer) as maps:
        ...     _ = layer(x, x, x)
        >>> maps
        1 attention, 160 bytes kept
          0  <MultiheadAttention: self [1, 2, 5, 5] score=scaled_dot, normalizer=softmax>
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ended = False

    def _settled(self) -> list[AttentionMap]:
        """The maps, when what was asked for is among what was seen."""
        session = self._session
        if self._ended:
            if not session.sites:
                raise UsageError(session.nothing_seen())
            if session.wanted.given is not None:
                session.wanted.require_found(session.site_names)
            if not session.maps:
                raise UsageError(session.nothing_kept())
        return session.maps

    @property
    def has_seen(self) -> bool:
        """Whether any attention was seen, kept or not."""
        return bool(self._session.sites)

    def __len__(self) -> int:
        return len(self._session.maps)

    def __iter__(self) -> Iterator[AttentionMap]:
        return iter(self._settled())

    @overload
    def __getitem__(self, which: int | str) -> AttentionMap: ...
    @overload
    def __getitem__(self, which: slice) -> list[AttentionMap]: ...
    def __getitem__(self, which: int | str | slice) -> Any:
        if not isinstance(which, str):
            maps = self._settled()
            if isinstance(which, int) and not -len(maps) <= which < len(maps):
                raise IndexError(
                    f"there is no map {which}, {len(maps)} were captured: count from 0 to "
                    f"{len(maps) - 1}."
                )
            return maps[which]
        found = self.calls(which)
        if len(found) > 1:
            raise UsageError(
                f"{shown(which)} was called {len(found)} times: maps.calls({shown(which)}) has all "
                "of them, in order."
            )
        return found[0]

    def calls(self, name: str) -> list[AttentionMap]:
        """The attentions of one module, in call order."""
        found = [each for each in self._settled() if each.name == name]
        if not found:
            raise UsageError(f"there is no map {shown(name)}: {nearest(name, self.names)}")
        return found

    def stitched(self, beams: Tensor | None = None) -> list[AttentionMap]:
        """One map for each attention of a generated text: outputs × everything before them.

        The calls of a module are concatenated in order: the prompt's queries, then those of each
        step, with weight 0 for keys that did not exist yet. So are the steps of a decoder that runs
        them within one pass. Modules that were called once are unchanged.

        Args:
            beams: of a beam search, `[sequences, steps]`, the batch index of each sequence at each
                step (`beam_indices` in `transformers`), -1 where it had ended; without it, entry b
                of every step goes to row b, whichever sequence that was.

        Raises:
            UsageError: calls whose batch or heads differ, or that were captured with `rows=`.

        Example:
            >>> import torch, regard
            >>> x = torch.randn(1, 2, 5, 4)
            >>> with regard.capture() as maps:
            ...     for n in range(3, 5):
            ...         _ = regard.attention(x[:, :, n - 1 : n], x[:, :, :n], x[:, :, :n])
            >>> [each.shape for each in maps.stitched()]
            [(1, 2, 2, 4)]
        """
        return stitched(self._settled(), beams)

    def view(
        self, tokens: Sequence[str], queries: Sequence[str] | None = None, **how: Any
    ) -> "View":
        """A `View` of one input: `.save("a.html")`, a notebook's cell, a terminal, a figure.

        Args:
            tokens: one for each key position.
            queries: tokens of the queries, if different, such as the outputs of a decoder.
            how: a view's other arguments: `item` of a batch, `image`, and so on.

        Raises:
            UsageError: nothing was captured. ValueError: numbers of tokens and positions differ.
        """
        from regard.view.attention_view import View

        return View(self._settled(), tokens, queries, **how)

    @property
    def names(self) -> list[str]:
        """The modules that attended, in the order of their first calls."""
        return list(dict.fromkeys(each.name for each in self._settled()))

    @property
    def bytes(self) -> int:
        """Memory held that would be freed without the capture."""
        return self._session.store.bytes

    @property
    def spilled_bytes(self) -> int:
        """Bytes in files."""
        return self._session.spilled_bytes

    def __repr__(self) -> str:
        count = len(self)
        if not count and self._ended:
            return f"no attention: {self._session.nothing_seen()}"
        head = f"{count} attention{'' if count == 1 else 's'}, {self.bytes:,} bytes kept"
        shown_first = [
            f"  {number}  {each!r}" for number, each in enumerate(self._session.maps[:50])
        ]
        more = [f"  and {count - 50} more"] if count > 50 else []
        return "\n".join([head, *shown_first, *more])
