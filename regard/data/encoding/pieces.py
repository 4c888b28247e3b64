"""How a piece of bytes is shown: tokenizers spell each byte as one printable character."""

from functools import cache


@cache
def _bytes() -> dict[str, int]:
    """The character of each byte in a byte-level vocabulary, as GPT-2 has them."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {
        chr(256 + place): byte for place, byte in enumerate(hidden)
    }


def readable_piece(piece: str) -> str:
    """A byte-level piece as people read it.

    >>> readable_piece("ĠHund"), readable_piece("ÃŁ"), readable_piece("Ã"), readable_piece("</s>")
    ('▁Hund', 'ß', '<c3>', '</s>')
    """
    table = _bytes()
    if not all(character in table for character in piece):
        return piece
    # A byte that is no letter by itself comes out of the decoder as a lone surrogate.
    text = bytes(table[character] for character in piece).decode("utf-8", "surrogateescape")
    letters = (f"<{ord(c) - 0xDC00:02x}>" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)
    return "".join(letters).replace(" ", "▁")
