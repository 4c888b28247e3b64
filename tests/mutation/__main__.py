"""Print which test file kills which seeded bug: `python -m tests.mutation [part of a name]`."""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import FAST, MUTANTS, first_failure, seeded


def say(name: str, cells: Iterable[str]) -> None:
    """Write one line of the matrix."""
    sys.stdout.write(" ".join([name.ljust(46), *(cell.ljust(9) for cell in cells)]) + "\n")
    sys.stdout.flush()


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    say("mutant", (Path(file).stem.removeprefix("test_")[:8] for file in FAST))
    kills = dict.fromkeys(FAST, 0)
    survivors = []
    for mutant in MUTANTS:
        if wanted not in mutant.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            place = seeded(mutant, Path(folder))
            found = {file: first_failure(place, [file]) for file in FAST}
        for file, failure in found.items():
            kills[file] += failure is not None
        if not any(found.values()):
            survivors.append(mutant.name)
        say(mutant.name, ("x" if failure else "." for failure in found.values()))
    say("kills", map(str, kills.values()))
    say("survivors:", survivors or ["none"])


main()
