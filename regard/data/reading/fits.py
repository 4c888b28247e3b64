"""How well a column suits a role: by what it is called, and by what it holds."""

import re

from regard.data.reading.profile import FEW_NUMBERS, WORDS_FROM, Holds, Profile
from regard.data.schema import Column, ColumnKind

EXACT, PARTLY = 4.0, 3.0
"""What a name counts that is one of the role's, and one that has such a word in it."""
SMALL = 20
"""Rows below which a label may be different in each."""

_TEXTS = {Holds.TEXT: 2.0, Holds.WORDS: 2.0, Holds.NAME: 1.5, Holds.LABEL: 1.0}
_LISTS = {Holds.LISTED: 3.0, Holds.WORDS: 3.0}
_NAMES = {Holds.WHOLE: 2.0, Holds.NAME: 2.0, Holds.LABEL: 2.0, Holds.TEXT: 1.0, Holds.FLAG: 1.0}
_NAMES[Holds.PICTURE_FILE] = 1.0
_TIMES = {Holds.TIME: 2.0, Holds.WHOLE: 0.5, Holds.NUMBER: 0.5}
_OF_EACH = (ColumnKind.TEXT, ColumnKind.NAME)
"""Kinds of roles in which nearly every row has its own."""
_PER_FILE = (ColumnKind.NUMBER, ColumnKind.TIME, ColumnKind.IMAGE, ColumnKind.BYTES)
"""Those in which all rows may have the same, such as the rating of what was merely chosen."""
_PLAIN = (Holds.WHOLE, Holds.NUMBER, Holds.FLAG, Holds.TIME)
_BYTES = {Holds.BYTES: 3.0, Holds.PICTURE: 3.0}
_PICTURES = {Holds.PICTURE: 4.0, Holds.PICTURE_FILE: 4.0}


def name_fit(role: Column, name: str) -> float:
    """How well a name says the role: 0 where it does not.

    >>> text = Column("text", ("review",))
    >>> name_fit(text, "doc.Text"), name_fit(text, "ReviewBody"), name_fit(text, "label")
    (4.0, 2.999, 0.0)
    """
    plain = spelled(name.split(".")[-1])
    if plain in role.called:
        # An earlier word is more of a name than a later one.
        return EXACT - role.called.index(plain) / 1000
    words = set(plain.split("_"))
    shared = [n for n, word in enumerate(role.called) if word in words]
    return PARTLY - min(shared) / 1000 if shared else 0.0


def spelled(name: str) -> str:
    """A name in lower case with `_` between its words.

    >>> spelled("InvoiceDate"), spelled("CustomerID"), spelled("Review text")
    ('invoice_date', 'customer_id', 'review_text')
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s_\-]+", "_", apart).lower()


def fit(role: Column, column: Profile) -> float:
    """How well what a column holds suits a role: 0 where it cannot be."""
    if _tells_nothing(role, column) and name_fit(role, column.name) <= PARTLY:
        return 0.0
    kinds = {
        ColumnKind.TEXT: _TEXTS,
        ColumnKind.LIST: _LISTS,
        ColumnKind.NAME: _NAMES,
        ColumnKind.TIME: _TIMES,
        ColumnKind.BYTES: _BYTES,
        ColumnKind.IMAGE: _PICTURES,
    }
    if role.kind is ColumnKind.TEXT and column.holds is Holds.LABEL:
        # Short sentences that come back are texts too.
        return 1.8 if column.words >= WORDS_FROM else 1.0
    if role.kind is ColumnKind.TEXT and column.coded and name_fit(role, column.name) <= PARTLY:
        return 0.0
    if role.kind is ColumnKind.LIST and column.prose:
        return 0.0
    if role.kind is ColumnKind.LIST and column.lists and column.holds not in _LISTS:
        return 3.0 if name_fit(role, column.name) else 1.0  # All are of one value.
    if role.kind in kinds:
        found = kinds[role.kind].get(column.holds, 0.0)
        by_name = name_fit(role, column.name) > PARTLY
        plain = role.kind in (ColumnKind.TEXT, ColumnKind.TIME) and column.holds in _PLAIN
        # Pandas makes 17.0 of a number beside empty cells.
        plain = plain or (role.kind is ColumnKind.NAME and column.holds is Holds.NUMBER)
        return found or (0.5 if by_name and plain else 0.0)
    if role.kind is ColumnKind.LABEL:
        return _as_label(role, column)
    if role.kind is ColumnKind.FLOAT:
        return _as_number(role, column)
    return 1.0 if column.holds in (Holds.WHOLE, Holds.NUMBER, Holds.FLAG) else 0.0


def _tells_nothing(role: Column, column: Profile) -> bool:
    """Whether every row has the same, in a role in which they differ."""
    tagged = role.kind is ColumnKind.LIST and column.holds in _LISTS
    if tagged or (role.kind in _OF_EACH and column.lists):
        return False
    return column.same and column.filled >= SMALL and role.kind not in _PER_FILE


def _as_label(role: Column, column: Profile) -> float:
    if column.same and column.filled >= SMALL:
        return 1.0  # It is called a label, and others are in other files.
    few = column.repeats and column.distinct <= FEW_NUMBERS
    match column.holds:
        case Holds.FLAG:
            return 3.0
        case Holds.LABEL:
            # Short sentences that come back a few times are seldom labels, whatever they repeat.
            prose = column.words >= WORDS_FROM and column.distinct > FEW_NUMBERS
            return 1.0 if prose and not name_fit(role, column.name) else 3.0
        case Holds.WHOLE:
            return 2.5 if few else float(column.filled < SMALL)
        case Holds.NUMBER:
            return 1.0 if few else 0.0
        case Holds.NAME | Holds.TEXT:
            return float(column.filled < SMALL)
    return 0.0


def _as_number(role: Column, column: Profile) -> float:
    if column.counted or spelled(column.name).split("_")[-1] == "id":
        return 0.5 if name_fit(role, column.name) > PARTLY else 0.0
    match column.holds:
        case Holds.NUMBER:
            return 3.0
        case Holds.WHOLE | Holds.FLAG:
            # 5.0 and 0.0 are measured where 5 and 0 are counted or are classes.
            if column.decimals and name_fit(role, column.name):
                return 3.0
            return 2.0 if column.distinct > FEW_NUMBERS and not column.unique else 0.5
    # A column of the name in which some are no numbers, which are refused where they stand.
    return 0.5 if column.numbers >= 0.5 and name_fit(role, column.name) > PARTLY else 0.0
