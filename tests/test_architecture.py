"""The tree of DESIGN.md §2: imports point strictly down, and some things are never done at all."""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "regard"

LEVELS = {
    "_numbers": -1,
    "_torch_private": -1,
    "_nearest": -1,
    "_printable": -2,
    "_spelling": -1,
    "_typing": 0,
    "errors": 0,
    "_io": 0,
    "_kernels": 0,
    "_metrics": 0,
    "_pairwise": 0,
    "config": 1,
    "scores": 1,
    "score_mods": 1,
    "masks": 1,
    "normalizers": 1,
    "positions": 1,
    "parts": 2,
    "sequences": 2,
    "_backends": 2,
    "_attention": 3,
    "_partial": 3,
    "context": 4,
    "layers": 4,
    "vision": 4,
    "generation": 5,
    "data": 5,
    "explain": 5,
    "models": 6,
    "view": 6,
    "benching": 7,
    "capturing": 7,
    "tasks": 7,
    "training": 8,
    "run": 9,
    "serving": 10,
    "cli": 11,
    "__main__": 12,
}
"""Module → level. The public API, `regard/__init__.py`, is above them all and imported by none."""

THE_ORACLE = "regard._backends.reference"
MAY_SEE_THE_ORACLE = {"regard._backends", "regard._backends._plan", "regard._backends._weights"}
"""The planner offers the reference, weights are shown by it; fast code does neither."""

BANNED_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
BANNED_CALLS = {
    "__import__",
    "eval",
    "exec",
    "numpy.fromfile",
    "pandas.read_pickle",
    "torch.load",
    "torch.save",
    "yaml.load",
}
THE_PICKLE = ("regard.models.converting", "torch.load")
"""`regard convert`, which reads tensors of pickles, and nothing but tensors."""
BANNED_NAMES = {"common", "helpers", "misc", "util", "utils"}


def modules() -> list[Path]:
    """List the package's source files."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Spell a file as a module name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """Name the room a module of the package is in; None is the shop window itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def is_type_checking(node: ast.AST) -> bool:
    """Recognize `if TYPE_CHECKING:`, whose imports do not happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def spelled(called: ast.AST) -> str:
    """Spell a function's name with its dots, as `ast.unparse` does in a hundred times the time."""
    if isinstance(called, ast.Attribute):
        return f"{spelled(called.value)}.{called.attr}"
    return called.id if isinstance(called, ast.Name) else "?"


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk everything that may run, inside functions too."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for rest in child.orelse:
                yield from [rest, *walk(rest)]
        else:
            yield child
            yield from walk(child)


def imports(module: str, source: str, is_package: bool) -> list[tuple[int, str]]:
    """List (line, module) of everything imported, submodules named by `from` included."""
    found = []
    for node in walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([base] if base else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            # `from regard import masks` is of masks, `from regard.masks import Causal` of masks.
            found += [(node.lineno, name) for name in names]
        elif isinstance(node, ast.Call) and spelled(node.func).endswith("import_module"):
            if node.args and isinstance(node.args[0], ast.Constant):
                found.append((node.lineno, str(node.args[0].value)))
    return found


def import_faults(module: str, source: str, is_package: bool = False) -> list[str]:
    """Say what is wrong with a module's imports."""
    faults = []
    room = room_of(module)
    for line, target in imports(module, source, is_package):
        at = f"{module}:{line} imports {target}"
        top = target.split(".")[0]
        if top in {"tests", "benchmarks", "examples"}:
            faults.append(f"{at}, which is not part of the package")
        if top in BANNED_MODULES:
            faults.append(f"{at}, which runs code from files")
        if top == "regard" and room is not None:
            their_room = room_of(target)
            if their_room not in LEVELS:
                faults.append(f"{at} through the shop window; import the room it lives in")
            elif their_room != room and LEVELS[their_room] >= LEVELS[room]:
                faults.append(
                    f"{at}: {room} is on level {LEVELS[room]}, {their_room} on "
                    f"{LEVELS[their_room]}; imports point strictly down"
                )
        if target.startswith(THE_ORACLE) and module not in MAY_SEE_THE_ORACLE | {THE_ORACLE}:
            faults.append(f"{at}: fast code may not use the reference it is judged by")
    return faults


def loads_weights_only(call: ast.Call) -> bool:
    """Whether it says `weights_only=True` in so many words, and passes nothing unnamed on."""
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    only = said.get("weights_only")
    return isinstance(only, ast.Constant) and only.value is True and None not in said


def deed_faults(module: str, source: str) -> list[str]:
    """Say which banned things a source does."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            if any(alias.name == "annotations" for alias in node.names):
                faults.append(f"{module}:{node.lineno} turns annotations into strings")
        if isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            faults += [f"{module}:{node.lineno} imports {name}" for name in whole & BANNED_CALLS]
        if isinstance(node, ast.Call):
            called = spelled(node.func).replace("np.", "numpy.").replace("pd.", "pandas.")
            careful = (module, called) == THE_PICKLE and loads_weights_only(node)
            if called.removeprefix("builtins.") in BANNED_CALLS and not careful:
                faults.append(f"{module}:{node.lineno} calls {called}")
            if any(keyword.arg == "allow_pickle" for keyword in node.keywords):
                faults.append(f"{module}:{node.lineno} passes allow_pickle")
    return faults


def test_every_room_has_a_level() -> None:
    rooms = {room_of(name_of(path)) for path in modules()} - {None}
    assert rooms <= set(LEVELS), "give these a level in DESIGN.md §2 and here"


def test_imports_point_strictly_down() -> None:
    faults = [
        fault
        for path in modules()
        for fault in import_faults(
            name_of(path), path.read_text("utf-8"), path.name == "__init__.py"
        )
    ]
    assert not faults, "\n".join(faults)


def test_nothing_runs_code_from_files_or_strings() -> None:
    faults = [
        fault for path in modules() for fault in deed_faults(name_of(path), path.read_text("utf-8"))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("folder", ["benchmarks", "examples"])
def test_scripts_beside_the_package_run_no_code_from_files_either(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        source = path.read_text("utf-8")
        faults = deed_faults(name_of(path), source)
        faults += [
            f"{path}:{line} imports {target}"
            for line, target in imports(name_of(path), source, False)
            if target.split(".")[0] in BANNED_MODULES
        ]
        assert not faults, "\n".join(faults)


def test_nothing_is_called_utils() -> None:
    folders = [PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "examples"]
    paths = [path for folder in folders for path in folder.rglob("*")]
    bad = [path for path in paths if path.stem.strip("_").lower() in BANNED_NAMES]
    assert not bad, "a shared helper has a name that says what it does"


def test_annotations_are_never_strings_in_tests_either() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if "__future__" in (source := path.read_text("utf-8")):
            assert not [fault for fault in deed_faults(name_of(path), source) if "strings" in fault]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("regard.masks.causal", "from regard._attention import attention"),
        ("regard.masks.causal", "from regard.scores import Dot"),
        ("regard.masks.causal", "import regard"),
        ("regard.masks.causal", "from regard import attention"),
        ("regard.masks.causal", "from regard import scores"),
        ("regard.masks.causal", "from ..scores import Dot"),
        ("regard.masks.causal", "import regard.layers.multi_head"),
        ("regard.masks.causal", "from tests.tolerance import assert_close_to_golden"),
        ("regard.data.dates", "def f():\n    from regard.models import rnnsearch"),
        (
            "regard.models.rnnsearch.model",
            "import importlib; importlib.import_module('regard.cli')",
        ),
        ("regard._backends.chunked", "from regard._backends.reference import evaluate"),
        ("regard._backends.chunked", "from regard._backends import reference"),
        ("regard._backends.chunked", "from . import reference"),
        ("regard.layers.multi_head", "from regard._backends.reference import evaluate"),
        ("regard.errors", "from regard._typing import Mask"),
        ("regard.training.loop", "import pickle"),
        ("regard.training.loop", "from pickle import loads"),
    ],
)
def test_a_wrong_import_is_caught(module: str, line: str) -> None:
    assert import_faults(module, line)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("regard.masks.causal", "from regard.masks._mask import Mask"),
        ("regard.masks.causal", "from . import _mask"),
        ("regard.masks.causal", "from ..errors import RegardError"),
        ("regard.layers.multi_head", "from regard import masks"),
        ("regard.layers.multi_head", "import regard._attention"),
        ("regard._backends._plan", "from regard._backends import reference"),
        (
            "regard.masks.causal",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from regard.cli import main",
        ),
        ("regard", "from regard.cli import main"),
        ("regard.training.loop", "import numpy as np"),
    ],
)
def test_a_right_import_passes(module: str, line: str) -> None:
    assert not import_faults(module, line)


@pytest.mark.parametrize(
    "line",
    [
        "from __future__ import annotations",
        "eval('1')",
        "exec('1')",
        "torch.load(path)",
        "from torch import load",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "__import__(name)",
    ],
)
def test_a_wrong_deed_is_caught(line: str) -> None:
    assert deed_faults("regard.anything", textwrap.dedent(line))


@pytest.mark.parametrize(
    "call",
    ["load(path)", "load(path, weights_only=False)", "load(path, weights_only=only)",
     "load(path, weights_only=1)", "load(path, weights_only=True, **more)"],
)  # fmt: skip
def test_the_one_pickle_is_opened_with_care(call: str) -> None:
    module, _ = THE_PICKLE
    assert deed_faults(module, f"torch.{call}")
    assert deed_faults("regard.anything", "torch.load(path, weights_only=True)")
    assert not deed_faults(module, "torch.load(path, map_location='cpu', weights_only=True)")


def test_a_pickle_is_opened_in_one_place_and_never_without_weights_only() -> None:
    found = {name_of(p): p.read_text("utf-8").count("torch.load(path") for p in modules()}
    assert {name for name, count in found.items() if count} == {THE_PICKLE[0]}


@pytest.mark.parametrize("line", ["model.eval()", "re.compile('x')", "json.load(file)", "load(x)"])
def test_a_harmless_deed_passes(line: str) -> None:
    assert not deed_faults("regard.anything", line)
