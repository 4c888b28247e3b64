"""Mistyped on purpose: one sentence with the name, the numbers and the fix, and nothing is lost.

Each case is what stands behind `regard train`, and a piece of the sentence.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from regard.view.run_log import read_run
from tests.cli.small import put, sets, train_arguments

Call = Callable[..., str]
Case = tuple[list[str], str]

PAIRS, LABELS = ["--data", "pairs.tsv"], ["--data", "labels.csv"]

DATA: list[Case] = [
    ([], "say what to learn from (--data PATH), or a recipe that brings its own data: abcnn, "),
    (["--data", ""], "say what to learn from (--data PATH)"),
    (["--data", "nowhere.tsv"], "nowhere.tsv does not exist; in"),
    (["--data", "pirs.tsv"], "there is pairs.tsv"),
    (["--data", "empty.tsv"], "empty.tsv is empty"),
    (["--data", "blank.txt"], "the train text has 3 tokens"),
    (["--data", "broken.tsv"], "broken.tsv line 4: byte 0xfc at column 3 is not UTF-8"),
    (["--data", "ragged.tsv"], "ragged.tsv line 3"),
    (["--data", "uneven"], "uneven/train.de"),
    (["--data", "broken.jsonl"], "broken.jsonl line 2"),
    (["--data", "one.csv"], "label is 'good' in all"),
    (["--data", "nul.txt"], "nul.txt is no text (30 of its first 120 bytes"),
    (["--data", "."], "holds blank.txt, broken.jsonl"),
    (["--data", "synthetic:opinion"], "no synthetic data is called 'opinion'"),
    ([*PAIRS, "--source", "sorce"], "did you mean source"),
    (["--data", "-F.csv"], "--data needs a value; if '-F.csv' is it, write --data=-F.csv; see"),
    (["--data", "--lr", "1"], "--data needs a value before --lr; see: regard train --help"),
    ([*PAIRS, "--encoding", "utf-9"], "no encoding is called 'utf-9'"),
    ([*PAIRS, "--set", "longest=1"], "none of"),
    (["--data", "text.txt", "--set", "block=100000"], "give more text or a smaller block"),
]
NAMES: list[Case] = [
    (["translat", *PAIRS], "no recipe 'translat': did you mean translate"),
    (["rnnsearch", "lstm", *PAIRS], "unexpected argument 'lstm'"),
    ([*PAIRS, "--task", "classifi"], "there is no task 'classifi': did you mean classify"),
    ([*LABELS, "--model", "lstn"], "there is no model 'lstn': did you mean lstm"),
    (
        ["--task", "classify", *LABELS, "--model", "rnnsearch"],
        "for classify; choose transformer_",
    ),
    (["lstm", *LABELS, "--task", "translate"], "recipe lstm is for the task classify, not for tra"),
    (["lstm", *LABELS, "--model", "cnn"], "the recipe lstm is for the model lstm, not for cnn"),
    (["lstm", *LABELS, "--set", "name=x"], "name stands in task and model"),
    (["memory", "--set", "encoding=bag"], "write data.encoding or model.encoding"),
    ([*PAIRS, "--set", "lr"], "--set takes key=value, such as learning_rate=1e-3; got 'lr'"),
    ([*PAIRS, "--set", "=3"], "--set takes key=value"),
    ([*PAIRS, "--set", "emed_dim=3"], "no setting emed_dim; did you mean embed_dim"),
    (["lstm", *LABELS, "--set", "summary=last"], "no setting summary; did you mean pooling"),
    (["lstm", *LABELS, "--set", "align_dim=3"], "no setting align_dim; did you mean attention_dim"),
    (["lstm", *LABELS, "--set", "train.pooling=mean"], "train.pooling; write model.pooling"),
    (["lstm", *LABELS, "--set", "pooling.kind=mean"], "pooling.kind; write pooling=NAME"),
    (["lstm", *LABELS, "--set", "tokens.siz=9"], "no setting tokens.siz; did you mean size"),
    (
        ["lstm", *LABELS, "--set", "zzz=9"],
        "no setting zzz; there are embed_dim, hidden_dim, ",
    ),
    (["lstm", *LABELS, "--set", "vocab=9"], "vocab is decided by the data; leave it out"),
    (["lstm", *LABELS, "--set", "hops=3"], "have no hops, the model memory has"),
    (["memory", "--set", "smoothing=0.3"], "no smoothing, the tasks translate, text_to_text"),
    (["memory", "--batch", "99"], "did you mean batch_size"),
    (["dates", *LABELS], "the task dates makes its own data; leave path out"),
]
VALUES: list[Case] = [
    ([*PAIRS, "--set", "steps=soon"], "[train] steps must be a whole number, got 'soon'"),
    ([*PAIRS, "--set", "minutes=soon"], "[train] minutes must be a number, got 'soon'"),
    ([*PAIRS, "--set", "epochs=-1"], "epochs must be above 0, got -1"),
    ([*PAIRS, "--set", "seed=-1"], "seed must be at least 0"),
    ([*PAIRS, "--set", "warmup=nan"], "warmup must be at least 0, got nan"),
    (
        [*PAIRS, "--set", "schedule=inverse_sqrt", "--set", "warmup=0.5"],
        "at least 1 update, got ",
    ),
    ([*PAIRS, "--set", "compile=yes"], "compile must be true or false, got 'yes'"),
    ([*PAIRS, "--lr", "0"], "give a number"),
    ([*PAIRS, "--steps", "1.5"], "a whole number from 1, got '1.5'"),
    ([*PAIRS, "--workers", "99999"], "--workers 99999 are more than the"),
    ([*PAIRS, "--set", "num_heads=3"], "not divisible by num_heads 3"),
    ([*PAIRS, "--set", "norm=mid"], "no norm 'mid': post, pre"),
    ([*PAIRS, "--set", "positions=rop"], "no positions 'rop': did you mean rope"),
    ([*PAIRS, "--set", "dropout=2.0"], "[model] dropout must be at least 0 and below 1, got 2.0"),
    ([*PAIRS, "--set", "smoothing=1.5"], "[task] smoothing must be at least 0 and below 1"),
    ([*PAIRS, "--set", "batch_tokens=0"], "[task] batch_tokens must be at least 1"),
    ([*PAIRS, "--set", "tokens=bpa"], "no tokens 'bpa': did you mean bpe"),
    ([*PAIRS, "--set", "tokens=bpa"], "there is no tokens 'bpa': did you mean bpe"),
    ([*PAIRS, *sets("tokens.size=3", "tokens=bpe")], "size must be at least 260"),
    (["lstm", *LABELS, "--set", "pooling=max"], "there is no pooling 'max': did you mean mean"),
    (["lstm", *LABELS, "--set", "pooling=3"], "one of last, mean, attention, hard, got 3"),
    (["lstm", *LABELS, "--set", "pooling=mean(3)"], "pooling mean takes 0 values at most, got 1"),
    (["lstm", *LABELS, "--set", "pooling=hard(estimator=gumbl)"], "did you mean gumbel"),
    (["lstm", *LABELS, "--set", "pooling=hard(estimator=gumbel"], "'(' was never closed"),
    (["lstm", *LABELS, "--set", "layers=999999999"], "at most 65536, got 999999999"),
    (["cnn", *LABELS, "--set", "widths=0"], "must be several values with commas between, got 0"),
    (["abcnn", "--attention", "additive"], "no attention 'additive': none, input, pooling, both"),
    (["abcnn", "--set", "width=0"], "width must be at least 1"),
    (["memory", "--set", "tying=all"], "there is no tying 'all': adjacent, layerwise"),
    (["memory", "--set", "model.encoding=official_position"], "official_position needs max_words"),
]
PARTS: list[Case] = [
    ([*PAIRS, "--normalizer", "spasemax"], "did you mean sparsemax"),
    ([*PAIRS, "--normalizer", "entmax(0.5)"], "needs alpha >= 1, got 0.5"),
    ([*PAIRS, "--normalizer", "entmax(beta=2)"], "unexpected keyword argument 'beta'; it takes al"),
    ([*PAIRS, "--normalizer", "no_such:thing"], "cannot be imported: No module named 'no_such'"),
    ([*PAIRS, "--normalizer", "math:nothing"], "module 'math' has no attribute 'nothing'"),
    ([*PAIRS, "--normalizer", ""], "'' is not a name with arguments, such as entmax(1.3)"),
    ([*PAIRS, "--attention", "bahdanau"], "did you mean additive"),
    (
        ["luong", *PAIRS, "--attention", "local"],
        "no attention 'local': did you mean local_m or local_p",
    ),
    ([*PAIRS, "--set", "score_mod=alibbi"], "did you mean alibi"),
    ([*PAIRS, "--set", "mask=window"], "no mask 'window': did you mean sliding_window"),
    ([*PAIRS, "--set", "mask=sliding_window(-1)"], "needs left >= 0, got -1"),
    (
        ["lstm", *LABELS, "--normalizer", "sparsemax", "--set", "pooling=mean"],
        "pooling mean has no normalizer; pooling attention and hard have one",
    ),
    (["cnn", *LABELS, "--attention", "additive"], "pooling max has no score; pooling attention an"),
    (
        ["rnnsearch", *PAIRS, "--attention", "none", "--normalizer", "sparsemax"],
        "attention none has no normalizer; attention search has one",
    ),
    (
        ["rnnsearch", *PAIRS, "--attention", "general", "--set", "attention=none"],
        "attention is both general (--attention) and none (--set)",
    ),
    (["luong", *PAIRS, *sets("attention=none", "input_feeding=true")], "none has no input_feeding"),
    (["memory", "--attention", "hard", "--normalizer", "sparsemax"], "hard has no normalizer; att"),
    (["abcnn", "--normalizer", "sparsemax"], "no normalizer, the models transformer, transformer_"),
    ([*LABELS, *sets("sharing=universal", "positions=rope")], "it needs positions 'sinusoidal'"),
    ([*LABELS, *sets("sharing=all", "ponder_cost=0.1")], "sharing all has no ponder_cost; sharing"),
    ([*LABELS, "--set", "sharing=adaptive(ponder_cost=-1)"], "ponder_cost must be at least 0"),
    (["--data", "text.txt", "--set", "sharing=adaptive"], "no sharing 'adaptive': none, all, univ"),
    ([*PAIRS, "--config", "own.toml"], "is 'torch:softmax' in a file, and a file imports nothing"),
]
FILES: list[Case] = [
    ([*PAIRS, "--config", "none.toml"], "none.toml cannot be read: No such file"),
    ([*PAIRS, "--config", "full"], "full cannot be read: Is a directory"),
    ([*PAIRS, "--config", "bad.toml"], "bad.toml cannot be read"),
    ([*PAIRS, "--config", "loose.toml"], "steps stands in no section; put it under one of [data]"),
    ([*PAIRS, "--config", "typo.toml"], "no section [trian]; did you mean train"),
    ([*PAIRS, "--config", "named.toml"], "no setting train.name; write"),
    ([*PAIRS, "--resume", "nowhere"], "there is no run in nowhere, its config.toml is missing"),
    ([*PAIRS, "--out", "full"], "full exists and is no run; give another folder (--out)"),
    ([*PAIRS, "--out", "pairs.tsv"], "(--out pairs.tsv) cannot be made: Not a directory"),
    ([*PAIRS, "--out", "/dev/null/x"], "/dev/null"),
]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [*DATA, *NAMES, *VALUES, *PARTS, *FILES],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
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
    text = "source\ttarget\na\tb\nspät\tlate\n".encode() + "früh\tearly\n".encode("latin-1")
    (tmp_path / "broken.tsv").write_bytes(text)
    (tmp_path / "ragged.tsv").write_text("source\ttarget\na\tb\na\tb\tc\n" + "a\tb\n" * 9)
    (tmp_path / "broken.jsonl").write_text('{"source": "a", "target": "b"}\n{"source": \n')
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"it {n},good\n" for n in range(9)))
    (tmp_path / "uneven").mkdir()
    (tmp_path / "uneven" / "train.en").write_text("a\nb\n")
    (tmp_path / "uneven" / "train.de").write_text("a\nb\nc\n")
    (tmp_path / "bad.toml").write_text("[train\n")
    (tmp_path / "loose.toml").write_text("steps = 3\n")
    (tmp_path / "typo.toml").write_text("[trian]\nsteps = 3\n")
    (tmp_path / "named.toml").write_text("[train]\nname = 3\n")
    (tmp_path / "own.toml").write_text("[model]\nattention = {normalizer = 'torch:softmax'}\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.chdir(tmp_path)
    given = "--steps" in arguments or any("steps=" in word for word in arguments)
    assert why in mistake("train", *arguments, *([] if given else ["--steps", "2"]))
    after = {
        p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and ".data" not in p.parts
    }
    assert after == before


def test_a_run_is_only_resumed_as_what_it_is(
    tmp_path: Path, done: Call, mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done(*train_arguments(put(tmp_path, "labels.csv"), Path("run")))
    kept = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    for arguments, why in (
        (["--set", "layers=2"], "model.layers is 1 in the run and 2 now; give the old values"),
        (["--lr", "0.5"], "train.learning_rate is 0.001 in the run and 0.5 now"),
        (["lstm"], "the recipe lstm is for the model lstm, not for transformer_classifier"),
        (["memory"], "the recipe memory is for the task answer, not for classify"),
        (["--steps", "2"], "run has trained 3 steps and is to train 2 altogether; give more steps"),
        (["--epochs", "0.5"], "run has trained 3 epochs and is to train 0.5 altogether"),
        (["--data", "other.csv"], "other.csv does not exist"),
        (["--out", "other"], "the run is in run and cannot be in other too: leave --out out"),
    ):
        assert why in mistake("train", "--resume", "run", *arguments)
    assert "there is no run in run/best" in mistake("train", "--resume", "run/best")
    assert kept == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    done("train", "--resume", "run", "--steps", "4")
    assert read_run(Path("run")).steps == 4


@pytest.mark.parametrize("best", [True, False], ids=["with a model", "without one"])
def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_anew(
    best: bool, tmp_path: Path, done: Call, mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done(*train_arguments(put(tmp_path, "labels.csv"), Path("run")))
    for path in Path("run/checkpoints").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-9])
    config = Path("run/config.toml").read_text()
    if not best:
        shutil.rmtree("run/best")
    said = mistake("train", "--resume", "run", "--steps", "9")
    assert "run has no valid checkpoint (step-" in said and "--resume never" in said
    assert list(Path("run/checkpoints").iterdir())
    assert Path("run/config.toml").read_text() == config


def test_a_finished_run_without_checkpoints_is_not_written_over(
    tmp_path: Path, done: Call, mistake: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = train_arguments(put(tmp_path, "labels.csv"), Path("run"))
    done(*arguments)
    shutil.rmtree("run/checkpoints")
    model = Path("run/best/model.safetensors").stat().st_mtime_ns
    assert "run has no valid checkpoint; to begin anew beside it" in mistake(*arguments)
    assert Path("run/best/model.safetensors").stat().st_mtime_ns == model
