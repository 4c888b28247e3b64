"""A view of captured attention: as a file, in a notebook or terminal, as a figure."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from regard._io.faults import writing
from regard._io.files import write_whole
from regard.view.attention_page import attention_page
from regard.view.axes import axes_of
from regard.view.captured import CapturedMap
from regard.view.chosen_map import ChosenMap, chosen_map
from regard.view.document import About, Document, Findings, document
from regard.view.drawn_map import drawn_map
from regard.view.figure import Kind, Scale, figure, format_of
from regard.view.patches import Patches
from regard.view.picture import mask
from regard.view.tiers import Storage

HEIGHT = 720
"""Of a notebook's frame, in pixels. It never follows its content, which follows it."""
MOST_PICTURED = 512


@dataclass(frozen=True, eq=False)
class View:
    """The attention of one input, for display.

        view.save("a.html")     one file, offline, for any browser
        view                    in a notebook
        print(view)             in a terminal
        view.figure("a.svg", layer=3, head=5)

    Args:
        maps: the captured maps, in call order.
        tokens: one for each key position, including special tokens and padding.
        queries: tokens of the queries, if different: the outputs of a decoder.
        item: index in a batch.
        image: the image whose patches the tokens are.
        about: the names of the network, its weights and its answer.
        findings: tags of heads, effects of their ablation, further matrices.
        storage: how large a file may be, and what has priority in it.

    Raises:
        ValueError: nothing was captured; numbers of tokens and positions differ; a batch without
            `item`; a layer that does not exist; an image with other patches.
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
            raise ValueError(f"there is no item {item}: the maps are of a batch of {batch}")
        object.__setattr__(self, "item", item % batch)
        axes_of(self.maps, self.tokens, self.queries)  # what does not fit is said here

    def document(self) -> Document:
        """The data of the page."""
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
        """Write the page as one file, atomically.

        Raises `OSError` when it cannot be written.
        """
        return _written(Path(path), self.html(lang).encode("utf-8"))

    def compared(self, other: "View", path: str | PathLike[str], lang: str = "") -> Path:
        """Write one page with both views side by side, and their signed difference.

        Raises `OSError` when it cannot be written.
        """
        pages = [self.document(), other.document()]
        whole = attention_page(pages, kind="compare", title=self._title, lang=lang)
        return _written(Path(path), whole.encode("utf-8"))

    def figure(
        self,
        path: str | PathLike[str],
        layer: int = -1,
        head: int | None = None,
        *,
        kind: Kind = "matrix",
        scale: Scale = "sqrt",
    ) -> Path:
        """Write the matrix of one head, or the mean of all, as an SVG, PDF or PNG for a paper.

        Raises `ValueError` for another suffix and for a layer or head that does not exist, and
        `ImportError` if matplotlib is not installed, with the command to install it.
        """
        where = Path(path)
        form = format_of(where)
        return _written(where, figure(self.chosen(layer, head), form, kind=kind, scale=scale))

    def chosen(
        self, layer: int = -1, head: int | None = None, query: int | None = None
    ) -> ChosenMap:
        """One matrix, or one row of it, with its tokens."""
        return chosen_map(
            self.maps,
            self.tokens,
            self.queries,
            item=self.item or 0,
            layer=layer,
            head=head,
            query=query,
        )

    def text(self, layer: int = -1, head: int | None = None, query: int | None = None) -> str:
        """A picture for a terminal, readable without color."""
        return drawn_map(self.chosen(layer, head, query), self._title)

    def __str__(self) -> str:
        return self.text()

    @property
    def _title(self) -> str:
        return self.about.title or self.about.model or " ".join(self.tokens[:12])[:200]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """A frame of fixed height, and for whoever shows no HTML a picture and a text."""
        frame = (
            f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:{HEIGHT}px;border:0;'
            'resize:vertical;overflow:auto" sandbox="allow-scripts allow-downloads"></iframe>'
        )
        picture = b64encode(self._picture()).decode("ascii")
        return {"text/html": frame, "image/png": picture, "text/plain": str(self)}

    def _picture(self) -> bytes:
        """A PNG of the last layer's mean, with its tokens where matplotlib is there."""
        chosen = self.chosen()
        try:
            return figure(chosen, "png")
        except ImportError:
            step = -(-max(chosen.weights.shape) // MOST_PICTURED)
            weights = chosen.weights[::step, ::step].abs()
            shares = weights / weights.max().clamp_min(1e-12)
            return b64decode(mask(shares.tolist()).split(",")[1])


def _written(path: Path, content: bytes) -> Path:
    with writing(path):
        write_whole(path, content)
    return path


def save_film(views: Sequence[View], path: str | PathLike[str], lang: str = "") -> Path:
    """Write one page that steps through the epochs of training: `About(epoch=...)` of each view.

    Raises `ValueError` without views, and `OSError` when it cannot be written.
    """
    if not views:
        raise ValueError("a film needs at least one view, of an epoch: View(..., about=About(...))")
    documents = [view.document() for view in views]
    whole = attention_page(documents, kind="film", title=views[-1]._title, lang=lang)
    return _written(Path(path), whole.encode("utf-8"))
