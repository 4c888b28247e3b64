"""Pictures and their masks in two folders side by side, files of one stem belonging together."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from regard.data.reading.picture_folders import holds_pictures, pictures_in
from regard.data.reading.pictures import read_picture
from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named

PICTURES = frozenset("images image imgs img pictures photos jpegimages inputs input".split())
MASKS = frozenset(
    """masks mask annotations annotation segmentations segmentation segmentationclass trimaps
    groundtruth ground_truth gt targets""".split()
)
"""What the two folders are called."""
BEHIND = ("_mask", "-mask", "_seg", "_gt", "_segmentation", "_labels", "_l")
"""What stands behind the stem of a picture in that of its mask, if anything does."""
NAMED = 3
"""Files that are named where they have no other half."""


@dataclass(frozen=True)
class MaskedPictures:
    """Files of pictures, each with that of its mask."""

    pairs: tuple[tuple[Path, Path], ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for pair in self.pairs for path in pair if path.exists())

    def read(self, notes: Counter[str]) -> Iterator[tuple[bytes, bytes]]:
        for picture, mask in self.pairs:
            yield read_picture(picture), read_picture(mask)


def mask_folders(path: Path, request: DataRequest) -> Layout | None:
    """`images/1.jpg` and `masks/1.png`, in all or in `train/` and `test/`; None for others.

    Splits may be folders around the two, or within each. What has no other half is left out and
    said.

    Raises `ValueError` where nothing belongs together, and for two files of one stem.
    """
    schema = request.first(lambda schema: schema.mask_folders)
    sides = _sides(path) if schema else {}
    if schema is None or not sides:
        return None
    notes: list[str] = []
    splits: dict[str, MaskedPictures] = {}
    for split, (pictures, masks) in sides.items():
        splits[split] = MaskedPictures(_pairs(pictures, masks, notes))
    names = tuple(column.name for column in schema.columns)
    pictures, masks = sides["train"]
    said = (
        f"the masks of the pictures in {pictures.name} are those of the same stem in {masks.name}"
    )
    return Layout(schema, names, dict(splits), (said, *dict.fromkeys(notes)))


def _sides(path: Path) -> dict[str, tuple[Path, Path]]:
    """The two folders of each split, nothing where there is none to train on."""
    both = _two(path)
    if both is None:
        parts = {split_named(p.name): _two(p) for p in _folders(path)}
        return _ordered({s: two for s, two in parts.items() if s and two})
    inner = [{split_named(p.name): p for p in _folders(side)} for side in both]
    if all("train" in each for each in inner):
        return _ordered({s: (p, inner[1][s]) for s, p in inner[0].items() if s and s in inner[1]})
    return {"train": both}


def _ordered(found: Mapping[str, tuple[Path, Path]]) -> dict[str, tuple[Path, Path]]:
    if "train" not in found:
        return {}
    return {split: found[split] for split in SPLIT_NAMES if split in found}


def _two(path: Path) -> tuple[Path, Path] | None:
    """The folder of pictures and that of masks within one."""
    by_name = {p.name.lower(): p for p in _folders(path)}
    pictures = [p for name, p in by_name.items() if name in PICTURES]
    masks = [p for name, p in by_name.items() if name in MASKS and holds_pictures(p)]
    return (pictures[0], masks[0]) if len(pictures) == len(masks) == 1 else None


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _pairs(pictures: Path, masks: Path, notes: list[str]) -> tuple[tuple[Path, Path], ...]:
    ones, others = _by_stem(pictures), _by_stem(masks)
    for stem in [stem for stem in others if stem not in ones]:
        bare = next((stem.removesuffix(end) for end in BEHIND if stem.endswith(end)), stem)
        if bare in ones and bare not in others:
            others[bare] = others.pop(stem)
    found = tuple((path, others[stem]) for stem, path in ones.items() if stem in others)
    if not found:
        raise ValueError(
            f"no picture in {pictures} has a mask in {masks}: those that belong together have one "
            "stem (images/1.jpg and masks/1.png)"
        )
    for left, what in (
        (ones.keys() - others.keys(), "pictures without a mask"),
        (others.keys() - ones.keys(), "masks without a picture"),
    ):
        if left:
            some = ", ".join(sorted(left)[:NAMED]) + (", ..." if len(left) > NAMED else "")
            notes.append(f"{len(left):,} {what} left out: {some}")
    return found


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in pictures_in(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise ValueError(f"{found[stem]} and {path} have one stem; which of them is meant?")
        found[stem] = path
    return found
