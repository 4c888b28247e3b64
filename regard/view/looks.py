"""The looks of a run at its examples as documents of the attention page, a film of each example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from regard.view.axes import axes_of
from regard.view.blocks import Blocks
from regard.view.codes import FINEST
from regard.view.document import About, Document
from regard.view.film import Film
from regard.view.frame import Frame
from regard.view.stored_maps import whole

MOST_UNREAD = 2000
"""Characters of what was not read that a page holds."""


@dataclass(frozen=True, eq=False)
class Look:
    """The weights of one example at one evaluation, as a captured map."""

    frame: Frame
    name: str = "attention_weights"
    call: int = 0
    kind: str = "cross"
    mechanism: Mapping[str, str] = field(default_factory=dict)
    provenance: str = "as the run wrote them down while it was trained"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """One item, one head."""
        return 1, 1, len(self.frame.outputs), len(self.frame.inputs)

    def weights(self, heads: Any = None, rows: Any = None, item: int | None = None) -> Tensor:
        """All of them."""
        return torch.tensor(self.frame.weights, dtype=torch.float32)[None, None]

    def parts(self, item: int = 0) -> None:
        """A run writes down no more."""


def documents(films: Sequence[Film], model: str = "") -> tuple[list[Document], list[int]]:
    """The looks of all films, one after the other, and where each film begins.

    Args:
        model: what to call the network.
    """
    found: list[Document] = []
    firsts = []
    for film in films:
        firsts.append(len(found))
        as_text = film.layout == "text"
        found += [_document(frame, model, as_text, film.picture) for frame in film.frames]
    return found, firsts


def side_by_side(runs: Sequence[tuple[str, Sequence[Film]]]) -> list[Document]:
    """What each run attends to in the last look at the first example that all of them have.

    Args:
        runs: what to call each, and its films.
    """
    last = [{film.frames[-1].text: film.frames[-1] for film in films} for _, films in runs]
    shared = [text for text in (last[0] if last else {}) if all(text in each for each in last)]
    if not shared or len(runs) < 2:
        return []
    return [_document(each[shared[0]], name) for (name, _), each in zip(runs, last, strict=True)]


def _document(
    frame: Frame,
    model: str,
    as_text: bool = False,
    picture: Mapping[str, Any] | None = None,
) -> Document:
    look, blocks = Look(frame), Blocks()
    axes = axes_of([look], frame.inputs, frame.outputs)
    ((q, k),) = axes.of_map
    about = About(
        title=frame.text,
        model=model,
        answer=frame.answer,
        wanted=frame.wanted or "",
        epoch=frame.epoch,
        step=frame.step,
    )
    lists = axes.data()
    if as_text:
        lists[k]["running"] = _running(frame)
    layer = {
        "name": look.name,
        "call": look.call,
        "kind": look.kind,
        "heads": 1,
        "q": q,
        "k": k,
        "mechanism": {},
        "provenance": look.provenance,
        "weights": whole(look, 0, blocks, FINEST),
        "parts": None,
    }
    head = {
        "about": {name: value for name, value in vars(about).items() if value not in ("", None)},
        "axes": lists,
        "layers": [layer],
        "image": None if picture is None else {"axis": k, **picture},
        "tags": [],
        "effects": None,
        "matrices": [],
    }
    return Document(head, blocks)


def _running(frame: Frame) -> dict[str, Any]:
    """The text with each token where it stands in it, and what was not read."""
    pieces, rest = frame.pieces
    return {
        "before": [before for before, _ in pieces],
        "written": [written for _, written in pieces],
        "rest": rest[:MOST_UNREAD],
    }
