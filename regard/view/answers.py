"""What a run answered to its fixed examples, right or wrong where that can be said."""

from typing import Any

from regard.view.folding import fold
from regard.view.page import table
from regard.view.run_log import RunLog

EXACT = frozenset({"classify", "match", "answer", "dates"})
"""Tasks whose answers are right or wrong as a whole."""
MOST_ANSWERS = 50


def answers(run: RunLog) -> str:
    """What was answered to the fixed examples at last, right or wrong where that can be said."""
    if not run.samples:
        return ""
    last = run.samples[-1]
    samples = [s for s in last["samples"] if isinstance(s, dict)]
    names = ["input", "answer"]
    if any(sample.get("wanted") is not None for sample in samples):
        names.append("wanted")
    judged = run.fact("task") in EXACT
    rows = [[_words(sample, name, judged) for name in names] for sample in samples[:MOST_ANSWERS]]
    if not rows:
        return ""
    left = len(samples) - len(rows)
    more = f" {left:,} more examples are not shown." if left else ""
    shown = table(names, rows, numbers=False)
    return (
        f'<p class="note">At step {int(last["step"]):,}.{more}</p><div class="words">{shown}</div>'
    )


def _words(sample: dict[str, Any], name: str, judged: bool) -> str:
    value, wanted = sample.get(name), sample.get("wanted")
    if value is None:
        return "–"
    shown = fold(str(value).replace("\t", "\n"))
    if name != "answer" or not judged or wanted is None:
        return shown
    right = value == wanted
    kind, sign = ("right", "✓") if right else ("wrong", "✗")
    return f'<span class="{kind}" role="img" aria-label="{kind}">{sign}</span> {shown}'
