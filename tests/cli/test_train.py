"""`regard train` in this process: data of every format, budgets, and what is refused."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regard.cli.assembly import load_predictor
from regard.cli.layering import decided_by_data, layers_of
from regard.cli.recipes import TRANSLATE
from regard.view.run_log import read_run
from tests.cli.small import PAIRS, as_table, put, train_arguments

Call = Callable[..., str]


def config(run: Path) -> dict[str, Any]:
    return tomllib.loads((run / "config.toml").read_text())


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("pairs.tsv", "translate"),
        pytest.param(*("pairs.csv", "translate"), marks=pytest.mark.slow),
        pytest.param(*("pairs.jsonl", "translate"), marks=pytest.mark.slow),
        pytest.param(*("pairs.parquet", "translate"), marks=pytest.mark.slow),
        ("side", "translate"),
        pytest.param(*("labels.tsv", "classify"), marks=pytest.mark.slow),
        ("labels.jsonl", "classify"),
        ("text.txt", "language_model"),
    ],
)
def test_data_of_every_format_is_learned_from(
    kind: str, task: str, tmp_path: Path, done: Call
) -> None:
    said = done(*train_arguments(put(tmp_path, kind), tmp_path / "run"))
    assert f"read as {task}" in said and f"Learning {task}" in said
    run = read_run(tmp_path / "run")
    assert run.status() == "finished" and run.steps == 3
    assert config(tmp_path / "run")["data"]["task"] == task
    names = {path.name for path in (tmp_path / "run").iterdir() if path.name[0] != "."}
    assert names >= {
        "best",
        "checkpoints",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "report.html",
        "samples.jsonl",
    }
    assert ("On test data" in said) == (kind == "side")
    about = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert about["task"] == task and about["processes"] == 1 and about["parameters"] > 0
    assert load_predictor(tmp_path / "run" / "best").predict(["ab"])[0].text == "ab"


def test_rnnsearch_trains_through_the_same_path(tmp_path: Path, done: Call) -> None:
    data = put(tmp_path, "pairs.tsv")
    sizes = (f"{name}_dim=8" for name in ("embed", "hidden", "align", "maxout"))
    small = [part for size in sizes for part in ("--set", size)]
    more = ["--model", "rnnsearch", "--normalizer", "sparsemax", "--steps", "3", *small]
    done("train", "--data", data, "--out", tmp_path / "run", *more)
    settings = config(tmp_path / "run")["model"]
    assert (settings["name"], settings["score"]) == ("rnnsearch", "additive")
    predictor = load_predictor(tmp_path / "run" / "best")
    assert type(predictor.model).__name__ == "RNNsearch"
    assert predictor.about["normalizer"] == "sparsemax"


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(["--attention", "general"], marks=pytest.mark.slow),
        ["--attention", "additive", "--normalizer", "entmax"],
        pytest.param(["--normalizer", "learned_entmax"], marks=pytest.mark.slow),
        pytest.param(
            ["--normalizer", "sigmoid", "--set", "score_mod=relative_bias"],
            marks=pytest.mark.slow,
        ),
        ["--set", "score_mod=alibi", "--set", "window=2", "--set", "positions=none"],
        ["--set", "positions=learned", "--attention", "cosine"],
        ["--set", "positions=rope", "--set", "norm=pre", "--set", "tokens.joint=false"],
    ],
    ids=lambda parts: " ".join(word for word in parts if word[0] != "-"),
)
def test_a_part_that_is_named_is_trained_saved_and_found_again(
    parts: list[str], tmp_path: Path, done: Call
) -> None:
    done(*train_arguments(put(tmp_path, "pairs.tsv"), tmp_path / "run", *parts))
    settings = config(tmp_path / "run")["model"]
    predictor = load_predictor(tmp_path / "run" / "best")
    for name in ("score", "score_mod", "normalizer", "window"):
        assert predictor.about[name] == settings[name]
    samples = (tmp_path / "run" / "samples.jsonl").read_text().splitlines()
    shown = json.loads(samples[-1])["samples"][0]
    assert predictor.predict([shown["input"]])[0].answers[0][0] == shown["answer"]


def test_a_dry_run_says_how_the_data_is_read_and_leaves_nothing(
    tmp_path: Path, done: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = put(tmp_path / "data", "pairs.tsv")
    monkeypatch.chdir(tmp_path)
    said = done("train", "--data", data, "--dry-run")
    assert "read as translate (source -> target)" in said and "1. source: ab" in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data", "pairs.tsv"]
    assert "read as dates: en, fr" in done(
        "train", "dates", "--set", "languages=en,fr", "--dry-run"
    )


def test_one_may_ask_for_the_other_direction(tmp_path: Path, done: Call) -> None:
    data = put(tmp_path, "side")
    assert "(en -> de)" in done("train", "--data", data, "--dry-run")
    turned = done("train", "--data", data, "--source", "de", "--target", "en", "--dry-run")
    assert "(de -> en)" in turned


def test_a_budget_that_is_given_replaces_that_of_the_recipe(tmp_path: Path) -> None:
    data, file = put(tmp_path, "pairs.tsv"), tmp_path / "given.toml"
    file.write_text("[train]\nsteps = 2\n")

    def budget(config: Path | None = None, **train: float) -> dict[str, float]:
        given = {"data": {"path": str(data)}, "train": train}
        layers = layers_of("translate", given, config, [], "auto")
        settings, _ = decided_by_data(layers, None)
        entries = settings.train.entries()
        return {name: entries[name] for name in ("epochs", "steps", "seconds") if name in entries}

    assert budget() == {"epochs": TRANSLATE["train"]["epochs"]}
    assert budget(steps=3) == {"steps": 3}
    assert budget(file) == {"steps": 2}
    assert budget(file, epochs=0.5) == {"epochs": 0.5}
    assert budget(file, minutes=2.0) == {"seconds": 120.0}
    assert budget(steps=3, minutes=5.0) == {"steps": 3, "seconds": 300.0}


def test_settings_win_in_the_order_recipe_file_options_assignments(
    tmp_path: Path, done: Call
) -> None:
    data, given = put(tmp_path, "pairs.tsv"), tmp_path / "given.toml"
    given.write_text("[train]\nlearning_rate = 0.5\nbeta2 = 0.5\nclip = 2\n[data]\nsmoothing=0.2\n")
    more = ["--config", str(given), "--lr", "0.25", "--set", "beta2=0.75"]
    done(*train_arguments(data, tmp_path / "run", *more))
    settings = config(tmp_path / "run")
    train = settings["train"]
    assert (train["learning_rate"], train["beta2"], train["clip"]) == (0.25, 0.75, 2.0)
    assert train["weight_decay"] == TRANSLATE["train"]["weight_decay"]
    assert settings["data"]["smoothing"] == 0.2


def test_a_finished_run_is_found_again_and_trains_no_further(tmp_path: Path, done: Call) -> None:
    arguments = train_arguments(put(tmp_path, "pairs.tsv"), tmp_path / "run")
    done(*arguments)
    weights = (tmp_path / "run" / "best" / "model.safetensors").read_bytes()
    done(*arguments)
    done("train", "--resume", tmp_path / "run")
    assert read_run(tmp_path / "run").steps == 3
    assert (tmp_path / "run" / "best" / "model.safetensors").read_bytes() == weights
    done(*arguments, "--resume", "never")
    assert (tmp_path / "run-2" / "best").is_dir()


def test_a_run_with_other_settings_is_not_gone_on_with(
    tmp_path: Path, done: Call, mistake: Call
) -> None:
    data = put(tmp_path, "pairs.tsv")
    done(*train_arguments(data, tmp_path / "run"))
    said = mistake(*train_arguments(data, tmp_path / "run", "--lr", "0.5", "--set", "clip=2.0"))
    rate = TRANSLATE["train"]["learning_rate"]
    assert f"train.learning_rate is {rate} in the run and 0.5 now" in said
    assert "train.clip is 1.0 in the run and 2.0 now" in said
    assert "--resume never" in said
    many = ["clip=2.0", "longest=9", "batch_size=5", "batch_tokens=99", "seed=7"]
    settings = [part for one in many for part in ("--set", one)]
    said = mistake(*train_arguments(data, tmp_path / "run", *settings))
    assert said.count(" in the run and ") == 4 and "and 1 more; give the old values" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "say what to learn from: --data PATH"),
        (["--data", "nowhere.tsv"], "nowhere.tsv does not exist; in"),
        (["--data", "pirs.tsv"], "there is pairs.tsv"),
        (["--data", "empty.tsv"], "empty.tsv is empty"),
        (["--data", "blank.txt"], "the train text has 3 tokens"),
        (["--data", "latin.tsv"], "latin.tsv line 3: byte 0xfc at column 3 is not UTF-8"),
        (["--data", "ragged.tsv"], "ragged.tsv line 3"),
        (["--data", "uneven"], "uneven/train.de"),
        (["--data", "broken.jsonl"], "broken.jsonl line 2"),
        (["--data", "one.csv"], "label is 'good' in all"),
        (["--data", "nul.txt"], "nul.txt line 1: a NUL character"),
        (["--data", "pairs.tsv", "--source", "sorce"], "did you mean source"),
        (["--data", "pairs.tsv", "--encoding", "utf-9"], "no encoding is called 'utf-9'"),
        (["--data", "pairs.tsv", "--task", "classifi"], "invalid choice: 'classifi'"),
        (["translat", "--data", "pairs.tsv"], "no recipe 'translat': did you mean translate"),
        (["--data", "pairs.tsv", "--set", "emed_dim=3"], "no setting 'emed_dim', did you mean"),
        (["--data", "pairs.tsv", "--set", "lr"], "--set takes key=value"),
        (["--data", "pairs.tsv", "--set", "steps=soon"], "train.steps must be int, got 'soon'"),
        (["--data", "pairs.tsv", "--set", "seed=-1"], "seed must be at least 0"),
        (["--data", "pairs.tsv", "--lr", "0"], "give a number"),
        (["--data", "pairs.tsv", "--steps", "1.5"], "a whole number from 1, got '1.5'"),
        (["--data", "pairs.tsv", "--normalizer", "spasemax"], "did you mean sparsemax"),
        (["--data", "pairs.tsv", "--attention", "bahdanau"], "did you mean additive"),
        (["--data", "pairs.tsv", "--set", "score_mod=alibbi"], "did you mean alibi"),
        (["--data", "pairs.tsv", "--model", "lstn"], "invalid choice: 'lstn'"),
        (["--data", "labels.csv", "--model", "rnnsearch"], "for classify; choose transformer"),
        (["--data", "pairs.tsv", "--set", "num_heads=3"], "not divisible by num_heads 3"),
        (["--data", "pairs.tsv", "--set", "norm=mid"], "no norm 'mid': post, pre"),
        (
            ["--data", "pairs.tsv", "--set", "positions=rop"],
            "no positions 'rop': did you mean rope",
        ),
        (["--data", "pairs.tsv", "--set", "dropout=2.0"], "[model] dropout must be"),
        (
            ["--data", "pairs.tsv", "--set", "smoothing=1.5"],
            "[data] smoothing must be at least 0 and below 1",
        ),
        (
            ["--data", "pairs.tsv", "--set", "batch_tokens=0"],
            "[data] batch_tokens must be at least 1",
        ),
        (["--data", "pairs.tsv", "--set", "tokens.kind=bpa"], "no kind 'bpa': did you mean bpe"),
        (
            ["--data", "pairs.tsv", "--set", "tokens.size=3", "--set", "tokens.kind=bpe"],
            "size must be at least 260",
        ),
        (["--data", "pairs.tsv", "--set", "longest=1"], "none of"),
        (["--data", "text.txt", "--set", "block=100000"], "give more text or a smaller block"),
        (["--data", "pairs.tsv", "--config", "none.toml"], "none.toml cannot be read"),
        (["--data", "pairs.tsv", "--config", "bad.toml"], "bad.toml cannot be read"),
        (["--data", "pairs.tsv", "--config", "loose.toml"], "steps stands in no section"),
        (["--data", "pairs.tsv", "--config", "typo.toml"], "no section [trian], did you mean"),
        (["--data", "pairs.tsv", "--resume", "nowhere"], "--resume nowhere: there is no run"),
        (["--data", "pairs.tsv", "--out", "full"], "full exists and is no run"),
        (["--data", "pairs.tsv", "--out", "pairs.tsv"], "pairs.tsv"),
        (["--data", "pairs.tsv", "--out", "/dev/null/x"], "/dev/null"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_gets_one_sentence_and_leaves_nothing(
    arguments: list[str],
    why: str,
    tmp_path: Path,
    mistake: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in ("pairs.tsv", "labels.csv", "text.txt"):
        put(tmp_path, kind)
    (tmp_path / "empty.tsv").write_bytes(b"")
    (tmp_path / "blank.txt").write_bytes(b"\n \n\n")
    (tmp_path / "nul.txt").write_bytes(b"a\0b\n" * 30)
    (tmp_path / "latin.tsv").write_bytes("source\ttarget\na\tb\nfrüh\tearly\n".encode("latin-1"))
    (tmp_path / "ragged.tsv").write_text("source\ttarget\na\tb\na\tb\tc\n" + "a\tb\n" * 9)
    (tmp_path / "broken.jsonl").write_text('{"source": "a", "target": "b"}\n{"source": \n')
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"it {n},good\n" for n in range(9)))
    (tmp_path / "uneven").mkdir()
    (tmp_path / "uneven" / "train.en").write_text("a\nb\n")
    (tmp_path / "uneven" / "train.de").write_text("a\nb\nc\n")
    (tmp_path / "bad.toml").write_text("[train\n")
    (tmp_path / "loose.toml").write_text("steps = 3\n")
    (tmp_path / "typo.toml").write_text("[trian]\nsteps = 3\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.chdir(tmp_path)
    budget = [] if "--steps" in arguments or "steps=soon" in arguments else ["--steps", "2"]
    sizes = ["--set", "embed_dim=16"]
    assert why in mistake("train", *sizes, *arguments, *budget)
    after = {
        p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and ".data" not in p.parts
    }
    assert after == before


def test_a_file_of_long_lines_and_odd_ends_is_read_as_it_is(tmp_path: Path, done: Call) -> None:
    rows = [(f"{one}\u2028x", other) for one, other in PAIRS]
    path = as_table(tmp_path / "odd.tsv", ("source", "target"), rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    done(*train_arguments(path, tmp_path / "run"))
    predictor = load_predictor(tmp_path / "run" / "best")
    assert predictor.predict(["ab\u2028"])[0].unknown == ()


def test_a_test_part_is_examined_with_beams_at_the_end(tmp_path: Path, done: Call) -> None:
    said = done(*train_arguments(put(tmp_path, "side"), tmp_path / "run"))
    run = read_run(tmp_path / "run")
    (_, bleu), *_ = run.points("test", "bleu")
    assert f"bleu {bleu:.4g}" in said
