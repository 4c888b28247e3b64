"""Streaming tokens to text: no piece ends within a character or a stop string."""

from collections.abc import Sequence
from copy import copy
from typing import Any, Protocol, runtime_checkable

from regard.generation.asked import stops

BROKEN = "\ufffd"
"""The replacement character for incomplete characters, such as the first of several bytes."""
CONTEXT = 16
"""Minimum number of preceding tokens that are decoded along with new ones."""


@runtime_checkable
class Tokenizes(Protocol):
    """The tokenizer protocol of decoding, met by `regard.data.encoding.tokenizer.Tokenizer`."""

    def encode(self, texts: Sequence[str]) -> Any:
        """The token ids of each text."""
        ...

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of these ids."""
        ...


class TextPieces:
    """The text of successive tokens, in pieces that are final.

    Joined, the pieces are the text of all tokens, up to the first stop string. Tokens are decoded
    together with some preceding ones, so that spaces between words come out right.

    Args:
        before: the preceding tokens, whose text is known.
        stop: strings; the text ends before the first of them.

    Raises `ValueError` for an empty stop string, `TypeError` for one that is no text.

    >>> class Letters:
    ...     def decode(self, numbers):
    ...         return bytes(numbers).decode(errors="replace")
    >>> pieces = TextPieces(Letters(), stop=["stop"])
    >>> [pieces.push(number) for number in "né st".encode()], pieces.stopped
    (['n', '', 'é', ' ', '', ''], False)
    >>> [pieces.push(number) for number in b"ep"], pieces.rest()
    (['ste', 'p'], '')
    """

    def __init__(
        self, tokenizer: Any, before: Sequence[int] = (), stop: Sequence[str] = ()
    ) -> None:
        self.tokenizer, self.stop = tokenizer, stops(stop)
        self.stopped = False
        self._tokens = self._context(before)
        self._mark = len(self._tokens)
        self._known = self._decoded()
        self._broken = self._held = ""

    def copy(self) -> "TextPieces":
        """An independent copy with the same text so far."""
        found = copy(self)
        found._tokens = list(self._tokens)
        return found

    def push(self, token: int) -> str:
        """The text that has become final with one more token."""
        if self.stopped:
            return ""
        self._tokens.append(token)
        text = self._decoded()
        certain = text.rstrip(BROKEN)
        self._broken = text[len(certain) :]
        new, self._known = certain[len(self._known) :], max(certain, self._known, key=len)
        if not self._broken and len(self._tokens) >= self._mark + CONTEXT:
            self._tokens = self._tokens[self._mark :]
            self._mark, self._known = len(self._tokens), self._decoded()
        return self._up_to_stop(new)

    def rest(self) -> str:
        """The text held back because it could have become a character or a stop string."""
        if self.stopped:
            return ""
        rest, self._held, self._broken = self._held + self._broken, "", ""
        return rest

    def _up_to_stop(self, new: str) -> str:
        text = self._held + new
        places = [place for each in self.stop if (place := text.find(each)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return text[: min(places)]
        kept = max((_begun(text, each) for each in self.stop), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def _decoded(self) -> str:
        return str(self.tokenizer.decode(self._tokens)) if self._tokens else ""

    def _context(self, before: Sequence[int]) -> list[int]:
        """The last tokens that begin with a whole character."""
        count = CONTEXT
        while count < len(before):
            tail = list(before[-count:])
            if not str(self.tokenizer.decode(tail)).startswith(BROKEN):
                return tail
            count += 1
        return list(before)


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text may be the beginning of a stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
