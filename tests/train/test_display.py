"""Progress is a bar on a terminal and plain lines elsewhere."""

import io

from rich.console import Console

from regard.train.display import Display, describe
from regard.train.loop import Progress

REPORT = Progress(40, 30.0, 0.25, 0.0512, 0.003, 31416.0)


def shown(terminal: bool, reports: int = 1) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, no_color=True)
    with Display(console) as display:
        for _ in range(reports):
            display.show(REPORT, 0.975)
    return stream.getvalue()


def test_a_report_says_loss_exact_pace_and_time_left() -> None:
    assert describe(REPORT, 0.975) == "loss 0.0512  exact 97.5 %  31,416 tokens/s  1:30 left"
    assert "exact" not in describe(REPORT)


def test_a_report_before_the_first_step_can_be_shown() -> None:
    assert "? left" in describe(Progress(0, 0.0, 0.0, 0.0, 0.0, 0.0))


def test_without_a_terminal_there_are_plain_lines_and_few_of_them() -> None:
    text = shown(terminal=False, reports=50)
    assert text == f"step 40  {describe(REPORT, 0.975)}\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    assert describe(REPORT, 0.975) in shown(terminal=True) and "25%" in shown(terminal=True)
