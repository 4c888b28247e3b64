"""One HTML file that holds all it needs: it opens from a disk, asks no network, trusts no text."""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")

_PAGE = """\
<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
{script}</body>
</html>
"""


def page(title: str, body: str, script: str = "", lang: str = "en") -> str:
    """A whole page around a body.

    Args:
        title: as text; `body` is HTML already.
        script: the source of the one script that it runs; none runs if empty.
        lang: the language of the page's own words.
    """
    return _PAGE.format(
        lang=text(lang),
        policy=policy(script),
        title=text(title),
        style=files("regard.view").joinpath("page.css").read_text("utf-8"),
        body=body,
        script=f"<script>{script}</script>\n" if script else "",
    )


def policy(script: str = "") -> str:
    """What a page may do: draw, and run this one script, known by its digest."""
    runs = "'none'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        runs = f"'sha256-{digest}'"
    return (
        f"default-src 'none'; script-src {runs}; style-src 'unsafe-inline'; "
        "img-src data: blob:; worker-src 'none'; connect-src 'none'; base-uri 'none'; "
        "form-action 'none'"
    )


def text(content: object) -> str:
    r"""Text as HTML: nothing in it is markup, and no control character is obeyed.

    >>> text("<b>&\u202e")
    '&lt;b&gt;&amp;U+202E'
    """
    return escape(obeyed_by_none(str(content)))


def obeyed_by_none(content: str) -> str:
    """Text in which control characters and forced directions stand as their code points."""
    return "".join(map(_seen, content))


def embedded(data: object) -> str:
    r"""Data as JSON that no HTML parser can leave early.

    >>> print(embedded(["</script>"]))
    ["\u003c/script\u003e"]
    """
    plain = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True, caption: str = ""
) -> str:
    """A table of cells that are HTML already; the first column names the row."""
    kind = ' class="numbers"' if numbers else ""
    titles = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = [
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    ]
    said = f"<caption>{caption}</caption>" if caption else ""
    above = f"<thead><tr>{titles}</tr></thead>" if head else ""
    return (
        f'<div class="scroll" tabindex="0"><table{kind}>{said}{above}'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def section(title: str, *content: str) -> str:
    """A part of the page under its own heading; nothing at all when it has no content."""
    body = "\n".join(part for part in content if part)
    return f"<section>\n<h2>{text(title)}</h2>\n{body}\n</section>" if body else ""


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """A list of names and what they are."""
    inner = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in pairs)
    return f'<dl class="facts">{inner}</dl>' if inner else ""


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\n\t" or category[0] not in "CZ" or character == " ":
        return character
    obeyed = category in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING
    return f"U+{ord(character):04X}" if obeyed else character
