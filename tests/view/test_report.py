"""The page of a run is well-formed, says what the folder says, and stays small."""

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from regard.view.comparison import comparison, differing_settings, summaries
from regard.view.report import RunLog, report

VOID = {"meta", "input"}


class Outline(HTMLParser):
    """Collects headings and elements, and insists that every element is closed in its turn."""

    def __init__(self, whole: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.count: dict[str, int] = {}
        self.ids: list[str] = []
        self.feed(whole)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def a_run(steps: int = 200, title: str = "de-en", **more: Any) -> RunLog:
    records: list[dict[str, Any]] = [{"kind": "event", "step": 0, "event": "started", "text": "go"}]
    for n in range(1, steps + 1):
        records.append(
            {
                "kind": "train", "step": n, "epoch": n / 50, "seconds": n * 0.5,
                "loss": 3 * math.exp(-n / 60) + 1, "learning_rate": 1e-3, "gradient_norm": 1.0,
                "tokens_per_second": 9000 + n, "padding": 0.05,
            }
        )  # fmt: skip
        if n % 50 == 0:
            scores = {"loss": 2.0 - n / 1000, "bleu": 10.0 if n == 100 else n / 50, "chrf": None}
            records.append(
                {"kind": "valid", "step": n, "epoch": n / 50, "seconds": n * 0.5, **scores}
            )
    records.append({"kind": "event", "step": steps, "event": "finished", "text": "done"})
    tokens = {"inputs": ["<ar>", "\u202e"], "outputs": ["a", "</script>"]}
    sample = {
        "input": "<ar>",
        "answer": "</script><b>",
        "wanted": None,
        "weights": [[1, 0], [0.5, 0.5]],
    }
    looks = [{"step": n, "epoch": float(n), "samples": [sample | tokens]} for n in (1, 2)]
    given: dict[str, Any] = {
        "records": tuple(records),
        "samples": tuple(looks),
        "config": 'task = "translate"\nmodel = "transformer"\nseed = 0\n',
        "environment": {"regard": "0.1.0", "torch": "2.13.0", "threads": 2, "devices": ["cpu"]},
        "digest": "ab" * 32,
    }
    return RunLog(title, **(given | more))


def test_the_page_has_its_parts_in_order_and_is_well_formed() -> None:
    outline = Outline(report(a_run()))
    assert outline.headings == [
        "de-en", "Curves", "Evaluations", "Answers", "Attention over the run", "Events",
        "Configuration",
    ]  # fmt: skip
    assert outline.count["h1"] == 1 and outline.count["script"] == 2
    assert outline.count["figure"] == 6 + 1, "loss, BLEU, four of training; one film"
    assert len(outline.ids) == len(set(outline.ids))


def test_the_head_says_task_best_steps_time_and_how_it_ended() -> None:
    head = report(a_run()).split("</header>")[0].split("<header>")[1]
    said = re.sub(r"<[^>]+>", "|", head)
    for fact in (
        "translate",
        "transformer",
        "finished",
        "best valid BLEU||10|",
        "|200|",
        "1 min 40 s",
    ):
        assert fact in said


def test_the_best_evaluation_of_each_metric_is_marked_once() -> None:
    page = report(a_run())
    rows = re.findall(r'<tr><th scope="row">(\d+)</th>(.*?)</tr>', page)
    marked = {step: re.findall(r"★ ([\d.]+)", row) for step, row in rows if "★" in row}
    assert marked == {"100": ["10.00"], "200": ["1.800"]}


def test_provenance_stands_at_the_foot() -> None:
    foot = report(a_run()).split("<footer>")[1]
    assert "regard 0.1.0" in foot and "ab" * 32 in foot
    assert "version not recorded" in report(RunLog("r"))


def test_a_damaged_line_is_mentioned() -> None:
    assert "Left out: 1 line of the log" in report(a_run(damaged=1))
    assert "Left out" not in report(a_run())


@pytest.mark.parametrize(
    "run",
    [
        RunLog("empty"),
        RunLog("one", ({"kind": "train", "step": 1, "loss": 2},)),
        RunLog("none", ({"kind": "train", "step": 1, "loss": None},)),
        RunLog("flat", tuple({"kind": "train", "step": n, "loss": 1.0} for n in range(9))),
        RunLog("strange", ({"kind": "valid", "step": 1, "loss": "x", "bleu": [1], "<b>": 2.0},)),
        RunLog("words", ({"kind": "event", "step": 1, "event": None, "text": "</pre>"},)),
        RunLog("looks", samples=({"step": 1, "samples": []}, {"step": 2, "samples": [None, {}]})),
        RunLog("big", ({"kind": "valid", "step": 1e14, "loss": 10**400, "bleu": 1e308},)),
        RunLog("</title><script>alert(1)</script>", config="</pre><script>", digest="<i>"),
    ],
    ids=lambda run: run.title[:8],
)
def test_whatever_a_folder_holds_makes_a_well_formed_page(run: RunLog) -> None:
    for page in (report(run), comparison([run, run])):
        assert Outline(page).count["script"] == 2
        assert not re.search(
            r"\b(nan|inf|NaN|Infinity)\b", page.split("<main>")[1].split("<script>")[0]
        )


def test_what_the_script_reads_is_json_without_nan() -> None:
    block = re.findall(r'id="data">(.*?)</script>', report(a_run()))[0]
    films = json.loads(block)["films"]
    assert len(films) == 1 and [frame["step"] for frame in films[0]] == [1, 2]
    assert films[0][0]["outputs"] == ["a", "</script>"]


@pytest.mark.slow
def test_ten_thousand_lines_and_long_films_stay_below_two_megabytes() -> None:
    row = [0.015625] * 64
    tokens = [f"token{n}" for n in range(64)]
    sample = {"input": "i" * 500, "answer": "a" * 500, "inputs": tokens, "outputs": tokens}
    looks = [
        {"step": n, "epoch": 0.0, "samples": [{**sample, "weights": [row] * 64}] * 10}
        for n in range(24)
    ]
    page = report(a_run(10_000, samples=tuple(looks)))
    assert len(page.encode()) < 2_000_000


def test_a_language_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'xx': choose 'en'"):
        report(RunLog("r"), lang="xx")


def test_a_comparison_shows_each_run_and_marks_the_best() -> None:
    worse = a_run(100, title="other", config='task = "translate"\nseed = 1')
    runs = [a_run(200), worse]
    page = comparison(runs)
    assert Outline(page).headings == ["Comparison", "Results", "Where they differ", "Curves"]
    assert differing_settings(runs) == {"model": ["transformer", None], "seed": [0, 1]}
    assert [run["best valid loss"] for run in summaries(runs)] == [1.8, 1.9]
    assert page.count("★ 1.8") == 1 and "★ 1.9" not in page
    assert "★ 10" not in page, "where all are equal, none is best"


def test_runs_with_the_same_configuration_are_said_to_be() -> None:
    assert "configurations are the same" in comparison([a_run(), a_run()])


@pytest.mark.parametrize(("task", "unit"), [("translate", "token"), ("recommend", "label")])
def test_the_loss_is_said_to_be_of_what_it_is_a_mean_over(task: str, unit: str) -> None:
    shown = report(a_run(config=f'task = "{task}"\n'))
    assert f"Loss, nats per {unit}<" in shown


def test_a_pair_of_sentences_stands_on_two_lines() -> None:
    pair = {"input": "a man\ta boy", "answer": "no", "wanted": "no"}
    shown = report(a_run(samples=({"step": 1, "epoch": 1.0, "samples": [pair]},)))
    assert '<span dir="auto">a man\na boy</span>' in shown
