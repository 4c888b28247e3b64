"""Progress is a bar on a terminal and plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from regard.run.display import Display, evaluation_line, metrics_line, progress_line
from regard.training.hooks import Evaluation
from regard.training.trainer_state import Progress

REPORT = Progress(40, 1.2, 30.0, 0.25, 0.0512, 0.003, 0.9, 31416.0, 0.04)
SCORES = {"loss": 0.06, "exact": 0.975}


def shown(terminal: bool, *reports: Progress) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, no_color=True)
    with Display(console) as display:
        for report in reports:
            display.show(report, SCORES)
    return stream.getvalue()


def test_a_report_says_loss_metrics_pace_and_time_left() -> None:
    line = "loss 0.0512  valid: loss 0.06, exact 0.975  31,416 tokens/s  1:30 left"
    assert progress_line(REPORT, SCORES) == line
    assert "valid" not in progress_line(REPORT, {})
    assert metrics_line({}) == ""


def test_a_report_before_the_first_step_can_be_shown() -> None:
    first = replace(REPORT, spent=0.0)
    assert "? left" in progress_line(first, {}) and first.seconds_left == float("inf")


def test_nothing_is_left_when_all_is_spent() -> None:
    last = replace(REPORT, spent=1.0)
    assert last.seconds_left == 0 and "0:00 left" in progress_line(last, {})


def test_without_a_terminal_there_are_plain_lines_and_few_of_them() -> None:
    line = f"step 40  {progress_line(REPORT, SCORES)}\n"
    # The first, and the last at the end.
    assert shown(False, *[REPORT] * 50) == 2 * line


def test_the_last_report_is_always_written() -> None:
    last = replace(REPORT, step=41, spent=1.0)
    lines = shown(False, REPORT, REPORT, last).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 40", "step 41"]


def test_each_evaluation_is_a_line_that_stays_on_a_terminal_too() -> None:
    first = Evaluation("valid", 40, 1.2, SCORES, True, best=True, train_loss=0.0512)
    odd = Evaluation("valid", 41, 1.2, {}, True, remarks=["every answer is 'ham'"])
    for terminal in (False, True):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, width=120, no_color=True)
        with Display(console) as display:
            display.show(replace(REPORT, step=39), SCORES)
            display.evaluated(first)
            display.evaluated(odd)
            display.evaluated(replace(first, split="test"))
            # Nothing more is to be said of a step that was evaluated.
            display.show(replace(REPORT, step=41, spent=1.0), SCORES)
        text = stream.getvalue()
        assert text.count(evaluation_line(first)) == 1 and "test:" not in text
        assert "step 41  epoch 1.2  valid: no data  (every answer is 'ham')" in text
        if not terminal:
            assert [line[:7] for line in text.splitlines()] == ["step 39", "step 40", "step 41"]


def test_what_was_last_is_written_at_the_end_where_there_is_no_terminal() -> None:
    last = replace(REPORT, step=43)
    lines = shown(False, REPORT, replace(REPORT, step=42), last).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 40", "step 43"]


def test_on_a_terminal_there_is_a_bar() -> None:
    text = shown(True, REPORT)
    assert progress_line(REPORT, SCORES) in text and "25%" in text and "step 40" not in text


def test_a_console_that_is_quiet_stays_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    with Display(console) as display:
        display.show(REPORT, SCORES)
    assert capsys.readouterr().out == ""
