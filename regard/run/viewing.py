"""The attention of a trained network on one input, as a page, in a terminal, or as a figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard.capturing.capture import capture
from regard.capturing.layers import Layers
from regard.capturing.maps import Maps
from regard.errors import UsageError
from regard.run.asked_network import AskedNetwork, asked_network
from regard.tasks.picture_coder import patch_names
from regard.view.attention_view import View
from regard.view.axes import axes_of
from regard.view.captured import CapturedMap
from regard.view.document import About
from regard.view.patches import Patches
from regard.view.tiers import Storage

Names = tuple[Sequence[str], Sequence[str] | None]
"""Token names of the keys, and of the queries if different."""


def view(
    path: str | Path, given: Any, *, layers: Layers = None, storage: Storage = Storage()
) -> View:
    """The attention of every layer while a network answers an input.

    Args:
        path: a run, a model folder, a Hugging Face folder, `hf:owner/name` or a GGUF file.
        given: a text as on the command line, or the path of an image.
        layers: which attentions, as in `regard.capture`; all if None.
        storage: how large the page may be.

    Raises `UsageError` for an input that cannot be used, layers that do not exist, and a network
    without attention; and as `regard.load`.
    """
    return view_of(asked_network(path, given), Path(path).name, layers=layers, storage=storage)


def view_of(
    asked: AskedNetwork, name: str, *, layers: Layers = None, storage: Storage = Storage()
) -> View:
    """The same for a network that was queried; `name` is its name on the page."""
    with capture(asked.model, layers=layers) as maps:
        asked()
    tag = getattr(getattr(asked.model, "config", None), "tag", type(asked.model).__name__)
    found = _found(asked, maps, f"{name} ({tag})")
    tokens, queries = _names(asked, found)
    image = None if asked.picture is None else _patches(asked.picture, found, tokens)
    about = About(model=f"{name} ({tag})", answer=asked.answer)
    return View(found, tokens, queries, item=0, image=image, about=about, storage=storage)


def _found(asked: AskedNetwork, maps: Maps, name: str) -> list[CapturedMap]:
    """What was captured, the steps of a decoder as one; else what the network says of itself."""
    try:
        return list(maps.stitched())
    except UsageError:
        if maps.has_seen:
            raise
        if asked.weights is None:
            raise UsageError(
                f"no attention was seen in {name}: this network attends to nothing, so that there "
                "is none to show; train one that does"
            ) from None
    return [Told("attention_weights", asked.weights)]


@dataclass(frozen=True, eq=False)
class Told:
    """Weights that a network itself reports for attention without values, such as ABCNN's."""

    name: str
    matrix: Tensor
    call: int = 0
    kind: str = "cross"
    mechanism: Mapping[str, str] = field(default_factory=dict)
    provenance: str = "as the network says"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """One item, one head."""
        q_len, k_len = self.matrix.shape
        return 1, 1, q_len, k_len

    def weights(self, heads: Any = None, rows: Any = None, item: int | None = None) -> Tensor:
        """Those of some rows."""
        rows = slice(None) if rows is None else rows
        rows = [rows] if isinstance(rows, int) else rows
        return torch.as_tensor(self.matrix).float()[rows][None, None]

    def parts(self, item: int = 0) -> None:
        """None: no more is known."""


def _names(asked: AskedNetwork, maps: Sequence[CapturedMap]) -> Names:
    """The first names that fit the maps.

    A pair of texts may be read as one. Where nothing that writes looks at itself, a row has the
    name of what was written in that step, not of what was written before.
    """
    names, choices = asked.names, list[Names]()
    if len(names) == 2:
        read, written = names
        lengths = {each.shape[2] for each in maps if each.kind == "self"}
        if len(asked.outputs) == len(written) and len(written) not in lengths - {len(read)}:
            choices.append((read, asked.outputs))
        choices += [(read, written), ((*read, *written), None)]
    choices += [(each, None) for each in names]
    if asked.inputs:
        choices.append((asked.inputs, asked.outputs))
    if asked.picture is not None:
        choices += [(_places(each.shape[3]), names[0] if names else None) for each in maps]
    for tokens, queries in choices:
        try:
            axes_of(maps, tokens, queries)
        except ValueError:
            continue
        return tokens, queries
    most_q, most_k = (max(each.shape[n] for each in maps) for n in (2, 3))
    return [str(n) for n in range(most_k)], [str(n) for n in range(most_q)]


def _places(length: int) -> list[str]:
    """Patches by row and column, behind the tokens that are none."""
    side = math.isqrt(length)
    first = ["[CLS]", *(f"[{n}]" for n in range(1, length - side * side))][: length - side * side]
    return [*first, *patch_names(side, side)]


def _patches(picture: bytes, maps: Sequence[CapturedMap], tokens: Sequence[str]) -> Patches | None:
    """The picture under its patches, where a map looks at them."""
    side = math.isqrt(len(tokens))
    is_grid = any(each.shape[3] == len(tokens) for each in maps if each.kind != "gate")
    return Patches(picture, (side, side), len(tokens) - side * side) if is_grid and side else None
