"""A film shows the weights it was given, at every look, and says what it leaves out."""

from typing import Any

import numpy as np
import pytest

from regard.view.attention_page import mounted
from regard.view.blocks import inflated
from regard.view.codes import Codes, decode
from regard.view.document import Document
from regard.view.film import MOST_FILMS, MOST_LOOKS, films, notes, with_weights
from regard.view.frame import MOST_TOKENS
from regard.view.looks import documents


def look(step: int, *samples: object) -> dict[str, Any]:
    return {"step": step, "epoch": step / 10, "samples": list(samples)}


def sample(
    weights: object = None, height: int = 2, width: int = 3, **more: object
) -> dict[str, Any]:
    rows = weights or [[0.1] * width for _ in range(height)]
    tokens = {
        "inputs": [f"i{n}" for n in range(width)],
        "outputs": [f"o{n}" for n in range(height)],
    }
    return {"input": "x", "answer": "y", "wanted": None, "weights": rows} | tokens | more


def unpacked(document: Document) -> list[float]:
    """The weights that a page shows of a look."""
    (layer,) = document.head["layers"]
    stored = layer["weights"]
    block = list(document.blocks)[stored["block"]]
    codes = np.frombuffer(inflated(block), np.uint8).reshape(1, 1, -1)
    told = Codes(codes, tuple(stored["peaks"]), stored["levels"], stored["signed"], 0.0)
    found: list[float] = decode(told).ravel().tolist()
    return found


def test_packed_weights_are_exact_to_four_thousandths() -> None:
    weights = [[n / 1000 for n in range(k * 50, k * 50 + 50)] for k in range(20)]
    made, _ = documents(films([look(1, sample(weights, 20, 50))]))
    flat = [weight for row in weights for weight in row]
    assert unpacked(made[0]) == pytest.approx(flat, abs=0.004)
    assert made[0].head["layers"][0]["weights"]["error"] <= 0.004


def test_a_look_has_its_tokens_its_answer_and_when_it_was() -> None:
    made, _ = documents(films([look(7, sample(wanted="z"))]), "de-en (lstm)")
    head = made[0].head
    assert head["axes"]["tokens"]["tokens"] == ["i0", "i1", "i2"]
    assert head["axes"]["queries"]["tokens"] == ["o0", "o1"]
    about = {"title": "x", "model": "de-en (lstm)", "answer": "y", "wanted": "z"}
    assert head["about"] == {**about, "epoch": 0.7, "step": 7}


def test_each_example_has_its_looks_in_order() -> None:
    shown = films([look(n, sample(answer=f"a{n}"), sample(answer=f"b{n}")) for n in (1, 2, 3)])
    assert [[frame.answer for frame in film.frames] for film in shown] == [
        ["a1", "a2", "a3"], ["b1", "b2", "b3"],
    ]  # fmt: skip
    made, firsts = documents(shown)
    assert firsts == [0, 3]
    assert [each.head["about"]["answer"] for each in made[3:]] == ["b1", "b2", "b3"]


def test_of_very_many_looks_the_first_and_the_last_are_kept() -> None:
    (film,) = films([look(n, sample()) for n in range(1000)])
    steps = [frame.step for frame in film.frames]
    assert len(steps) == MOST_LOOKS and steps[0] == 0 and steps[-1] == 999
    assert steps == sorted(set(steps))


def test_what_is_too_long_is_cut_and_said_to_be() -> None:
    (long,) = films([look(1, sample(height=MOST_TOKENS + 1, width=5))])
    (frame,) = long.frames
    assert len(frame.outputs) == len(frame.weights) == MOST_TOKENS
    assert f"Only the first {MOST_TOKENS} of {MOST_TOKENS + 1} outputs" in notes(long)[0]
    (whole,) = films([look(1, sample(height=MOST_TOKENS, width=5))])
    assert notes(whole) == []


def test_large_maps_have_fewer_looks_and_always_the_last() -> None:
    looks = [look(n, sample(height=150, width=300)) for n in range(9)]
    (film,) = films(looks)
    assert [frame.step for frame in film.frames] == [0, 8]
    (film,) = films([look(n, sample(height=400, width=400)) for n in range(3)])
    assert [frame.step for frame in film.frames] == [2]


def test_of_very_many_examples_some_are_drawn() -> None:
    looks = [look(1, *[sample() for _ in range(50)])]
    assert len(films(looks)) == MOST_FILMS and with_weights(looks) == 50


@pytest.mark.parametrize(
    "damaged",
    [
        None, "x", {}, sample(inputs=[]), sample(outputs=None), sample(inputs=["a", 1, "b"]),
        {**sample(), "weights": None}, sample([[0.1, 0.2]]), sample([[0.1, 0.2, 0.3]]),
        sample([0.1, 0.2]), sample([[], []]),
        {**sample(), "weights": "[[1]]"},
    ],
)  # fmt: skip
def test_an_example_without_fitting_weights_is_no_film(damaged: object) -> None:
    assert films([look(1, damaged)]) == []
    assert len(films([look(1, damaged), look(2, sample())])) == 1


@pytest.mark.parametrize("weight", [None, "x", float("nan"), float("inf"), -1.0, 7, 10**400, True])
def test_a_weight_that_is_none_is_drawn_between_zero_and_one(weight: object) -> None:
    (film,) = films([look(1, sample([[weight, 0.5, 0.5], [0.0, 0.0, 0.0]]))])
    assert all(0 <= w <= 1 for row in film.frames[0].weights for w in row)
    assert all(0 <= w <= 1 for w in unpacked(documents([film])[0][0]))


def test_weights_that_are_all_zero_stay_zero() -> None:
    made, _ = documents(films([look(1, sample([[0.0] * 3, [0] * 3]))]))
    assert unpacked(made[0]) == [0.0] * 6


def test_tokens_cannot_leave_their_data() -> None:
    hostile = ["</script>", "\u202e", " "]
    made, firsts = documents(films([look(1, sample(inputs=hostile, answer="\u2028<b>"))]))
    drawn = mounted(made, kind="film", films=firsts, inset=True)
    assert drawn.count("</script>") == drawn.count("<script") and "<b>" not in drawn
    assert made[0].head["axes"]["tokens"]["tokens"] == hostile
