"""What is said of files that people have: one dry run each, in a process of its own.

    python -m benchmarks.cases --data FOLDER

Every file and folder in FOLDER is a case. Of each the exit code, the lines that were said, and the
seconds are kept; a traceback is a crash.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import save

LINES = 12


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    rows = [said_of(path) for path in sorted(folder.iterdir()) if path.suffix != ".md"]
    for row in rows:
        print(row["code"], row["case"], "|", row["said"][0] if row["said"] else "")
    save("cases", rows)


if __name__ == "__main__":
    main()
