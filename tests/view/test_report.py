"""The page of a run is well-formed, says what the folder says, and stays small."""

import json
import math
import re
from typing import Any

import pytest

from regard.view.attention_page import built
from regard.view.comparison import comparison, differing_settings, summaries
from regard.view.counted import Confusion
from regard.view.report import RunLog, report
from tests.view.parsed import Element, parsed, section

CONFUSED = Confusion(200, ("no", "yes"), ((3, 1), (0, 4)))


SCRIPT = len(built("attention.js"))


def plots(within: Element) -> list[dict[str, Any]]:
    """What the script is given to draw, attention left out."""
    scripts = within.all("script")
    given = [e for e in scripts if e.attributes.get("type") == "application/json"]
    found = [json.loads(e.text) for e in given if "id" not in e.attributes]
    assert len(found) == sum("data-regard" in e.attributes for e in within.all("div"))
    return found


def headings(whole: Element) -> list[str]:
    return [each.text for each in whole.all() if each.tag in ("h1", "h2")]


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
    whole = parsed(report(a_run(confusion={"valid": CONFUSED})))
    assert headings(whole) == [
        "de-en", "Answers", "Attention", "Labels and answers, valid data", "Curves", "Evaluations",
        "Training", "Events", "Configuration",
    ]  # fmt: skip
    assert [each.attributes.get("id") for each in whole.all("script")].count("regard-data") == 1
    (curves,) = plots(section(whole, "Curves"))
    assert [chart["name"] for chart in curves["charts"]] == ["Loss", "BLEU"]
    (training,) = plots(section(whole, "Training"))
    assert len(training["charts"]) == 4
    (confused,) = plots(section(whole, "Labels and answers, valid data"))
    assert confused["cells"] == [[0, 0, 3], [0, 1, 1], [1, 1, 4]] and confused["step"] == 200
    assert [each.attributes["id"] for each in section(whole, "Attention").all("div")] == ["regard"]
    ids = [each.attributes["id"] for each in whole.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))


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
        body = page.split("<main>")[1].split("</main>")[0]
        assert 'id="regard"' not in body, "there is no film in it"
        assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", body)
        drawn = [chart for plot in plots(parsed(page)) for chart in plot["charts"]]
        assert bool(drawn) == ("<script" in page)


def page_data(page: str) -> dict[str, Any]:
    (block,) = re.findall(r'id="regard-data">(.*?)</script>', page)
    found: dict[str, Any] = json.loads(block)
    return found


def test_what_the_script_reads_is_json_without_nan() -> None:
    found = page_data(report(a_run()))
    assert found["kind"] == "film" and found["films"] == [0]
    assert [each["about"]["step"] for each in found["documents"]] == [1, 2]
    assert found["documents"][0]["axes"]["queries"]["tokens"] == ["a", "</script>"]


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
    assert headings(parsed(page)) == [
        "Comparison", "Results", "Where they differ", "Attention", "Curves",
    ]  # fmt: skip
    found = page_data(page)
    assert found["kind"] == "compare"
    assert [each["about"]["model"] for each in found["documents"]] == ["de-en", "other"]
    assert differing_settings(runs) == {"model": ["transformer", None], "seed": [0, 1]}
    assert [run["best valid loss"] for run in summaries(runs)] == [1.8, 1.9]
    assert page.count("★ 1.8") == 1 and "★ 1.9" not in page
    assert "★ 10" not in page, "where all are equal, none is best"
    (drawn,) = plots(section(parsed(page), "Curves"))
    assert [(c["split"], c["metric"]) for c in drawn["charts"]] == [
        ("train", "loss"), ("valid", "loss"), ("valid", "bleu"), ("train", "tokens_per_second"),
    ]  # fmt: skip
    assert all(
        [c["name"] for c in each["curves"]] == ["de-en", "other"] for each in drawn["charts"]
    )


def test_runs_without_an_example_in_common_are_compared_without_attention() -> None:
    look = {"step": 1, "epoch": 1.0, "samples": [{"input": "x", "answer": "y", "wanted": None}]}
    page = comparison([a_run(), a_run(samples=(look,))])
    assert "Attention" not in headings(parsed(page)) and 'id="regard"' not in page


def test_runs_with_the_same_configuration_are_said_to_be() -> None:
    assert "configurations are the same" in comparison([a_run(), a_run()])


@pytest.mark.parametrize(("task", "unit"), [("translate", "token"), ("recommend", "label")])
def test_the_loss_is_said_to_be_of_what_it_is_a_mean_over(task: str, unit: str) -> None:
    whole = parsed(report(a_run(config=f'task = "{task}"\n')))
    (curves,) = plots(section(whole, "Curves"))
    assert [(c["metric"], c["unit"]) for c in curves["charts"]] == [("loss", unit), ("bleu", "")]


def test_a_pair_of_sentences_stands_on_two_lines() -> None:
    pair = {"input": "a man\ta boy", "answer": "no", "wanted": "no"}
    shown = report(a_run(samples=({"step": 1, "epoch": 1.0, "samples": [pair]},)))
    assert '<span dir="auto">a man\na boy</span>' in shown


def measured(*values: float, name: str = "accuracy") -> RunLog:
    records = tuple({"kind": "valid", "step": n + 1, name: v} for n, v in enumerate(values))
    return RunLog("r", records, config='task = "classify"\n')


def test_shares_are_percentages_wherever_they_stand() -> None:
    for values in ((0.7532,), (0.25, 0.7532)):
        whole = parsed(report(measured(*values)))
        assert "best valid Accuracy75.3 %" in whole.all("header")[0].text
        assert "★ 75.3 %" in section(whole, "Evaluations").text
        ((chart,),) = (plot["charts"] for plot in plots(section(whole, "Curves")))
        assert chart["shares"]
    assert "75.3 %" in comparison([measured(0.7532), measured(0.5)])
    assert "100.0 %" not in report(measured(0.99999))


def test_what_is_no_share_stays_a_number() -> None:
    assert "%" not in parsed(report(measured(31.4, name="bleu"))).all("main")[0].text
    assert "150 " not in report(measured(1.5)), "a share that is none is not made one"


def test_right_and_wrong_answers_are_marked_where_an_answer_is_right_or_wrong() -> None:
    pairs = [("yes", "yes"), ("no", "yes"), ("yes", None)]
    samples = [{"input": "x", "answer": answer, "wanted": wanted} for answer, wanted in pairs]
    look = ({"step": 1, "epoch": 1.0, "samples": samples},)
    for task, marks in (("classify", ["right", "wrong"]), ("translate", [])):
        whole = parsed(report(a_run(samples=look, config=f'task = "{task}"\n')))
        table = section(whole, "Answers")
        assert [
            each.attributes["aria-label"] for each in table.all() if "role" in each.attributes
        ] == marks


def test_long_texts_are_folded_whole_and_run_their_own_way() -> None:
    long = "كلمة " * 400
    sample = {"input": long, "answer": long, "wanted": long[:-5]}
    whole = parsed(report(a_run(samples=({"step": 1, "epoch": 1.0, "samples": [sample]},))))
    folds = section(whole, "Answers").all("details")
    assert len(folds) == 3
    for fold, text in zip(folds, (long, long, long[:-5]), strict=True):
        assert fold.all("div")[0].text == text
        assert f"show all {len(text):,} characters" in fold.all("summary")[0].text
        assert len(fold.all("summary")[0].text) < 300 and "open" not in fold.attributes
        assert {e.attributes.get("dir") for e in (fold.all("div")[0], fold.all("span")[0])} == {
            "auto"
        }


def test_what_is_too_long_for_a_page_is_said_to_be() -> None:
    sample = {"input": "word " * 100_000, "answer": "a", "wanted": None}
    page = report(a_run(samples=({"step": 1, "epoch": 1.0, "samples": [sample]},)))
    assert "480,001 more characters are not in this page" in page and len(page) < 60_000 + SCRIPT


def test_of_thousands_of_evaluations_the_best_and_the_last_are_open() -> None:
    values = [1 - abs(n - 2500) / 1e4 for n in range(5000)]
    page = report(measured(*values))
    evaluations = section(parsed(page), "Evaluations")
    first, second = evaluations.all("table")
    steps = [row.all("th")[0].text for row in first.all("tr")[1:]]
    assert steps == ["2,501", "4,998", "4,999", "5,000"]
    assert (
        "all 5,000 evaluations, 4,599 in the middle left out" in evaluations.all("summary")[0].text
    )
    assert len(second.all("tr")) == 402 and len(page) < 80_000 + SCRIPT


def test_a_map_of_512_by_512_weights_is_a_small_part_of_a_page() -> None:
    row = [0.5 * (n % 97 == 0) for n in range(512)]
    tokens = [f"w{n}" for n in range(512)]
    sample = {"input": " ".join(tokens), "answer": "a", "inputs": tokens, "outputs": tokens}
    look = {"step": 1, "epoch": 0.0, "samples": [{**sample, "weights": [row] * 512}] * 9}
    page = report(a_run(samples=(look,)))
    assert len(page) < 1_900_000
    whole = section(parsed(page), "Attention")
    assert len(page_data(page)["films"]) == 4 and "5 more examples are not drawn" in whole.text


def test_nothing_is_loaded_from_anywhere() -> None:
    page = report(a_run(confusion={"valid": CONFUSED}))
    loaded = [
        v for e in parsed(page).all() for n, v in e.attributes.items() if n in ("src", "href")
    ]
    assert loaded == []
    # The script knows one name of this form, that of SVG, which it gives to elements.
    known = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\((?!data:|\$)", known)


def test_whatever_scrolls_can_be_reached_by_keys() -> None:
    whole = parsed(report(a_run(confusion={"valid": CONFUSED})))
    scrolling = whole.all("div", "scroll")
    assert scrolling and all(each.attributes["tabindex"] == "0" for each in scrolling)
