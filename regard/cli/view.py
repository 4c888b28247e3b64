"""`regard view`: the attention of a network on one input, as a page in a file."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from regard._io.faults import sentence
from regard._printable import printable
from regard.errors import RegardError, UsageError
from regard.run.viewing import view


def run(
    path: str, given: str, layers: Sequence[int | str] | None, out: Path, lang: str, opened: bool
) -> int:
    """Write the page, and say where it is and what the network answered."""
    if not out.resolve().parent.is_dir():
        raise UsageError(f"--out {out} cannot be written: there is no folder {out.parent}")
    try:
        made = view(path, given, layers=layers)
        made.save(out, lang)
    except (ValueError, FileNotFoundError, ImportError, RegardError) as error:
        raise UsageError(sentence(error)) from None
    if made.about.answer:
        print(printable(f"answer: {made.about.answer}"))
    print(printable(f"page: {out}"))
    if opened and not webbrowser.open(out.resolve().as_uri()):
        raise UsageError(f"no browser could be opened; open {out} yourself")
    return 0
