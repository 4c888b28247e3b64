"""Text in what a reader sees as letters: where it may be cut, and which way it runs."""

import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len

_JOINER = "\u200d"
_RIGHT_TO_LEFT = ("R", "AL", "AN")


def letters(text: str) -> list[str]:
    r"""A text in its letters: a base with its marks, a flag, a family of emoji is one.

    >>> len(letters("e\u0301a")), len(letters("\U0001f469\u200d\U0001f467!")), letters("")
    (2, 2, [])
    """
    found: list[str] = []
    for character in text:
        if found and _continues(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found


def beginning(text: str, most: int) -> str:
    r"""The first `most` characters, or less, so that no letter and if possible no word is cut.

    >>> beginning("read this", 7), beginning("ae\u0301", 2), beginning("whole", 9)
    ('read', 'a', 'whole')
    """
    if len(text) <= most:
        return text
    # What may belong to the last letter is looked at too.
    whole = letters(text[: most + 1])
    kept = "".join(whole[:-1])
    at = max(kept.rfind(" "), kept.rfind("\n"))
    ends_a_word = whole[-1].isspace()
    return kept[:at].rstrip() if at > most // 2 and not ends_a_word else kept


def folded(text: str, width: int) -> list[str]:
    """A text in lines of at most so many cells of a terminal, between words where they fit.

    >>> folded("a good film", 6), folded("年月日", 4), folded("", 4)
    (['a good', 'film'], ['年月', '日'], [''])
    """
    lines, line, used = [], "", 0
    for part in _words(text):
        size = cell_len(part)
        if used + cell_len(part.rstrip()) <= width:
            line, used = line + part, used + size
            continue
        if line:
            lines.append(line.rstrip())
            line, used = "", 0
        for letter in letters(part):
            if used + cell_len(letter) > width and line:
                lines.append(line)
                line, used = "", 0
            line, used = line + letter, used + cell_len(letter)
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def runs_right_to_left(text: str) -> bool:
    """Whether a line with this text may be turned around by what shows it."""
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def as_shown(tokens: Sequence[str]) -> list[int]:
    r"""The numbers of tokens from left to right, as a line of them would be shown.

    Tokens of right-to-left writing stand from right to left, numbers between them as they are read;
    the first letter says which way the line runs, as `dir=auto` has it. This is the Unicode
    bidirectional algorithm with a token in the place of a character.

    >>> as_shown(["a", "b"]), as_shown(["\u05d0", "\u05d1", "1", "2"])
    ([0, 1], [2, 3, 1, 0])
    """
    kinds = [_direction(token) for token in tokens]
    base = 1 if next((kind for kind in kinds if kind in "LR"), "L") == "R" else 0
    levels = _levels(kinds, base)
    order = list(range(len(tokens)))
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(order):
            stop = start
            while stop < len(order) and levels[order[stop]] >= level:
                stop += 1
            order[start:stop] = order[start:stop][::-1]
            start = max(stop, start + 1)
    return order


def _continues(letter: str, character: str) -> bool:
    if letter.endswith(_JOINER) or character == _JOINER:
        return True
    if unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    if "\U000e0020" <= character <= "\U000e007f" or "\u1160" <= character <= "\u11ff":
        return True
    return _is_half_flag(character) and _is_half_flag(letter)


def _is_half_flag(letter: str) -> bool:
    return len(letter) == 1 and "\U0001f1e6" <= letter <= "\U0001f1ff"


def _words(text: str) -> list[str]:
    """Words with the spaces behind them."""
    words = [word + " " for word in text.split(" ")]
    return [*words[:-1], words[-1][:-1]]


def _direction(token: str) -> str:
    """L or R by its first letter, N if it has digits alone, else O."""
    kinds = [unicodedata.bidirectional(character) for character in token]
    strong = next((kind for kind in kinds if kind in ("L", "R", "AL")), "")
    if strong:
        return "L" if strong == "L" else "R"
    return "N" if any(kind in ("EN", "AN") for kind in kinds) else "O"


def _levels(kinds: Sequence[str], base: int) -> list[int]:
    """How deep each token is embedded: odd levels run from right to left."""
    strong = "LR"[base]
    settled = []
    for kind in kinds:
        strong = kind if kind in "LR" else strong
        # A number behind a left-to-right letter is part of its run.
        settled.append("L" if kind == "N" and strong == "L" else kind)
    for number, kind in enumerate(settled):
        if kind == "O":
            # A neutral one goes with both its neighbors, or else with the line.
            before = settled[number - 1] if number else "LR"[base]
            after = next((k for k in settled[number + 1 :] if k != "O"), "LR"[base])
            sides = {side.replace("N", "R") for side in (before, after)}
            settled[number] = sides.pop() if len(sides) == 1 else "LR"[base]
    of_kind = {"L": 2 * base, "R": 1, "N": 2}
    return [of_kind[kind] for kind in settled]
