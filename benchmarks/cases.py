"""What is said of files that people have, by a dry run of each.

    python -m benchmarks.cases                 # those of `made_cases`, with what is right to say
    python -m benchmarks.cases --data FOLDER   # every file and folder in FOLDER, in a process each

Of each the exit code, the lines that were said, and the seconds are kept; a traceback is a crash.
"""

import argparse
import io
import re
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from benchmarks.made_cases import Case, cases
from benchmarks.measure import save
from regard.cli import main as regard

LINES, FIRST = 12, 3


def said_of(path: Path) -> dict[str, object]:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "regard", "train", "--data", str(path), "--dry-run"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    text = (done.stdout + done.stderr).replace(f"{path.parent}/", "")
    return {
        "case": path.name,
        "code": done.returncode,
        "crash": "Traceback" in text,
        "seconds": round(time.perf_counter() - begin, 1),
        "said": text.splitlines()[:LINES],
    }


def verdict_of(case: Case) -> dict[str, object]:
    """What is said of a case that was made, and whether that is right."""
    with tempfile.TemporaryDirectory() as place:
        path = case.put(Path(place) / "data")
        heard = io.StringIO()
        with redirect_stdout(heard), redirect_stderr(heard):
            try:
                code = regard(["train", "--data", str(path), "--dry-run"])
            except Exception:
                code = -1
                traceback.print_exc()
        text = heard.getvalue().replace(f"{path.parent}/", "")
    kind = "read" if text.startswith("read as") else "asked" if "say which:" in text else "refused"
    return {
        "case": case.name,
        "verdict": "crash" if code == -1 else kind,
        "right": code != -1 and re.search(case.wanted, text) is not None,
        "wanted": case.wanted,
        "said": [line[:200] for line in text.splitlines()[:FIRST]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    folder = parser.parse_args().data
    if folder is None:
        made = [verdict_of(case) for case in cases()]
        for row in made:
            print("right" if row["right"] else "WRONG", row["verdict"], row["case"])
        save("made_cases", made)
        return
    rows = [said_of(path) for path in sorted(folder.iterdir()) if path.suffix != ".md"]
    for row in rows:
        print(row["code"], row["case"], "|", row["said"][0] if row["said"] else "")
    save("cases", rows)


if __name__ == "__main__":
    main()
