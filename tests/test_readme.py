"""What the README shows, runs; one block continues where the one before it stopped."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
REVIEWS = "text,label\n" + "a fine film,good\na dull film,bad\nit is fine,good\n" * 20
"""What the README calls `reviews.csv` and `other.csv`."""
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("reviews.csv", "other.csv"):
        Path(name).write_text(REVIEWS)
    assert README.is_file(), "there is no README.md"
    text = README.read_text("utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "README.md has no ```python block"
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        line = text[: block.start()].count("\n") + 1
        # Blank lines in front make a traceback name the README's own line.
        code = compile("\n" * line + block[1], str(README), "exec")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)
