"""A map shows the weights it was given beside the tokens they are of, as large as it may be."""

import re
from typing import Any

import pytest

from regard.view.film import BAND, films
from regard.view.maps import READ_AT_ONCE, figure
from tests.view.parsed import Element, parsed


def drawn(
    weights: list[list[float]], inputs: list[str], outputs: list[str], **more: Any
) -> Element:
    sample = {"input": " ".join(inputs), "answer": "y", "weights": weights, "inputs": inputs}
    look = {"step": 1, "epoch": 0.1, "samples": [{**sample, "outputs": outputs, **more}]}
    (film,) = films([look])
    return parsed(figure(0, film)).all("figure")[0]


def shares(element: Element) -> list[str]:
    return [e.attributes.get("style", "").removeprefix("--w:") for e in element.all("td")[1:]]


def names(element: Element, scope: str) -> list[str]:
    return [e.text for e in element.all("th") if e.attributes["scope"] == scope]


def test_inputs_stand_above_outputs_down_the_side_and_the_text_above_all() -> None:
    page = drawn([[0.5, 0.25, 0.0], [0.0, 0.0, 0.125]], ["i", "am", "ill"], ["je", "suis"])
    assert names(page, "col") == ["i", "am", "ill"] and names(page, "row") == ["je", "suis"]
    assert shares(page) == ["1.00", "0.50", "", "", "", "0.25"]
    order = [e for e in page.all() if "asked" in e.kinds or e.tag == "table"]
    assert order[0].text == "i am ill" and order[1].tag == "table"
    assert all(span.attributes["dir"] == "auto" for th in page.all("th") for span in th.all("span"))


def test_more_columns_than_fit_go_on_below_and_none_is_lost() -> None:
    count = 2 * BAND + 3
    weights = [[(n % 7) / 10 for n in range(count)] for _ in "ab"]
    page = drawn(weights, [f"i{n}" for n in range(count)], ["a", "b"])
    tables = page.all("table")
    assert len(tables) == 3 and max(len(names(t, "col")) for t in tables) <= BAND
    assert [name for t in tables for name in names(t, "col")] == [f"i{n}" for n in range(count)]
    assert all(names(t, "row") == ["a", "b"] for t in tables)
    shaded = [float(w or 0) for t in tables for w in shares(t)]
    assert sum(shaded) == pytest.approx(sum(map(sum, weights)) / 0.6, abs=0.01 * len(shaded))


def test_arabic_columns_stand_from_right_to_left_with_their_weights() -> None:
    page = drawn([[0.5, 0.0, 0.25], [0.0] * 3], ["ا", "ب", "ج"], ["x", "y"])
    assert names(page, "col") == ["ج", "ب", "ا"]
    assert shares(page)[:3] == ["0.50", "", "1.00"]


def test_one_weight_to_each_token_shades_the_text_itself() -> None:
    page = drawn([[0.5, 0.25]], ["good", "film"], ["pos"], input="Good\u2028 film!")
    (run,) = page.all("p", "run")
    assert (
        run.attributes["dir"] == "auto" and run.text == "GoodU+2028 film!" or not page.all("table")
    )
    page = drawn([[0.5, 0.25]], ["good", "film"], ["pos"], input="Good film! And more")
    (run,) = page.all("p", "run")
    assert run.text == "Good film! And more" and run.attributes["dir"] == "auto"
    assert [(w.text, w.attributes["style"]) for w in run.all("span", "w")] == [
        ("Good", "--w:1.00"), ("film", "--w:0.50"),
    ]  # fmt: skip
    assert page.all("span", "unread")[0].text == "! And more"


def test_letters_of_one_word_join_across_tokens() -> None:
    page = drawn([[0.5, 0.25, 0.1]], ["▁وال", "ممثل", "ون"], ["x"], input="والممثلون")
    (run,) = page.all("p", "run")
    assert run.text == "والممثلون"
    assert all(set(w.attributes) <= {"class", "style"} for w in run.all("span", "w"))


def test_of_a_long_text_the_beginning_is_open_and_the_rest_one_click_away() -> None:
    words = [f"w{n}" for n in range(4 * READ_AT_ONCE)]
    page = drawn([[1 / len(words)] * len(words)], words, ["x"])
    first, second = page.all("p", "run")
    assert len(first.all("span", "w")) == READ_AT_ONCE and second in page.all("details")[0].all("p")
    assert first.text + second.text == " ".join(words)
    assert "450 more tokens, which weigh 0.750" in page.all("summary")[0].text


def test_sentences_that_are_read_stand_down_the_side() -> None:
    sentences = [f"Clara went to the {place} with the lamp." for place in ("attic", "cellar")]
    hops = ["hop 1", "hop 2", "hop 3"]
    page = drawn([[0.5, 0.0], [0.25, 0.125], [0.0, 0.0]], sentences, hops)
    assert names(page, "col") == hops and names(page, "row") == sentences
    assert shares(page) == ["1.00", "0.50", "", "", "0.25", ""]


def test_very_many_weights_are_one_picture_and_the_strongest_in_words() -> None:
    count = 120
    eye = [[0.75 * (n == m) for n in range(count)] for m in range(count)]
    page = drawn(eye, [f"i{n}" for n in range(count)], [f"o{n}" for n in range(count)])
    assert (
        not page.all("table")
        and "url(data:image/png;base64," in page.all("div", "spots")[0].attributes["style"]
    )
    found = [re.sub(r"\s+", " ", item.text) for item in page.all("li")]
    assert found == [f"o{n} ← i{n} 0.750" for n in range(count)]


def test_chinese_and_single_letters_are_not_turned() -> None:
    page = drawn([[0.1] * 3] * 2, ["年", "👩\u200d👧", "long name"], ["a", "b"])
    tall = [th.text for th in page.all("th") if "tall" in th.kinds]
    assert tall == ["long name"]


@pytest.mark.parametrize("hostile", ["</script>", '"><b>', "\u2028", "\u202e", "'"])
def test_tokens_and_texts_are_shown_and_not_obeyed(hostile: str) -> None:
    for outputs in (["x"], ["x", hostile]):
        sample = {
            "inputs": [hostile, "b"],
            "outputs": outputs,
            "weights": [[0.5, 0.5]] * len(outputs),
        }
        more = {"input": f"{hostile} b", "answer": hostile, "wanted": hostile + "!"}
        (film,) = films([{"step": 1, "samples": [sample | more]}])
        html = figure(0, film)
        assert parsed(html) and not set("\u2028\u202e") & set(html)
        assert "<b>" not in html and "</script>" not in html
