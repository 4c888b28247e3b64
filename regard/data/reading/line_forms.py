"""Plain text whose lines have the form of something else: a chat, a log, a glossary, trees."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

SAMPLED = 400
"""Lines by which a text is recognized."""
FEWEST = 4
"""Lines that are too few to have a form."""
_SOME, MOST, NEARLY = 0.4, 0.8, 0.95
"""Shares of the lines that must have it."""
_CLOCK = r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?"
_DATE = r"(\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|(mon|tue|wed|thu|fri|sat|sun)?\w* ?[a-z]{3} +\d{1,2})"
_TIMED = re.compile(
    rf"[\[(<]?{_DATE}[ ,T]+{_CLOCK}|\[{_CLOCK}\]|{_CLOCK}( ?[ap]m)?\s+([-<*]|From |\S{{1,25}}[:>])"
    rf"|.{{7,40}}\[\d\d/[a-z]{{3}}/\d{{4}}:{_CLOCK}",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"\S.{{0,24}}\s+\[?({_DATE} )?{_CLOCK}( ?[ap]m)?\]?", re.IGNORECASE)
_NAMED = re.compile(r"\W{0,4}([^\W\d_][\w .'-]{0,24})(?::|\s*[>=])\s+\S.*|<([^\s<>]{1,25})> \S.*")
_SIGNS = (" - ", " – ", " — ", " = ", ": ", "=", "\N{FULLWIDTH COLON}")
_IN_PROSE = ("; ", ", ", " / ")
"""Signs between a word and its translation, where neither is longer than a few words."""
_CEDICT = re.compile(r"\S+ \S+ \[[^\]]*\] /.*/")
_LABELLED = re.compile(r".+ [\[(]([^\W\d_]\w{0,20})[\])]")
_LONGEST_WORD = 5
"""Words before the sign of a glossary, where the sign stands in prose too."""
_VECTOR = re.compile(r"\S+(\s+-?\d+\.\d+(e-?\d+)?){5,}")
_COUNTED = re.compile(r"[^\d\s]\S*[\s,;:]+\d+")
_BRACKETED = re.compile(r"[^()]{1,40} \([^()\d]+\)")
_RANKED = re.compile(r"\S+\s+(Q?0|iter)\s+\S+\s+\d+(\s+-?[\d.]+\s+\S+)?")
_PHONES = re.compile(r"\S+\s+[A-Z]{1,2}[0-2]?( [A-Z]{1,2}[0-2]?)+")
_QUOTED = re.compile(r'"[^"]+",?')
_NUMBERS = re.compile(r"[+-]?[\d.,]+([\s,;]+[+-]?[\d.,]+)+")
_APART = 0.1
"""Share of the frequent words that two languages have in common at most."""


def line_form(sample: Sequence[str]) -> str:
    """What lines are that are no running text, with the way out; "" for those of running text.

    >>> line_form(["[12:30] Anna: so?", "[12:31] Ben: no", "[12:31] Anna: oh", "[12:32] Ben: ha"])
    'has a time in each line, as chats and logs have; write its texts as a table'
    >>> line_form([f"It rained all day, and on day {n} it poured." for n in range(9)])
    ''
    """
    filled = [line.strip() for line in sample if line.strip()]
    if len(filled) < FEWEST:
        return ""
    return next((what for has, what in _FORMS if has(filled)), "") or _in_pairs(sample)


def _share(has: Callable[[str], object], least: float) -> Callable[[Sequence[str]], bool]:
    return lambda filled: sum(bool(has(line)) for line in filled) >= least * len(filled)


def _are_named(filled: Sequence[str]) -> bool:
    """Whether lines begin with who speaks, each of them several times."""
    found = [_NAMED.fullmatch(line) for line in filled]
    names = [each[1] or each[2] for each in found if each]
    return len(names) >= MOST * len(filled) and 1 < len({*names}) <= len(names) / 3


def _are_glosses(filled: Sequence[str]) -> bool:
    """Whether lines are a word or a text, a sign, and another; nearly all begin otherwise."""
    for sign in _SIGNS:
        halves = [line.partition(sign) for line in filled if line.count(sign) == 1]
        short = sum(len(one.split()) <= _LONGEST_WORD for one, _, two in halves if two.strip())
        if short >= NEARLY * len(filled) and len({one for one, _, _ in halves}) > MOST * short:
            return True
    for sign in _IN_PROSE:
        both = [line.split(sign) for line in filled if line.count(sign) == 1]
        words = sum(max(len(half.split()) for half in each) for each in both)
        if len({one for one, _ in both}) > NEARLY * len(filled) and words < 2 * len(both):
            return True
    dashes = [line.split(sign) for sign in _SIGNS[:3] for line in filled if sign in line]
    alike = sum(len(each) == 2 and 2 * len(each[0]) > len(each[1]) for each in dashes)
    return alike >= NEARLY * len(filled)


def _are_labelled(filled: Sequence[str]) -> bool:
    """Whether lines end with one of a few words in brackets."""
    found = [each[1] for line in filled if (each := _LABELLED.fullmatch(line))]
    return len(found) >= NEARLY * len(filled) and 1 < len({*found}) <= len(found) / 4


def _are_coded(filled: Sequence[str]) -> bool:
    """Whether lines begin with codes of one shape, all different: `84-121123-0000`."""
    codes = [line.split(maxsplit=1)[0] for line in filled]
    shapes = {re.sub(r"\d+", "0", code) for code in codes}
    joined = all(re.fullmatch(r"\w*\d\w*([-_]\w*\d\w*)+", code) for code in codes)
    words = all(len(line.split()) > 1 for line in filled)
    return joined and words and len(shapes) == 1 and len({*codes}) == len(codes)


def _are_trees(filled: Sequence[str]) -> bool:
    whole = [line.count("(") == line.count(")") for line in filled]
    opened = sum(line[0] == "(" and line.count("(") > 2 for line in filled)
    return sum(whole) >= MOST * len(filled) and opened >= MOST * len(filled)


def _are_numbered(filled: Sequence[str]) -> bool:
    """Whether lines below the first begin with the numbers of rows, from 0 or 1."""
    first = [line.split()[0] for line in filled[1:] if not set(line) <= {*"[]. "}]
    counted = [int(each) for each in first if each.isdecimal() and len(each) < 9]
    steps = sum(b == a + 1 for a, b in pairwise(counted))
    return counted[:1] in ([0], [1]) and len(counted) > FEWEST and steps >= MOST * len(first) - 2


_FORMS: tuple[tuple[Callable[[Sequence[str]], bool], str], ...] = (
    (
        _share(_TIMED.match, _SOME),
        "has a time in each line, as chats and logs have; write its texts as a table",
    ),
    (
        _share(_ALONE.fullmatch, _SOME),
        "has a name and a time above each message, as chats have; write its texts as a table",
    ),
    (
        _are_named,
        "has a name before each line, as chats and interviews have; write a table of name and "
        "text, or of what is asked and answered",
    ),
    (
        _share(_QUOTED.fullmatch, NEARLY),
        "has each line between quotes, as a table of one column; call it .csv",
    ),
    (_share(_PHONES.fullmatch, NEARLY), "has words and their sounds; put a tab between them"),
    (
        _share(_NUMBERS.fullmatch, NEARLY),
        "holds numbers alone, and no text; if they are what users chose, write user,item on a line",
    ),
    (_share(_CEDICT.fullmatch, MOST), "is a dictionary (CEDICT); put tabs between its parts"),
    (
        _share(lambda line: "__eou__" in line, NEARLY),
        "has turns of a talk with __eou__ between; write what is said and what is answered, with a "
        "tab between, and call it .tsv",
    ),
    (
        _share(_RANKED.fullmatch, NEARLY),
        "holds rankings or judgements of documents (TREC); write query, document and rating as a "
        "table with their texts",
    ),
    (
        _are_coded,
        "has a code before each line, as transcripts have (Kaldi, LibriSpeech); put a tab behind "
        "it, and call it .tsv",
    ),
    (
        _are_labelled,
        "has a label in brackets behind each text; put a tab between them, and call it .tsv",
    ),
    (_share(_VECTOR.fullmatch, NEARLY), "holds vectors of words, and no text"),
    (
        _share(_COUNTED.fullmatch, NEARLY),
        "has a number behind each word; if it is to be learned, put a tab between them and call it "
        ".tsv",
    ),
    (
        _are_glosses,
        "has two texts in each line, as a glossary or a file of settings; put a tab between them "
        "and call it .tsv",
    ),
    (
        _share(_BRACKETED.fullmatch, NEARLY),
        "has a text in brackets behind each; put a tab between the two, and call it .tsv",
    ),
    (
        _are_trees,
        "holds trees in brackets, as treebanks do; write their words and tags, one a line, or "
        "label and text as a table",
    ),
    (
        _are_numbered,
        "has the numbers of rows before them, as a printed table; write the data itself as CSV",
    ),
    (
        _share(lambda line: line.count("|") > 1 or line.count("│") > 1 or line[-2:] == r"\\", 0.5),
        "holds a table between bars, not all of it alike; write the table alone, or as CSV",
    ),
)
"""Forms of lines, the surest first, and what they are."""


def _in_pairs(sample: Sequence[str]) -> str:
    """What a text is whose blocks have two lines each, in two languages."""
    blocks = "\n".join(line.strip() for line in sample).strip().split("\n\n")
    if len(blocks) == 1:
        rows = blocks[0].split("\n")
        blocks = [f"{one}\n{two}" for one, two in zip(rows[::2], rows[1::2], strict=False)]
    two = [block.split("\n") for block in blocks if block.count("\n") == 1]
    if len(two) < 2 * FEWEST or len(two) < NEARLY * len(blocks) - 1:
        return ""
    one, other = (_frequent(side) for side in zip(*two, strict=True))
    fewer = min(len(one), len(other))
    if fewer < FEWEST or len(one & other) > _APART * fewer:
        return ""
    return "has two lines for each text, as texts and their translations; put both on one line"


def _frequent(lines: Sequence[str]) -> set[str]:
    """The words of these lines that come back."""
    lines_of = Counter(word for line in lines for word in {*line.lower().split()})
    return {word for word, count in lines_of.items() if count > 2 and word.isalpha()}
