"""What a network is asked about is what its page shows, token by token."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.errors import UsageError
from regard.run.asked_network import asked_network
from regard.run.training import Options
from regard.run.viewing import view

QUIET = Options(progress=False)
FILMS = "text,label\n" + "a good film,pos\na bad film,neg\n" * 20
PAIRS = "a good film\tein guter Film\na bad film\tein schlechter Film\n" * 30
MATCHES = "left,right,label\n" + "a good film,a film,same\na bad film,good play,other\n" * 20
TAGS = "good\tA\nfilm\tN\n\nbad\tA\nplay\tN\n\n" * 12
RUNS: dict[str, tuple[str, str, dict[str, Any], Any]] = {
    "lstm": ("films.csv", FILMS, {}, "a good film"),
    "transformer_classifier": ("films.csv", FILMS, {}, "a good film"),
    "rnnsearch": ("pairs.tsv", PAIRS, {"task": "translate"}, "a good film"),
    "transformer": ("pairs.tsv", PAIRS, {"task": "translate"}, "a good film"),
    "transformer_lm": ("book.txt", "a good film now. " * 200, {}, "a good"),
    "transformer_tagger": ("tags.conll", TAGS, {"task": "tag"}, "good film"),
    "abcnn": ("match.csv", MATCHES, {}, "a good film\ta play"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(model: str) -> Any:
    file, content, settings, given = RUNS[model]
    Path(file).write_text(content)
    run = regard.train(file, model=model, steps=1, out="run", options=QUIET, **settings)
    return run, given


@pytest.mark.parametrize("model", RUNS)
def test_every_run_is_viewed_with_the_tokens_that_it_read_and_wrote(model: str) -> None:
    run, given = trained(model)
    found = run.view(given)
    (answer,) = run.predict([given])
    assert found.about.answer == answer.best and model in found.about.model
    lengths = {each.shape[2:] for each in found.maps}
    known = {len(found.tokens), len(found.queries or ()), 1}
    assert all(length in known for pair in lengths for length in pair), lengths
    if model != "transformer_lm":  # its letters are those of the text that it writes
        assert "good" in "".join(found.tokens)
    path = found.save("page.html")
    assert path.stat().st_size > 50_000


@pytest.mark.parametrize("model", ["rnnsearch", "abcnn"])
def test_the_weights_are_those_of_the_answer(model: str) -> None:
    run, given = trained(model)
    (answer,), found = run.predict([given]), run.view(given)
    (only,) = found.maps
    torch.testing.assert_close(only.weights()[0, 0], answer.weights, rtol=1e-5, atol=1e-6)
    assert tuple(found.tokens) == answer.inputs and tuple(found.queries) == answer.outputs


def test_layers_are_chosen_and_the_network_stays_as_it_was() -> None:
    run, given = trained("transformer_classifier")
    before = dict(vars(run.model))
    assert len(run.view(given, layers=[-1]).maps) == 1
    assert vars(run.model).keys() == before.keys() and not run.model._forward_pre_hooks
    with pytest.raises(UsageError, match="decoder"):
        run.view(given, layers="decoder.*")


def test_pictures_are_shown_under_their_patches() -> None:
    from PIL import Image

    for label in ("dark", "light"):
        Path("pictures", label).mkdir(parents=True)
        for number in range(6):
            shade = np.full((16, 16, 3), 40 + 150 * (label == "light") + number, np.uint8)
            Image.fromarray(shade).save(Path("pictures", label, f"{number}.png"))
    sizes = {"embed_dim": 16, "layers": 2, "num_heads": 2, "patch_size": (4, 4), "ff_dim": 32}
    run = regard.train(
        "pictures", model="vit_classifier", steps=1, out="run", options=QUIET, size=16, **sizes
    )
    found = run.view("pictures/dark/0.png")
    assert len(found.maps) == 2 and found.tokens[:2] == ["[CLS]", "r1 c1"]
    assert found.image is not None and len(found.tokens) == 17
    assert b"data:image/png" in found.save("page.html").read_bytes()


def test_bodies_without_a_task_are_viewed(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tests.run.test_fine_tuning_writers import gpt2, llama, t5

    transformers.logging.disable_progress_bar()
    Path("films.csv").write_text(FILMS)
    for made, layers in ((gpt2, 2), (llama, 2), (t5, 6)):
        found = view(made(), "good film")
        assert len(found.maps) == layers
        assert found.save("page.html").stat().st_size > 50_000
    assert view("t5", "good film").queries is not None
    for given in ("", "  ", 3):
        with pytest.raises(UsageError, match="the network reads texts"):
            view("gpt2", given)


def test_what_cannot_be_asked_is_said() -> None:
    run, _ = trained("abcnn")
    with pytest.raises(UsageError, match="tab"):
        run.view("one sentence")
    with pytest.raises(FileNotFoundError, match="no folder"):
        view("nowhere", "text")
    asked = asked_network("run", "a good film\ta play")
    assert asked().shape == (1, 2)
