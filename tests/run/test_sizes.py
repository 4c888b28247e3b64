"""The dial `size`: what it sets, what wins over it, and which networks have none."""

from pathlib import Path

import pytest

import regard
from regard.cli import main
from regard.errors import UsageError
from regard.run.merging import settings_for
from regard.run.request import Request
from regard.run.sizes import SIZES
from regard.run.training import Options

TEXT = "abcd bad cab\n" * 60


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    Path("films.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)


def merged(recipe: str, *given: tuple[str, object], **more: object) -> dict[str, dict[str, object]]:
    asked = Request(recipe, given=(*given, *more.items()))
    return settings_for(asked, None)[0].entries()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recipe", ["bert", "transformer_lm"])
def test_a_size_sets_width_layers_heads_rate_and_budget(recipe: str, size: str) -> None:
    usual = merged(recipe, data="text.txt")
    found = merged(recipe, data="text.txt", size=size)
    row = SIZES[size]
    for name in ("embed_dim", "layers", "num_heads"):
        assert found["model"][name] == row[name]
    assert found["model"]["ff_dim"] == 4 * row["embed_dim"]
    assert found["train"]["learning_rate"] == row["learning_rate"]
    assert found["train"]["steps"] == usual["train"]["steps"] * row["steps"]  # type: ignore[operator]


def test_epochs_stay_and_what_is_given_wins() -> None:
    usual = merged("bert_classifier", data="films.csv")
    found = merged("bert_classifier", data="films.csv", size="mini", layers=3, lr=1e-4)
    assert found["train"]["epochs"] == usual["train"]["epochs"]
    assert (found["model"]["layers"], found["model"]["embed_dim"]) == (3, 256)
    assert found["train"]["learning_rate"] == 1e-4
    short = merged("bert", data="text.txt", size="mini", epochs=2)
    assert short["train"]["epochs"] == 2 and short["train"]["steps"] is None


def test_a_number_is_still_the_size_of_the_vocabulary() -> None:
    assert merged("bert", data="text.txt", size=50)["task"]["tokens"]["size"] == 50  # type: ignore[index]


def test_unknown_sizes_and_networks_without_any_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="there is no size 'smal': did you mean small"):
        merged("bert", data="text.txt", size="smal")
    with pytest.raises(UsageError, match="the model lstm has no sizes to dial; .* bert_classifier"):
        merged("lstm", data="films.csv", size="small")


def test_what_it_set_is_said_and_a_run_has_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "bert_classifier", "--data", "films.csv", "--size", "tiny", "--steps", "1"]
    assert main([*words, "--set", "ff_dim=16", "--out", "run"]) == 0
    said = capsys.readouterr().out
    assert "Of size tiny: embed_dim 128, layers 2, num_heads 2, ff_dim 16, learning_rate" in said
    with pytest.raises(UsageError, match="the network in run has its size; leave size out"):
        regard.train(
            "films.csv", start="run", size="mini", out="new", options=Options(progress=False)
        )
