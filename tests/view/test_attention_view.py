"""A view in a terminal, a notebook and a paper."""

import builtins
import sys
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from regard.view.attention_view import View, save_film
from regard.view.document import About
from tests.view.recorded import encoder

TOKENS = "[CLS] the cat sat on $x$ the mat . 漢字 שלום [SEP]".split()


@pytest.fixture
def view() -> View:
    return View(encoder(TOKENS), TOKENS, about=About(model="a model"))


def test_a_terminal_shows_what_it_is_and_where_it_looks(view: View) -> None:
    said = str(view)
    assert "a model" in said and "layer 1 (encoder.layers.1.attention), mean of 6 heads" in said
    assert "scaled_dot" in said and "recomputed from query and key" in said
    assert any(shade in said for shade in "▒▓█") and "\x1b" not in said
    row = view.text(layer=0, head=0, query=3)
    drawn = {line.split(" ")[0]: line for line in row.splitlines() if line}
    assert "█" in drawn["cat"], "head 0 of layer 0 looks at the previous token"


def test_a_large_matrix_is_told_by_its_largest_weights() -> None:
    tokens = [f"w{n}" for n in range(200)]
    said = View(encoder(tokens, layers=1), tokens).text(head=0)
    assert "12 of 200 queries, the 4 largest of 200" in said
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize("what", [{"layer": 9}, {"head": 6}, {"query": 99}])
def test_what_is_not_there_is_named(view: View, what: dict[str, int]) -> None:
    (name,) = what
    with pytest.raises(ValueError, match=f"there is no {name} {what[name]}: there are"):
        view.text(**what)


@pytest.mark.parametrize("kind", ["matrix", "lines"])
def test_figures_are_what_their_names_say(view: View, tmp_path: Path, kind: Any) -> None:
    pytest.importorskip("matplotlib")
    begins = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    for form, begin in begins.items():
        path = view.figure(tmp_path / f"a.{form}", layer=0, head=1, kind=kind)
        assert path.read_bytes().startswith(begin) and path.stat().st_size > 2000
    texts = {
        "".join(element.itertext()).strip()
        for element in ElementTree.parse(tmp_path / "a.svg").iter()
        if element.tag.endswith("text")
    }
    assert set(TOKENS) <= texts, "tokens are text in a figure, dollar signs included"
    first = (tmp_path / "a.svg").read_bytes()
    assert view.figure(tmp_path / "a.svg", layer=0, head=1, kind=kind).read_bytes() == first
    with pytest.raises(ValueError, match="svg, .pdf or .png, and 'a.txt'"):
        view.figure(tmp_path / "a.txt")


@pytest.mark.parametrize("scale", ["linear", "sqrt", "log"])
def test_every_scale_draws(view: View, tmp_path: Path, scale: Any) -> None:
    pytest.importorskip("matplotlib")
    assert view.figure(tmp_path / "a.png", scale=scale).stat().st_size > 2000


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    known = builtins.__import__

    def importing(name: str, *more: Any, **named: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return known(name, *more, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(builtins, "__import__", importing)


def test_without_matplotlib_the_way_to_it_is_said(
    view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "matplotlib")
    with pytest.raises(ImportError, match=r'pip install "regard\[plot\]"'):
        view.figure(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
    bundle = view._repr_mimebundle_()
    assert b64decode(bundle["image/png"]).startswith(b"\x89PNG")


def test_a_notebook_gets_a_frame_a_picture_and_a_text(view: View) -> None:
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/html"].count("<iframe") == 1 and "height:720px" in bundle["text/html"]
    assert 'sandbox="allow-scripts allow-downloads"' in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert bundle["text/plain"] == str(view)


def test_a_file_that_cannot_be_written_says_so_and_leaves_nothing(
    view: View, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="could not be written"):
        view.save(tmp_path / "no" / "a.html")
    assert not list(tmp_path.iterdir())


def test_comparisons_and_films_are_single_files(view: View, tmp_path: Path) -> None:
    compared = view.compared(view, tmp_path / "b.html").read_text()
    film = save_film([view, view], tmp_path / "c.html").read_text()
    assert '"kind":"compare"' in compared and '"kind":"film"' in film
