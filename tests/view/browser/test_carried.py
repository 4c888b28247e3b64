"""The network in a page is the one in Python: the same texts, weights and probabilities."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from regard.data.synthetic.days import days_of
from regard.models.attention import NoAttention
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, Search
from regard.run.carried_page import carried_network, carried_page
from regard.sequences import Sequences
from regard.tasks.dates import Dates, DatesSettings
from regard.tasks.dates.predictor import DateReader
from tests.patience import until
from tests.view.browser.conftest import Open, colors_in, weights_of

COUNT = 220
ODD = (
    "<ar> الثلاثاء، ٣ مارس ٢٠٢٦",
    "<fa> ۳ مارس ۲۰۲۶",
    "<hi> ३ मार्च २०२६",
    "<fr>fe\u0301vrier",
    "<en>  3 March \U0001d7da026 \U0001f600 ☂",
    "<de>\tx",
)
WRITE = """async (texts) => {
  const { answers } = document.getElementById("regard").regard.typing;
  const found = [];
  for (const text of texts) {
    const tokens = answers.coder.tokens(text);
    const { steps } = await answers.write(tokens);
    found.push({
      tokens,
      unknown: answers.coder.unknown(tokens),
      written: answers.coder.decode(steps.map((each) => each.token)),
      probabilities: steps.map((each) => each.probability),
      weights: steps.map((each) => Array.from(each.weights)),
    });
  }
  return found;
}"""
ANSWERED = "form.typing[data-answered]"


@cache
def made() -> tuple[Dates, DateReader]:
    """A network with random weights: small enough not to be chaotic, large enough to differ."""
    torch.manual_seed(3)

    def network(source_vocab: int, target_vocab: int, **_: Any) -> RNNsearch:
        sizes: Any = {"source_vocab": source_vocab, "target_vocab": target_vocab}
        return RNNsearch(RNNsearchConfig(**sizes, embed_dim=10, hidden_dim=12, maxout_dim=8))

    settings = DatesSettings(valid_questions=1, test_questions=1)
    task = Dates(None, network, settings)
    task.model.eval()
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.copy_(0.7 * torch.randn_like(parameter))
        task.model.output.bias[task.coder.target.end] -= 4  # so that it writes something
    return task, DateReader(task.model, task.coder)


def texts() -> list[str]:
    task, _ = made()
    rng = np.random.default_rng(0)
    dates = task.data.dates
    templates = rng.choice(len(dates.first), COUNT, replace=False)
    found: list[str] = dates.texts(templates, rng.choice(days_of("test"), COUNT))
    return [*found, *ODD]


@torch.no_grad()
def known(texts: list[str]) -> Iterator[dict[str, Any]]:
    """What Python says of each text, read in one batch."""
    _, reader = made()
    coder, answers = reader.coder, reader.predict(texts)
    # A network of random weights makes roundings larger, and how PyTorch rounds depends on the
    # machine; the page adds up numbers of 64 bits.
    exact = deepcopy(reader.model).double()
    sources = Sequences.of([coder.source.encode(answer.inputs) for answer in answers])
    targets = [coder.target.encode(answer.outputs) for answer in answers]
    begun = Sequences.of([[coder.target.begin, *target[:-1]] for target in targets])
    for answer, written, logits in zip(answers, targets, exact(sources, begun.ids), strict=True):
        yield {
            "tokens": list(answer.inputs),
            "unknown": sorted(answer.unknown),
            "written": list(answer.outputs),
            "probabilities": [
                float(row[n]) for row, n in zip(logits.softmax(-1), written, strict=False)
            ],
            "weights": answer.weights,
        }


@pytest.mark.slow
def test_the_page_writes_what_python_writes(opened: Open) -> None:
    asked = texts()
    page = opened(carried_page(made()[1], asked[:2], "dates"))
    languages = {text.split(">")[0] for text in asked}
    assert len(asked) >= 200 and len(languages) >= 100
    answers = set()
    for text, found, right in zip(asked, page.evaluate(WRITE, asked), known(asked), strict=True):
        for name in ("tokens", "written"):
            assert found[name] == right[name], text
        assert sorted(found["unknown"]) == right["unknown"]
        assert np.abs(np.array(found["probabilities"]) - right["probabilities"]).max() < 1e-4
        assert np.abs(np.array(found["weights"]) - right["weights"].numpy()).max() < 1e-3
        answers.add("".join(found["written"]))
    assert len(answers) > COUNT / 2


def test_a_typed_date_is_answered_and_its_alignment_drawn(opened: Open) -> None:
    page = opened(carried_page(made()[1], ["<en> 3 March 2026", "<de> 24.12.2025"], "dates"))
    page.wait_for_selector(ANSWERED)
    page.locator("form.typing select").select_option("fr")
    page.locator("form.typing input").fill("mardi 3 mars 2026")
    (right,) = known(["<fr> mardi 3 mars 2026"])
    page.wait_for_function(
        "want => document.getElementById('regard').regard.model.docs[0]"
        ".stored.about.title === want",
        arg="<fr> mardi 3 mars 2026",
    )
    shown = page.locator(".letters .letter b").all_text_contents()
    assert shown == right["written"]
    rows = list(range(len(shown)))
    found = np.array(weights_of(page, 0, 0, rows))
    assert np.abs(found - right["weights"].numpy()).max() < 1e-4
    assert "in this page" in page.locator(".facts").text_content()
    for view in ("matrix", "lines"):
        page.locator(f"[data-name={view}]").click()
        until(lambda: colors_in(page, ".view canvas") > 5)
    page.locator(".letters .letter").nth(2).click()
    assert page.locator(".letters .letter[aria-pressed=true]").count() == 1
    assert page.evaluate("document.getElementById('regard').regard.state.q") == 2
    page.locator("[data-name=steps]").click()
    steps = page.locator(".steps").text_content()
    top = float(found[2].max())
    assert f"{top:.4f}" in steps and "tanh" in steps


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("<qq> 3", "has not learned “qq”"),
        ("", "1 to 500 characters"),
        ("x" * 501, "this one has 501"),
        ("3 March ☂", "☂"),
        ("<img src=x onerror=alert(1)>", "="),
    ],
)
def test_what_cannot_be_answered_is_said(opened: Open, typed: str, said: str) -> None:
    page = opened(carried_page(made()[1], ["<en> 3 March 2026"], "dates"))
    page.wait_for_selector(ANSWERED)
    page.locator("form.typing input").fill(typed)
    page.locator("form.typing button[type=submit]").click()
    page.wait_for_function(
        "want => document.getElementById('regard').regard.typing.element"
        ".querySelector('.problem').textContent.includes(want)",
        arg=said,
    )


def test_a_tag_that_is_typed_chooses_the_language(opened: Open) -> None:
    page = opened(carried_page(made()[1], ["<en> 3 March 2026"], "dates"))
    page.locator("form.typing input").fill("<zh> 2026年3月3日")
    assert page.locator("form.typing select").input_value() == "zh"
    assert page.locator("form.typing input").input_value() == "2026年3月3日"


def test_a_network_that_the_page_does_not_know_is_not_carried() -> None:
    _, reader = made()
    assert carried_network(reader, ["<en> 3"]) is not None
    sizes: Any = {
        "source_vocab": len(reader.coder.source),
        "target_vocab": len(reader.coder.target),
    }
    for attention in (Search(normalizer="sparsemax"), Search(score="general"), NoAttention()):
        config = RNNsearchConfig(**sizes, attention=attention)
        assert carried_network(DateReader(RNNsearch(config), reader.coder), ["<en> 3"]) is None
