"""How fast many rows are read and encoded, with how much memory, and how soon a dry run ends.

    python -m benchmarks.reading --rows 10000000
    python -m benchmarks.reading --rows 10000000 --code ../before --name before

Files are made of drawn words and the number of each row, so that every row has a word of its own: a
CSV of short texts with three labels, a TSV of pairs of sentences. A process of its own reads and
then encodes a file; the memory of each is its high-water mark. Seconds are those of a clock and
those that the processor was busy, which other processes do not change.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.measure import rows_of, save

WORDS, DRAWN = 20_000, 50_021
LABELS = ("good", "bad", "so so")
GIGABYTE = 2**30
STAGES = """
import json, resource, sys, time
from pathlib import Path
stages, path, place = sys.argv[1:]

def dry_run():
    sys.argv = ["regard", "train", "--data", path, "--dry-run"]
    from regard.cli import main
    try:
        main()
    except SystemExit:
        pass

def read():
    global corpus
    corpus = read_corpus(DataSettings(path=path), None, Path(place), known_schemas())

def encode():
    kind, folder = task_class(corpus.task), Path(place, "encoded")
    folder.mkdir()
    kind.prepare(corpus, kind.settings_type(), folder)

if stages != "dry run":
    from regard.run.corpora import known_schemas, read_corpus
    from regard.run.settings import DataSettings
    from regard.tasks import task_class
for stage in stages.split(","):
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark is what is held now
    start, busy = time.perf_counter(), time.process_time()
    {"read": read, "encode": encode, "dry run": dry_run}[stage]()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM"))
    if stage == "dry run":  # from the start of the process, with what it imports
        used = resource.getrusage(resource.RUSAGE_SELF)
        busy = used.ru_utime + used.ru_stime
    found = {"seconds": seconds, "busy": busy, "megabytes": int(peak) / 1024}
    print(json.dumps({"stage": stage, **found}), file=sys.stderr)
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


def measured(stages: Sequence[str], path: Path, code: Path) -> list[dict[str, Any]]:
    """What each stage took, in one process with a cache of its own."""
    environment = dict(os.environ) | {"PYTHONPATH": str(code.resolve())}
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        done = subprocess.run(
            [sys.executable, "-c", STAGES, ",".join(stages), str(path), place],
            env=environment,
            cwd=place,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    found = [json.loads(line) for line in done.stderr.splitlines()[-len(stages) :]]
    return [
        {k: round(v, 2) if isinstance(v, float) else v for k, v in each.items()} for each in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where files are made and deleted")
    parser.add_argument("--code", type=Path, help="a checkout to measure in place of this one")
    parser.add_argument("--name", default="this", help="what that is called in the results")
    parser.add_argument("--stages", default="read,encode,dry run")
    parser.add_argument("--data", default="labels.csv,pairs.tsv")
    options = parser.parse_args()
    stages = options.stages.split(",")
    rows = rows_of("reading")

    def add(data: str, wanted: Sequence[str], path: Path, count: int) -> None:
        for found in measured(wanted, path, options.code or Path(__file__).parents[1]):
            row = {"code": options.name, "data": data, "rows": count, **found}
            if row["stage"] != "dry run":  # which looks at the first rows alone
                row["rows_per_busy_second"] = round(count / row["busy"])
            row["load"] = round(os.getloadavg()[0], 1)
            print(row, flush=True)
            same = ("code", "data", "stage", "rows")
            rows[:] = [each for each in rows if any(each[k] != row[k] for k in same)] + [row]
        save("reading", rows)

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        many = [stage for stage in ("read", "encode") if stage in stages]
        for data, make in (("labels.csv", write_labels), ("pairs.tsv", write_pairs)):
            if many and data in options.data.split(","):
                path = Path(folder, data)
                make(path, options.rows)
                add(data, many, path, options.rows)
                path.unlink()
        if "dry run" in stages:
            path = Path(folder, "ten.csv")
            write_labels(path, 10)
            add("ten.csv", ["dry run"], path, 10)
            path = Path(folder, "gigabyte.csv")
            write_labels(path, 1_000_000)
            enlarge(path, GIGABYTE)
            with path.open("rb") as file:
                count = sum(1 for _ in file) - 1
            add("gigabyte.csv", ["dry run"], path, count)


if __name__ == "__main__":
    main()
