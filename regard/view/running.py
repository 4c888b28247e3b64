"""Tokens as the running text that they are of, each where it was written."""

from collections.abc import Sequence

from regard.view.letters import letters

UNKNOWN = "<unk>"
BEGINS_A_WORD = "▁"
_OF_NO_LETTER = ("<s>", "</s>")

Piece = tuple[str, str]
"""What stands before a token, such as a space, and the token as it was written."""


def along(tokens: Sequence[str], text: str) -> tuple[list[Piece], str]:
    """Where each token stands in a text, and what of the text no token was read of.

    A token that is unknown is shown as what was written there. Tokens that are not those of the
    text, one after another, are put together as they are (see `joined`), and then nothing is left.

    >>> along(["a", "<unk>", "film"], "A dull film. Bad")
    ([('', 'A'), (' ', 'dull'), (' ', 'film')], '. Bad')
    """
    # What lower case makes longer, as it does to İ, cannot be compared place by place.
    lower = text.lower() if len(text.lower()) == len(text) else text
    single = all(len(letters(token)) == 1 for token in tokens if token != UNKNOWN)
    by_letter = single and len(tokens) > len(text.split())
    found: list[Piece] = []
    place, missing = 0, 0
    for token in tokens:
        name = token.replace(BEGINS_A_WORD, " ").strip() if token not in _OF_NO_LETTER else ""
        if token == UNKNOWN:
            missing += 1
            continue
        at = _next(name.lower(), lower, place, missing, by_letter)
        if at is None:
            return joined(tokens), ""
        found += _units(text[place:at], missing, by_letter) if missing else []
        begin = place if missing == 0 else place + sum(len(a + b) for a, b in found[-missing:])
        found.append((text[begin:at], text[at : at + len(name)]))
        place, missing = at + len(name), 0
    last = _units(text[place:], missing, by_letter)
    if len(last) < missing:
        return joined(tokens), ""
    return found + last, text[place + sum(len(a + b) for a, b in last) :]


def joined(tokens: Sequence[str]) -> list[Piece]:
    """Tokens put together by themselves: pieces of words by their marks, words with spaces.

    >>> joined(["▁un", "like", "▁it"]), joined(["so", "bad"]), joined(["a", "b"])
    ([('', 'un'), ('', 'like'), (' ', 'it')], [('', 'so'), (' ', 'bad')], [('', 'a'), ('', 'b')])
    """
    if any(token.startswith(BEGINS_A_WORD) for token in tokens):
        cut = [
            (" " * token.startswith(BEGINS_A_WORD), token.strip(BEGINS_A_WORD)) for token in tokens
        ]
    else:
        between = "" if all(len(letters(token)) == 1 for token in tokens) else " "
        cut = [(between, token) for token in tokens]
    return [("", cut[0][1]), *cut[1:]] if cut else []


def _next(name: str, text: str, place: int, missing: int, by_letter: bool) -> int | None:
    """Where a token begins; None where it is not next, or not behind as many unknown ones."""
    if not missing:
        at = len(text) - len(text[place:].lstrip()) if name else place
        return at if text.startswith(name, at) else None
    at = text.find(name, place + 1)
    while at >= 0 and len(_units(text[place:at], missing + 1, by_letter)) != missing:
        at = text.find(name, at + 1)
    return at if at >= 0 else None


def _units(text: str, most: int, by_letter: bool) -> list[Piece]:
    """The first words of a stretch of text, or its first letters."""
    found: list[Piece] = []
    place = 0
    for part in letters(text) if by_letter else text.split():
        if part.isspace():
            continue
        if len(found) == most:
            break
        at = text.index(part, place)
        found.append((text[place:at], part))
        place = at + len(part)
    return found
