"""How fast many rows are read and encoded, with how much memory, and how soon a dry run ends.

    python -m benchmarks.reading --rows 10000000
    python -m benchmarks.reading --rows 10000000 --code ../before --name before

Files are made of drawn words: a CSV of short texts with three labels, a TSV of pairs of sentences.
Each stage runs in a process of its own, whose high-water mark is the memory; seconds are those of
a clock and those that its processor was busy, which other processes do not change.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from benchmarks.measure import rows_of, save

WORDS, DRAWN = 20_000, 50_021
LABELS = ("good", "bad", "so so")
GIGABYTE = 2**30
STAGE = """
import json, resource, sys, time
from pathlib import Path
stage, path, place = sys.argv[1:]
if stage == "dry run":
    sys.argv = ["regard", "train", "--data", path, "--dry-run"]
    from regard.cli import main as work
else:
    from regard.run.merging import known_schemas, read_corpus
    from regard.run.settings import DataSettings
    from regard.tasks import task_class
    read = lambda: read_corpus(DataSettings(path=path), None, Path(place), known_schemas())
    work = read
    if stage == "encode":
        corpus = read()
        kind = task_class(corpus.task)
        folder = Path(place, "encoded")
        folder.mkdir()
        work = lambda: kind.prepare(corpus, kind.settings_type(), folder)
start, busy = time.perf_counter(), time.process_time()
try:
    work()
except SystemExit:
    pass
seconds, busy = time.perf_counter() - start, time.process_time() - busy
peak = next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM"))
used = resource.getrusage(resource.RUSAGE_SELF)
if stage == "dry run":  # from the start of the process, with what it imports
    busy = used.ru_utime + used.ru_stime
found = {"seconds": seconds, "busy": busy, "megabytes": int(peak) / 1024}
print(json.dumps(found), file=sys.stderr)
"""


def texts(count: int, draw: random.Random) -> Iterator[str]:
    """Texts of 3 to 8 words, of which some are frequent, and a number."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 8))) for _ in range(WORDS)]
    often = list(accumulate(1 / (rank + 1) for rank in range(WORDS)))
    drawn = [
        " ".join(draw.choices(words, cum_weights=often, k=draw.randint(3, 8))) for _ in range(DRAWN)
    ]
    for n in range(count):
        yield f"{drawn[n % DRAWN]} {n}"


def write_labels(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("text,label\n")
        for n, text in enumerate(texts(count, random.Random(0))):
            file.write(f"{text},{LABELS[n % 3]}\n")


def write_pairs(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("source\ttarget\n")
        sides = texts(count, random.Random(1)), texts(count, random.Random(2))
        file.writelines(f"{one}\t{two}\n" for one, two in zip(*sides, strict=True))


def enlarge(path: Path, size: int) -> None:
    """Rows of a file again and again until it has so many bytes."""
    body = path.read_bytes().partition(b"\n")[2]
    with path.open("ab") as file:
        while file.tell() < size:
            file.write(body)


def measured(stage: str, path: Path, code: Path) -> dict[str, float]:
    """What a stage took, in a process of its own with a cache of its own."""
    environment = dict(os.environ) | {"PYTHONPATH": str(code.resolve())}
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        done = subprocess.run(
            [sys.executable, "-c", STAGE, stage, str(path), place],
            env=environment,
            cwd=place,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return {k: round(v, 2) for k, v in json.loads(done.stderr.splitlines()[-1]).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where files are made and deleted")
    parser.add_argument("--code", type=Path, help="a checkout to measure in place of this one")
    parser.add_argument("--name", default="this", help="what that is called in the results")
    parser.add_argument("--stages", default="read,encode,dry run")
    options = parser.parse_args()
    stages = options.stages.split(",")
    rows = rows_of("reading")

    def add(data: str, stage: str, path: Path, count: int) -> None:
        row = {"code": options.name, "data": data, "rows": count}
        row |= {"stage": stage, **measured(stage, path, options.code or Path(__file__).parents[1])}
        if stage != "dry run":  # which looks at the first rows alone
            row["rows_per_busy_second"] = round(count / row["busy"])
        row["load"] = round(os.getloadavg()[0], 1)
        print(row, flush=True)
        same = ("code", "data", "stage", "rows")
        rows[:] = [each for each in rows if any(each[k] != row[k] for k in same)] + [row]
        save("reading", rows)

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for data, make in (("labels.csv", write_labels), ("pairs.tsv", write_pairs)):
            path = Path(folder, data)
            make(path, options.rows)
            for stage in ("read", "encode"):
                if stage in stages:
                    add(data, stage, path, options.rows)
            path.unlink()
        if "dry run" in stages:
            path = Path(folder, "ten.csv")
            write_labels(path, 10)
            add("ten.csv", "dry run", path, 10)
            path = Path(folder, "gigabyte.csv")
            write_labels(path, 1_000_000)
            enlarge(path, GIGABYTE)
            with path.open("rb") as file:
                count = sum(1 for _ in file) - 1
            add("gigabyte.csv", "dry run", path, count)


if __name__ == "__main__":
    main()
