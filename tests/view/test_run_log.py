"""A run folder is read whatever a crash left of it, and nothing that is not finite comes out."""

import json
from pathlib import Path

import pytest

from regard.view.run_log import RunLog, read_run


def write(folder: Path, *lines: object, name: str = "metrics.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (folder / name).write_text(text, "utf-8")
    return folder


def step(number: int, kind: str = "train", **metrics: object) -> dict[str, object]:
    return {"kind": kind, "step": number, **metrics}


def test_a_line_that_was_cut_off_is_left_out_and_counted(tmp_path: Path) -> None:
    run = read_run(write(tmp_path, step(1, loss=2.0), '{"kind": "train", "ste'))
    assert run.points("train", "loss") == [(1.0, 2.0)] and run.damaged == 1


@pytest.mark.parametrize(
    "line",
    ["[1]", "null", "{", '{"kind": "train"}', '{"kind": 3, "step": 1}', "\x00\x00", "[" * 100_000]
    + [json.dumps(step(bad)) for bad in (-1, True, None, "1", [1], 10**20)],  # type: ignore[arg-type]
)
def test_a_line_that_is_no_record_is_counted_and_no_error(tmp_path: Path, line: str) -> None:
    run = read_run(write(tmp_path, line + "\n", step(2, loss=1.0)))
    assert run.damaged == 1 and run.steps == 2


def test_bytes_that_are_no_utf8_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'\xff\xfe{"kind"\n' + json.dumps(step(1)).encode())
    assert read_run(tmp_path).damaged == 1 and read_run(tmp_path).steps == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "null", '"x"', "true"])
def test_a_value_that_is_no_finite_number_is_none(tmp_path: Path, value: str) -> None:
    run = read_run(write(tmp_path, f'{{"kind": "train", "step": 1, "loss": {value}}}\n'))
    assert run.points("train", "loss") == [(1.0, None)]
    json.dumps(run.records, allow_nan=False)


def test_a_line_separator_inside_a_text_is_not_the_end_of_a_line(tmp_path: Path) -> None:
    line = json.dumps(step(1, "event", event="started", text="a\u2028b"), ensure_ascii=False)
    run = read_run(write(tmp_path, line + "\n"))
    assert run.records[0]["text"] == "a\u2028b" and run.damaged == 0


def test_steps_that_a_resumed_run_did_again_count_once_and_as_they_came_out_last(
    tmp_path: Path,
) -> None:
    first = [step(n, loss=float(n)) for n in (1, 2, 3, 4)]
    again = [step(n, loss=-float(n)) for n in (3, 4, 5)]
    events = [step(4, "event", event="interrupted"), step(2, "event", event="resumed")]
    run = read_run(write(tmp_path, *first, *events, *again))
    losses = [(1.0, 1.0), (2.0, 2.0), (3.0, -3.0), (4.0, -4.0), (5.0, -5.0)]
    assert run.points("train", "loss") == losses
    assert len([r for r in run.records if r["kind"] == "event"]) == 2


def test_confusions_are_counted_by_label_and_what_makes_no_sense_is_left_out(
    tmp_path: Path,
) -> None:
    cells = [[0, 1, 5], [1, 1, 2], [2, 0, 1], [0, 0, -1], [0, 0], "x", [True, 0, 1]]
    good = {"step": 3, "labels": ["a", "b"], "counts": cells}
    bad: list[object] = [
        None,
        [],
        {"step": 1},
        good | {"labels": [1]},
        good | {"step": "3"},
        good | {"counts": 1},
    ]
    splits = {"valid": good, **{f"s{n}": entries for n, entries in enumerate(bad)}}
    write(tmp_path, step(1))
    write(tmp_path, splits, name="confusion.json")
    found = read_run(tmp_path).confusion
    assert list(found) == ["valid"] and found["valid"].counts == ((0, 5), (0, 2))
    write(tmp_path, "{", name="confusion.json")
    assert read_run(tmp_path).confusion == {}


def test_the_main_metric_is_one_that_has_a_value() -> None:
    assert RunLog("r", (step(1, "valid", f1=None, accuracy=0.5),)).main_metric() == "accuracy"


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "unfinished"),
        (["started"], "unfinished"),
        (["started", "best", "finished"], "finished"),
        (["started", "interrupted"], "interrupted"),
        (["started", "interrupted", "resumed"], "unfinished"),
        (["started", "interrupted", "resumed", "saved", "finished", "best"], "finished"),
    ],
)
def test_the_last_start_or_end_is_the_status(events: list[str], status: str) -> None:
    records = tuple(step(n, "event", event=event) for n, event in enumerate(events))
    assert RunLog("r", records).status() == status


def test_the_best_is_lowest_for_losses_and_highest_for_scores_and_the_earliest_of_equals() -> None:
    records = tuple(
        step(n, "valid", loss=loss, bleu=bleu)
        for n, loss, bleu in ((1, 3.0, 10.0), (2, 1.0, 30.0), (3, 2.0, 30.0), (4, None, None))
    )
    run = RunLog("r", records)
    assert run.best("valid", "loss") == (2.0, 1.0) and run.best("valid", "bleu") == (2.0, 30.0)
    assert run.best("test", "bleu") is None and run.main_metric() == "bleu"


def test_facts_are_found_in_the_configuration_first_and_in_its_tables_too() -> None:
    run = RunLog(
        "r", config='task = "t"\n[model]\nname = "m"\nattention = "a"', environment={"task": 1}
    )
    assert [run.fact(name) for name in ("task", "model", "attention", "x")] == ["t", "m", "a", None]


def test_a_damaged_configuration_is_kept_as_text_and_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, step(1))
    (tmp_path / "config.toml").write_text("task = \n")
    (tmp_path / "environment.json").write_text("[1, 2")
    run = read_run(tmp_path)
    assert run.config == "task = \n" and run.settings() == {} and run.environment == {}


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "nothing"
    if there:
        folder.mkdir()
    with pytest.raises(FileNotFoundError, match="nothing is not the folder of a run"):
        read_run(folder)
