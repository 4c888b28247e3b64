"""Long texts on a page: their beginning, and all of it for who asks."""

from regard.view.letters import beginning
from regard.view.page import text

MOST_OPEN = 280
"""Characters that are shown without being asked for."""
MOST_KEPT = 20_000


def fold(content: str, kind: str = "") -> str:
    """A text as HTML, running its own way; a long one shows its beginning and opens on request.

    Args:
        kind: the class of what holds the text.

    >>> fold("short")
    '<span dir="auto">short</span>'
    >>> "show all 1,000 characters" in fold("long " * 200)
    True
    """
    named = f' class="{kind}"' if kind else ""
    if len(content) <= MOST_OPEN:
        return f'<span{named} dir="auto">{text(content)}</span>'
    start, kept = beginning(content, MOST_OPEN * 3 // 4), beginning(content, MOST_KEPT)
    left = len(content) - len(kept)
    cut = f" … ({left:,} more characters are not in this page)" if left else ""
    return (
        f'<details class="fold"><summary><span class="start" dir="auto">{text(start)} …</span> '
        f'<span class="more">show all {len(content):,} characters</span></summary>'
        f'<div{named} dir="auto">{text(kept)}{cut}</div></details>'
    )
