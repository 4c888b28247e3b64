"""A corpus of interactions as examples: what is learned from, and what is held out to ask for."""

from collections.abc import Mapping
from typing import Any

from regard.data.encoding.catalogue import Catalogue
from regard.data.encoding.histories import (
    Histories,
    Prefixes,
    all_prefixes,
    histories,
    last_items,
    leave_one_out,
)
from regard.data.encoding.token_settings import texts_of

_COLUMNS = ("user", "item", "rating", "timestamp")
_CATEGORY = "category"


def histories_in(rows: Any, catalogue: Catalogue | None = None) -> Histories:
    """The histories in a split of a corpus: columns of user, item, rating and timestamp.

    A column of categories holds what is known of the item, between tabs.
    """
    columns = zip(*(texts_of(rows, name) for name in _COLUMNS), strict=True)
    if _CATEGORY not in rows.column_names:
        return histories(columns, catalogue=catalogue)
    known = (text.split("\t") for text in texts_of(rows, _CATEGORY))
    described = ((*row, *values) for row, values in zip(columns, known, strict=True))
    return histories(described, catalogue=catalogue)


def held_out_examples(splits: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Prefixes]:
    """The examples of a corpus: each user's last items held out, or where there are files, theirs.

    Where there is a part to validate on, all of `train` is learned from, and each user of a further
    part is asked for the last item of that part, after all that the parts before it tell. Whoever
    chose one item alone is no example; the item is still one that can be recommended.
    """
    parts = {split: histories_in(rows, catalogue) for split, rows in splits.items()}
    train = parts.pop("train")
    found = {"train": all_prefixes(train)} if "valid" in parts else leave_one_out(train)
    before = [train]
    for split in sorted(parts, key=("valid", "test").index):
        found[split] = last_items(parts[split], *before)
        before.append(parts[split])
    return found


def require_examples(found: Histories, held_out: bool) -> None:
    """Raise `ValueError` when no user chose enough to learn from.

    Args:
        held_out: each user's last two items are held out.
    """
    if not len(leave_one_out(found)["train"] if held_out else all_prefixes(found)):
        most = int(found.sequences.lengths.max())
        raise ValueError(
            f"no user of {len(found.users):,} has more than {most} interaction{'s' * (most > 1)}, "
            f"and one with {4 if held_out else 2} is needed: an item is learned from those before "
            "it" + (", and each user's last two are held out" if held_out else "")
        )
