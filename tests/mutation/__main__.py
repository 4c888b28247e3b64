"""Print which test file kills which seeded bug: `python -m tests.mutation [--first] [name]`.

`--first` stops at the first file that kills; a name, or a part of one, picks the bugs. Each is
tested in a fork of this process, which has imported what takes long, but neither the package nor
its tests. The shape hook is off, for speed. The source without a bug comes first and must pass.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import einops  # noqa: F401
import pytest
import torch.nn.attention.flex_attention  # noqa: F401
import torch.utils.checkpoint  # noqa: F401

from tests.mutation.mutants import FAST, MUTANTS, Mutant, seeded

OPTIONS = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-m", "not slow"]
NOTHING = Mutant("nothing", "__init__.py", "__version__ =", "__version__ =")


def kills(folder: Path, file: str) -> bool:
    """Whether a test of this file fails in the folder."""
    child = os.fork()
    if child == 0:
        os._exit(_run(folder, file))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 1, 2), f"{file} ended with {code}: {(folder / 'log').read_text()}"
    return code != 0


def _run(folder: Path, file: str) -> int:
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "regard")]:
        del sys.modules[name]
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(Path.cwd())))]
    os.environ |= {"HYPOTHESIS_PROFILE": "quick", "PYTHONDONTWRITEBYTECODE": "1"}
    with open("log", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        return int(pytest.main([*OPTIONS, "-o", "addopts=--import-mode=importlib", file]))


def _files(mutant: Mutant) -> list[str]:
    """The files that should kill it; every one that is used must pass without a bug."""
    if mutant is NOTHING:
        return sorted({*FAST, *(one.only for one in MUTANTS if one.only)}, key=_place)
    return FAST if mutant.only is None else [mutant.only]


def _place(file: str) -> tuple[int, str]:
    return FAST.index(file) if file in FAST else len(FAST), file


def say(name: str, cells: Iterable[str]) -> None:
    """Write one line of the matrix."""
    sys.stdout.write(" ".join([name.ljust(46), *(cell.ljust(9) for cell in cells)]) + "\n")
    sys.stdout.flush()


def main() -> int:
    first = "--first" in sys.argv
    wanted = "".join(word for word in sys.argv[1:] if word != "--first")
    say("mutant", (Path(file).stem.removeprefix("test_")[:9] for file in FAST))
    counts = dict.fromkeys(FAST, 0)
    survivors = []
    for mutant in [NOTHING, *(mutant for mutant in MUTANTS if wanted in mutant.name)]:
        found: dict[str, bool] = {}
        with tempfile.TemporaryDirectory() as folder:
            place = seeded(mutant, Path(folder))
            for file in _files(mutant):
                if not (first and any(found.values())):
                    found[file] = kills(place, file)
        for file, killed in found.items():
            counts[file] = counts.get(file, 0) + killed
        if mutant is NOTHING:
            assert not any(found.values()), f"without a bug these fail already: {found}"
        elif not any(found.values()):
            survivors.append(mutant.name)
        marks = ["x" if killed else "." for killed in found.values()]
        say(mutant.name, marks if mutant.only is None else [*marks, mutant.only])
    say("kills", map(str, counts.values()))
    say("survivors:", survivors or ["none"])
    return len(survivors)


if __name__ == "__main__":
    sys.exit(main())
