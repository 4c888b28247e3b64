"""The options that name the columns of a table."""

import argparse
from collections.abc import Iterable

ROLES = {
    "text": "texts; several columns, separated by commas, are joined",
    "label": "the target: a label, several, or a number",
    "left": "the first text of a pair",
    "right": "the second text of a pair",
    "context": "what a question is about: a passage or a story",
    "question": "questions",
    "answer": "their answers",
    "support": "the sentences that support the answers",
    "start": "where in the context the answers begin",
    "answers": "all right answers",
    "image": "images: their bytes, or the paths of their files",
    "masks": "masks of images, with a class for each pixel",
    "caption": "captions of images",
    "boxes": "bounding boxes of words in captions",
    "user": "the users",
    "item": "the items chosen",
    "rating": "the ratings",
    "time": "the timestamps",
    "category": "the categories of the items",
}
"""The role of a column, and what it holds."""

ASKED = (
    *("text", "left", "right", "context", "question", "image", "user", "item"),
    *("label", "answer"),
)
"""The roles of a trained network's inputs, and of the answers to compare with."""


def add_columns(group: argparse._ArgumentGroup, roles: Iterable[str]) -> None:
    """The columns of a file that are not called as those of training were."""
    for role in ("source", "target", *roles):
        what = ROLES.get(role, f"column of the {role} texts or language")
        group.add_argument(f"--{role}", dest=f"columns:{role}", metavar="COLUMN", help=what)
