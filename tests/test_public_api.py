"""The shop window: what is public is listed, importable, explained by example, and credited."""

import importlib
import importlib.resources
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import textwrap

import pytest

import regard
from regard import cli

FOLDERS = ["masks", "normalizers", "positions", "score_mods", "scores"]

NOBODYS_INVENTION = {
    # plumbing of masks, and ways to hand a pattern over
    "And",
    "Dense",
    "Mask",
    "Not",
    "Or",
    "Padding",
    # a term written out, and terms one after the other
    "Bias",
    "Chain",
    # normalizers older than the literature of attention
    "hard",
    "Hard",
    "sigmoid",
    "softmax",
    "Softmax",
    "divide_by_sum",
}
"""Parts that cite no paper because there is none to credit."""

REFERENCE = re.compile(r"^(?P<authors>.+?)\. (?P<title>.+)[.?] (?P<year>\d{4})\. https?://\S+$")


def parts() -> list[tuple[str, str]]:
    """List (folder, name) of every part."""
    return [
        (folder, name)
        for folder in FOLDERS
        for name in getattr(importlib.import_module(f"regard.{folder}"), "__all__", ())
    ]


def references(docstring: str) -> list[str]:
    """Read the entries of a docstring's `References:`, one per link."""
    _, _, block = inspect.cleandoc(docstring).partition("References:\n")
    lines = []
    for line in block.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line.strip())
    return re.findall(r"\S.*?https?://\S+", " ".join(lines))


def test_the_shop_window_is_sorted_complete_and_small() -> None:
    listed = regard.__all__
    assert listed == sorted(listed) and len(set(listed)) == len(listed)
    assert len(listed) <= 27
    assert set(listed) <= set(dir(regard))
    for name in listed:
        assert getattr(regard, name) is not None
    reachable = {name for name in vars(regard) if not name.startswith("_")}
    ours = {n for n in reachable if getattr(vars(regard)[n], "__module__", "regard") != "builtins"}
    submodules = {name for name in ours if inspect.ismodule(vars(regard)[name])}
    imported_for_itself = {"TYPE_CHECKING", "import_module"}
    assert ours - submodules - imported_for_itself <= set(listed)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="attentoin"):
        _ = regard.attentoin


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_lists_what_it_offers_in_order(folder: str) -> None:
    room = importlib.import_module(f"regard.{folder}")
    assert room.__all__ == sorted(room.__all__)
    assert room.__doc__
    for name in room.__all__:
        assert getattr(room, name).__module__.startswith(f"regard.{folder}.")
    public = {
        name
        for name, value in vars(room).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(room.__all__)


@pytest.mark.parametrize("name", [n for n in regard.__all__ if n not in FOLDERS])
def test_every_public_name_is_explained_by_an_example(name: str) -> None:
    docstring = getattr(regard, name).__doc__ or ""
    assert docstring.strip()
    assert ">>>" in docstring


@pytest.mark.parametrize(("folder", "name"), parts())
def test_every_part_is_explained_by_an_example_and_credits_its_paper(
    folder: str, name: str
) -> None:
    part = getattr(importlib.import_module(f"regard.{folder}"), name)
    docstring = part.__doc__ or ""
    assert docstring.strip() and ">>>" in docstring
    first = inspect.cleandoc(docstring).splitlines()[0]
    assert first.endswith((".", ":", "?")) and len(first) <= 100
    cited = references(docstring)
    if name in NOBODYS_INVENTION and not cited:
        return
    assert cited, "add References: Authors. Title. Year. link — or a row in NOBODYS_INVENTION"
    for entry in cited:
        assert REFERENCE.match(entry), f"not 'Authors. Title. Year. link': {entry}"


@pytest.mark.parametrize("module", ["regard", "regard.errors", "regard.cli"])
def test_importing_it_does_not_import_torch(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "babel", "numba", "einops"} & set(json.loads(done.stdout))
    assert not heavy


LATER = {
    # PyTorch's compiler takes as long to import as PyTorch; what trains needs it for its optimizer.
    *("torch._dynamo", "torch.distributed.tensor", "sympy"),
    # Only some uses need these, and not everyone has them.
    *("scipy", "networkx", "matplotlib", "huggingface_hub", "transformers", "datasets"),
}


@pytest.mark.slow
def test_importing_every_command_imports_nothing_that_only_some_of_their_uses_need() -> None:
    modules = [f"regard.cli.{found.name}" for found in pkgutil.iter_modules(cli.__path__)]
    modules += ["regard.explain", "regard.view.attention_view"]
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not LATER & set(json.loads(done.stdout))


@pytest.mark.slow  # twenty processes
def test_every_name_can_be_had_first_of_all() -> None:
    # A child for each module, so that none profits from what another has imported.
    code = textwrap.dedent(
        """
        import os, torch, regard
        for name in {regard._HOMES.get(name, name): name for name in regard.__all__}.values():
            child = os.fork()
            if not child:
                getattr(regard, name)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, name
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_says_that_it_is_typed() -> None:
    assert (importlib.resources.files("regard") / "py.typed").is_file()
