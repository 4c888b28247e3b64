"""What the rebuilt upper half costs a reader: sizes, names, arguments, walks, and times to start.

Counted in the source of two checkouts, without importing it, but for the walks (`benchmarks.walk`)
and the times, for which both are run, in turns. A name is public if it does not begin with `_`;
constructor arguments are those of `__init__` without self, or the fields of a dataclass, inherited
ones included; a string mode is a comparison with a word, `== "word"` or `in ("word", ...)`.

    python -m benchmarks.house --before CHECKOUT [--times 15]
"""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.measure import save

HERE = Path(__file__).parents[1]
COMMANDS = {
    "import_regard": ["-c", "import regard"],
    "regard_help": ["-m", "regard", "--help"],
    "nothing": ["-c", "pass"],
}


def sources(folder: Path) -> dict[Path, str]:
    """Every Python file below a folder and its text."""
    return {path: path.read_text("utf-8") for path in sorted(folder.rglob("*.py"))}


def lines(files: dict[Path, str]) -> int:
    """Lines altogether."""
    return sum(len(text.splitlines()) for text in files.values())


def shared_names(files: dict[Path, str]) -> dict[str, Any]:
    """Public classes and functions at top level, and which of the names stand in several files."""
    homes: dict[str, set[Path]] = defaultdict(set)
    for path, text in files.items():
        for node in ast.parse(text).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name[0] != "_":
                homes[node.name].add(path)
    several = sorted(name for name, found in homes.items() if len(found) > 1)
    return {
        "public_names": len(homes),
        "in_several_files": len(several),
        "percent_in_several_files": round(100 * len(several) / len(homes), 2),
        "names_in_several_files": several,
    }


def constructor_arguments(files: dict[Path, str]) -> dict[str, Any]:
    """How many arguments a public class takes: median, 90th percentile and the most."""
    nodes = [node for text in files.values() for node in ast.walk(ast.parse(text))]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    by_name = {node.name: node for node in classes}
    counts = {}
    for node in classes:
        count = _arguments(node, by_name)
        if count is not None and node.name[0] != "_":
            counts[node.name] = max(count, counts.get(node.name, 0))
    most = max(counts, key=lambda name: counts[name])
    return {
        "classes": len(counts),
        "median": median(counts.values()),
        "p90": quantiles(counts.values(), n=10, method="inclusive")[-1],
        "max": counts[most],
        "max_class": most,
    }


def _arguments(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> int | None:
    """Arguments of a class that says what it takes; None for one that does not."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            given = each.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            return len(named) - 1 + bool(given.vararg) + bool(given.kwarg)
    return len(_fields(node, known)) if _is_dataclass(node) else None


def _fields(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> set[str]:
    found = set()
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in known and _is_dataclass(known[base.id]):
            found |= _fields(known[base.id], known)
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            if not ast.unparse(each.annotation).startswith("ClassVar"):
                found.add(each.target.id)
    return found


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(ast.unparse(each).startswith("dataclass") for each in node.decorator_list)


def string_modes(files: dict[Path, str]) -> Iterator[str]:
    """Comparisons with a word."""
    for text in files.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Compare) and any(map(_is_mode, node.ops, node.comparators)):
                yield ast.unparse(node)


def _is_mode(op: ast.cmpop, other: ast.expr) -> bool:
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(other, (ast.Tuple, ast.List, ast.Set)):
        return any(_is_word(each) for each in other.elts)
    return isinstance(op, (ast.Eq, ast.NotEq)) and _is_word(other)


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def walk(checkout: Path, what: str) -> dict[str, list[str]]:
    """The files that are entered to the first gradient, or until a word has become a part."""
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-P", str(HERE / "benchmarks" / "walk.py"), what, folder]
        done = subprocess.run(program, env=_environment(checkout), cwd=folder, capture_output=True)
        if done.returncode:
            raise SystemExit(done.stderr.decode())
        return json.loads((Path(folder) / "walk.json").read_text())


def best_seconds(checkouts: list[Path], arguments: list[str], times: int) -> list[dict[str, float]]:
    """The least seconds that a fresh process takes in each checkout, by the clock and computing."""
    walls: list[list[float]] = [[] for _ in checkouts]
    computing: list[list[float]] = [[] for _ in checkouts]
    for _ in range(times):
        for number, checkout in enumerate(checkouts):
            before, start = os.times(), time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                env=_environment(checkout),
                stdout=subprocess.DEVNULL,
                check=True,
                cwd="/",
            )
            walls[number].append(time.perf_counter() - start)
            after = os.times()
            used = after.children_user - before.children_user
            computing[number].append(used + after.children_system - before.children_system)
    return [
        {"wall_s": round(min(wall), 4), "processor_s": round(min(used), 4)}
        for wall, used in zip(walls, computing, strict=True)
    ]


def _environment(checkout: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}


def counted(checkout: Path) -> dict[str, Any]:
    """What is said of one checkout, but for times."""
    package = checkout / "regard"
    files = sources(package)
    inner = {
        path: text
        for path, text in files.items()
        if path.relative_to(package).parts[0] in ("models", "layers")
    }
    modes = len(list(string_modes(inner)))
    word = walk(checkout, "word")
    return {
        "files": len(files),
        "lines": lines(files),
        "lines_cli": lines(sources(package / "cli")),
        "lines_run": lines(sources(package / "run")) if (package / "run").is_dir() else 0,
        "lines_toml": sum(len(path.read_text().splitlines()) for path in package.rglob("*.toml")),
        "lines_tests": lines(sources(checkout / "tests")),
        "names": shared_names(files),
        "constructor_arguments": constructor_arguments(files),
        "string_modes": modes,
        "string_modes_per_kloc": round(1000 * modes / lines(inner), 2),
        "annotated_any": sum(len(re.findall(r": Any\b", text)) for text in files.values()),
        "files_to_first_gradient": len(walk(checkout, "gradient")["entered"]),
        "files_from_word_to_score": len(word["entered"]),
        "files_that_hold_the_word": len(word["holding"]),
        "holding_the_word": word["holding"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout of commit 333568b")
    parser.add_argument("--times", type=int, default=15)
    options = parser.parse_args()
    checkouts = [options.before.resolve(), HERE]
    rows = [{"what": name} for name in ("before", "after")]
    for row, checkout in zip(rows, checkouts, strict=True):
        row |= counted(checkout)
    for name, arguments in COMMANDS.items():
        found = best_seconds(checkouts, arguments, options.times)
        for row, seconds in zip(rows, found, strict=True):
            row[name] = seconds
    for key in rows[0]:
        print(f"{key:28} {rows[0][key]!s:40.40} {rows[1][key]!s:.40}")
    save("house", rows, before="333568b")


if __name__ == "__main__":
    main()
