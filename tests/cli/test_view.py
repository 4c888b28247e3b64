"""`regard view` writes a page, says where, and names what was mistyped."""

from pathlib import Path

import pytest

import regard
from regard.cli import main
from regard.cli.options.values import layers
from regard.run.training import Options
from tests.pictures import drawn_file


@pytest.fixture(autouse=True)
def run_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    quiet = Options(progress=False)
    regard.train("films.csv", model="transformer_classifier", steps=1, out="run", options=quiet)


def test_a_page_is_written_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "run", "a good film", "--layers", "0", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("answer: ") and said.endswith("page: attention.html\n")
    page = Path("attention.html").read_text()
    assert "Content-Security-Policy" in page and "http://" not in page.replace("http://www.w3", "")


def test_a_network_that_attends_to_nothing_is_said_in_words_of_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in range(8):
        path = Path("pets", "cat" if number % 2 else "dog", f"{number}.png")
        drawn_file((50, 9 * number, 9), path=path)
    settings = {"size": 16, "short_side": 16, "steps": 1}
    regard.train("pets", model="resnet", out="plain", options=Options(progress=False), **settings)
    assert main(["view", "plain", str(path)]) == 2
    said = capsys.readouterr().err
    assert "no attention was seen in plain (resnet): this network attends to nothing" in said
    assert "regard.capture" not in said and not Path("attention.html").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere", "text"], "there is no folder nowhere"),
        (["run", ""], "text 1 of 1 is empty"),
        (["run", "film", "--layers", "7"], "7"),
        (["run", "film", "--layers", "decodr"], "decodr"),
        (["run", "film", "--layers", "3-1"], "3-1 ends before it begins"),
        (["run", "film", "--layers", "0-99999999"], "more than 10,000 layers"),
        (["run", "film", "--out", "no/where.html"], "there is no folder no"),
        (["run", "film", "--lang", "fr"], "fr"),
        (["run"], "TEXT"),
    ],
)
def test_what_was_mistyped_is_named(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", *words]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1
    assert not Path("attention.html").exists()


def test_layers_are_numbers_ranges_and_names() -> None:
    assert layers("0-2,-1,decoder.*,encoder.layer-norm") == [
        *(0, 1, 2, -1),
        *("decoder.*", "encoder.layer-norm"),
    ]
