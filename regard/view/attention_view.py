"""A view of captured attention: a file, a notebook's cell, a terminal, a figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from regard._io.faults import writing
from regard._io.files import write_whole
from regard.view.attention_page import attention_page
from regard.view.captured import CapturedMap
from regard.view.document import About, Document, Findings, document
from regard.view.patches import Patches
from regard.view.tiers import Storage

HEIGHT = 720
"""Of a notebook's frame, in pixels. It never follows its content, which follows it."""


@dataclass(frozen=True, eq=False)
class View:
    """The attention of one input, to be looked at.

        view.save("a.html")     one file, offline, for any browser
        view                    in a notebook
        print(view)             in a terminal
        view.figure("a.svg", layer=3, head=5)

    Args:
        maps: what was captured, in the order of the calls.
        tokens: one for each position that is looked at, special tokens and padding included.
        queries: what looks, where it is something else: the outputs of a decoder.
        item: which of a batch.
        image: the picture whose patches the tokens are.
        about: the names of the network, its weights and its answer.
        findings: tags of heads, effects of their ablation, further matrices.
        storage: how large a file may be, and what comes first in it.

    Raises:
        ValueError: nothing was captured; tokens are not as many as positions; a batch without
            `item`; a layer that is not there; a picture of other patches.
    """

    maps: Sequence[CapturedMap]
    tokens: Sequence[str]
    queries: Sequence[str] | None = None
    item: int | None = None
    image: Patches | bytes | str | PathLike[str] | None = None
    about: About = About()
    findings: Findings = Findings()
    storage: Storage = Storage()

    def __post_init__(self) -> None:
        if not len(self.maps):
            raise ValueError(
                "there is nothing to view: no attention was captured. Call the network inside "
                "`with regard.capture(model) as maps:`, and view the maps after it."
            )
        batch = max(each.shape[0] for each in self.maps)
        item = 0 if self.item is None else self.item
        if batch > 1 and self.item is None:
            raise ValueError(
                f"the maps are of a batch of {batch}: pass item=0 to item={batch - 1} and the "
                "tokens of that one"
            )
        if not -batch <= item < batch:
            raise ValueError(f"there is no item {item} in a batch of {batch}")
        object.__setattr__(self, "item", item % batch)
        # Tokens that do not fit are told of here, not when a file is written.
        from regard.view.axes import axes_of

        axes_of(self.maps, self.tokens, self.queries)

    def document(self) -> Document:
        """What a page reads."""
        image = self.image
        if image is not None and not isinstance(image, Patches):
            image = Patches(image)
        return document(
            self.maps,
            self.tokens,
            self.queries,
            item=self.item or 0,
            image=image,
            about=self.about,
            findings=self.findings,
            storage=self.storage,
        )

    def html(self, lang: str = "") -> str:
        """The page as text; `lang` is "en" or "zh", the browser's own if empty."""
        return attention_page([self.document()], title=self._title, lang=lang)

    def save(self, path: str | PathLike[str], lang: str = "") -> Path:
        """Write the page as one file, whole or not at all.

        Raises `OSError` when it cannot be written.
        """
        where = Path(path)
        content = self.html(lang).encode("utf-8")
        with writing(where):
            write_whole(where, content)
        return where

    @property
    def _title(self) -> str:
        return self.about.title or self.about.model or " ".join(self.tokens[:12])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        frame = (
            f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:{HEIGHT}px;border:0;'
            'resize:vertical;overflow:auto" sandbox="allow-scripts allow-downloads"></iframe>'
        )
        return {"text/html": frame, "text/plain": str(self)}


__all__ = ["About", "Findings", "Patches", "Storage", "View", "replace"]
