"""Which picture in a folder a name in a table means, where it is not spelled as the file is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from regard.data.reading.pictures import PICTURE_ENDINGS

Key = Callable[[str], str]


def _same(name: str) -> str:
    return normalize("NFC", name)


def _in_any_case(name: str) -> str:
    return _same(name).casefold()


def _without_ending(name: str) -> str:
    found = _in_any_case(name)
    ending = next((e for e in PICTURE_ENDINGS if found.endswith(e)), "")
    return found.removesuffix(ending)


KEYS: dict[str, Key] = {
    "": _same,
    "in another case": _in_any_case,
    "with another ending": _without_ending,
}
"""How a name may differ from that of the file, the least difference first."""
FOLDER = "in another folder"


@dataclass(frozen=True)
class Meant:
    """The picture that a name means.

    Args:
        how: how the name differs from that of the file; nothing where it does not.
    """

    path: Path
    how: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureNames:
    """The pictures in a folder by what they may be called.

    A picture is called by the name of its file, behind any of the folders it is in. Where none is
    called so, names are compared without what stands before them, without regard to case, and then
    to their endings, as long as one picture alone is meant.

    >>> names = PictureNames((Path("img/One.JPG"), Path("img/two.png")), Path())
    >>> meant = names.meant(["data/one.jpg", "two", "three.png"])
    >>> [(name, str(each.path), each.how) for name, each in meant.items()]
    [('data/one.jpg', 'img/One.JPG', ('in another folder', 'in another case')), \
('two', 'img/two.png', ('with another ending',))]
    """

    paths: tuple[Path, ...]
    folder: Path

    def meant(self, said: Iterable[str]) -> dict[str, Meant]:
        """The picture of each name, without those that mean none, or none clearly.

        Where names that differ more than in case would mean one picture, only that which is
        spelled like it does.
        """
        found = {name: each for name in said if (each := self._meant(name)) is not None}
        by_path: dict[Path, set[str]] = defaultdict(set)
        for name, each in found.items():
            by_path[each.path].add(_in_any_case(name))
        return {
            name: each
            for name, each in found.items()
            if not each.how or len(by_path[each.path]) == 1
        }

    def _meant(self, name: str) -> Meant | None:
        ends = list(_ends(name.replace("\\", "/").removeprefix("./")))
        for how, key in KEYS.items():
            for dropped, end in enumerate(ends):
                paths = self._by_key[how].get(key(end), ())
                if len(paths) == 1:
                    differs = (FOLDER,) * bool(dropped) + (how,) * bool(how)
                    return Meant(next(iter(paths)), differs)
                if paths:
                    break  # Less of the name would be as many at least.
        return None

    @cached_property
    def _by_key(self) -> Mapping[str, Mapping[str, set[Path]]]:
        found: dict[str, dict[str, set[Path]]] = {how: defaultdict(set) for how in KEYS}
        names = {path: path.relative_to(self.folder).as_posix() for path in self.paths}
        for path, name in names.items():
            for how, key in KEYS.items():
                for end in _ends(name):
                    found[how][key(end)].add(path)
        # A path in the folder is that picture, whatever others end alike.
        return found | {"": found[""] | {_same(name): {path} for path, name in names.items()}}


def _ends(name: str) -> Iterator[str]:
    """A path, and what is left of it without one folder after the other."""
    parts = name.split("/")
    for number in range(len(parts)):
        yield "/".join(parts[number:])


def differences(meant: Mapping[str, Meant]) -> list[str]:
    """What is to be said of names that are not spelled as their files are, with an example each."""
    kinds: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, each in meant.items():
        if each.how:
            kinds[each.how].append(name)
    return [
        f"{len(names):,} pictures are named {' and '.join(how)}: {names[0]} is "
        f"{meant[names[0]].path.name}"
        for how, names in kinds.items()
    ]
