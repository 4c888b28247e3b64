"""The attention page: one HTML file that needs no network and trusts no text.

What is drawn is TypeScript in `web/`, built into `regard/view/built/`.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from regard.view.document import Document
from regard.view.page import embedded, policy, text

FORMAT = 1
"""Of the data in a page; the script reads only its own."""

_PAGE = """\
<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ margin: 0; }}</style>
</head>
<body>
{drawn}
<script>{script}</script>
</body>
</html>
"""

_SWITCHED_OFF = (
    "<noscript>This page draws with a script of its own, which is switched off here.</noscript>"
)


def attention_page(
    documents: Sequence[Document], *, kind: str = "one", title: str = "", lang: str = ""
) -> str:
    """A whole page around some documents.

    Args:
        kind: "one", "compare" for two beside each other, "film" for one for each epoch.
        title: of the window.
        lang: "en" or "zh"; the reader's browser decides if empty.
    """
    script = built("attention.js")
    return _PAGE.format(
        lang=text(lang or "en"),
        policy=policy(script),
        title=text(title or "attention"),
        drawn=mounted(documents, kind=kind, lang=lang),
        script=script,
    )


def mounted(documents: Sequence[Document], *, kind: str, lang: str = "", **more: Any) -> str:
    """The element that the script draws documents into, with their data and blocks behind it.

    Args:
        more: `films`, the first document of each of several films; `inset` in a page of more.
    """
    first, heads, stored = 0, [], []
    for each in documents:
        heads.append({**each.head, "first_block": first})
        first += len(each.blocks)
        stored += [
            f'<script type="application/octet-stream;base91">{block}</script>'
            for block in each.blocks
        ]
    data = {"format": FORMAT, "kind": kind, "lang": lang, "documents": heads, **more}
    return "\n".join(
        [
            f'<div id="regard" data-lang="{text(lang or "en")}"></div>',
            _SWITCHED_OFF,
            f'<script type="application/json" id="regard-data">{embedded(data)}</script>',
            *stored,
        ]
    )


def inset(kind: str, data: Mapping[str, Any]) -> str:
    """A place in a page of more where the script draws this data, of which nothing is binary.

    Args:
        kind: "charts" or "confusion".
    """
    whole = embedded({"format": FORMAT, "kind": kind, **data})
    # The script finds the data right behind the place.
    return (
        f'<div data-regard="{kind}"></div><script type="application/json">{whole}</script>\n'
        f"{_SWITCHED_OFF}"
    )


def is_drawn(body: str) -> bool:
    """Whether something in the body of a page waits for the script."""
    return '<script type="application/json"' in body


def built(name: str) -> str:
    """A file that `make web` has built."""
    return files("regard.view").joinpath("built", name).read_text("utf-8")
