"""The standard library's docstrings: what follows their first sentence, and that sentence.

The texts are those of the Python that runs, read from its source without importing anything, so
that they are there without a download; another version of Python has somewhat other ones.
"""

import ast
import hashlib
import re
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from regard.data.schema import SPLITS

LEFT_OUT = frozenset("site-packages dist-packages test tests idlelib lib2to3 turtledemo".split())
"""Folders of other people's modules, of tests, and of programs."""
LEAST, MOST = 30, 600
"""Characters of the rest: a docstring with fewer is left out, of a longer one so many are read."""
LEAST_SENTENCE, MOST_SENTENCE = 10, 200
_SENTENCE = re.compile(r"(.+?[.!?])(?=\s+[A-Z`\"'(*\[]|\s*$)")
_PARAGRAPH = re.compile(r"\n\s*\n")
_SPACES = re.compile(r"\s+")


def docstring_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """At most `count` rows (the rest of a docstring, its first sentence) of a split.

    The rest begins with the name of what it describes, and its arguments. Modules decide on the
    split: what one split reads of a module no other does. No sentence comes twice.

    Raises `ValueError` for an unknown split or a negative count.

    >>> rest, sentence = next(docstring_rows("train", 1, seed=0))
    >>> len(rest) <= MOST + 100 and sentence[-1] in ".!?" or len(sentence) < MOST_SENTENCE
    True
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    rows = [(rest, sentence) for where, rest, sentence in _found() if where == split]
    rows.sort(key=lambda row: _draw(f"{seed} {row}"))
    yield from rows[:count]


def parted(docstring: str) -> tuple[str, str] | None:
    """The first sentence of a docstring and the rest of it; None where there is too little of one.

    >>> parted("Join a thread. This blocks the calling thread until the other one ends.")
    ('Join a thread.', 'This blocks the calling thread until the other one ends.')
    >>> parted("Join a thread.")
    """
    begin, *more = _PARAGRAPH.split(docstring.strip(), 1)
    begin = _spaced(begin)
    match = _SENTENCE.match(begin)
    sentence = match.group(1) if match else begin
    rest = _spaced(" ".join([begin[len(sentence) :], *more]))
    if not LEAST_SENTENCE <= len(sentence) <= MOST_SENTENCE or len(rest) < LEAST:
        return None
    if ">>>" in sentence or not sentence[0].isalpha() or sentence in rest:
        return None
    return sentence, rest if len(rest) <= MOST else rest[:MOST].rpartition(" ")[0]


@cache
def _found() -> tuple[tuple[str, str, str], ...]:
    """The split, the rest and the sentence of every docstring."""
    root = Path(sysconfig.get_paths()["stdlib"])
    rows: list[tuple[str, str, str]] = []
    known: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if LEFT_OUT & set(parts):
            continue
        part = _draw(parts[0]) % 10
        split = "test" if part == 0 else "valid" if part == 1 else "train"
        for name, docstring in _documented(path, ".".join(parts)):
            found = parted(docstring)
            if found and known.isdisjoint(found):
                known.update(found)
                rows.append((split, f"{name}: {found[1]}", found[0]))
    return tuple(rows)


def _documented(path: Path, module: str) -> Iterator[tuple[str, str]]:
    """The name and the docstring of what a file defines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # Some are examples of what does not parse.
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if docstring := ast.get_docstring(node):
                yield _named(node, module), docstring


def _named(node: ast.AST, module: str) -> str:
    """How a reader calls it: `class Thread`, `join(self, timeout)`."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        return f"{node.name}({', '.join(names[:6])})"
    return f"module {module}"


def _spaced(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _draw(text: str) -> int:
    """A number that the text alone decides."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
