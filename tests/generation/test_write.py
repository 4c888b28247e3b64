"""Texts are continued as texts: each as alone, as its seed says, up to where it ends."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from regard.generation import (
    Beams,
    Greedy,
    KeepTopP,
    RepetitionPenalty,
    Sample,
    Temperature,
    beam_search,
    greedy,
    stream,
    write,
)
from regard.models.gpt import GptLM, GptLMConfig
from regard.models.transformer import TransformerLM, TransformerLMConfig
from tests.generation.writers import opinionated

LETTERS = "abcdefghijklmnopqrstuvwxyz éß日🦁"
PROMPTS = ["once upon", "a", "né", "the end of it"]
SIZES: dict[str, Any] = {"vocab": 31, "embed_dim": 16, "num_heads": 2, "layers": 2}


class Letters:
    """A token for each letter."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[LETTERS.index(letter) for letter in text] for text in texts]

    def decode(self, numbers: Sequence[int]) -> str:
        return "".join(LETTERS[number] for number in numbers)


HOW: dict[str, Any] = {
    "greedy": Greedy(),
    "greedy, penalized": Greedy(RepetitionPenalty(1.5)),
    "drawn": Sample(seed=3),
    "drawn, filtered": Sample((Temperature(0.7), KeepTopP(0.9)), seed=1),
    "beams": Beams(3),
    "beams, penalized": Beams(2, length_penalty=0.6),
}
every = pytest.mark.parametrize("how", HOW.values(), ids=HOW)


@pytest.fixture(params=["gpt", "transformer"], scope="module")
def model(request: Any) -> Any:
    if request.param == "gpt":
        return opinionated(GptLM, GptLMConfig(**SIZES, max_length=40), 0.3)
    return opinionated(TransformerLM, TransformerLMConfig(**SIZES, ff_dim=20, tied="none"), 0.3)


@every
def test_a_text_among_others_is_the_text_alone(model: Any, how: Any) -> None:
    found = write(model, Letters(), PROMPTS, how, max_new_tokens=12)
    alone = [write(model, Letters(), [text], how, max_new_tokens=12)[0] for text in PROMPTS]
    assert found == alone and len(set(found)) > 1


@every
def test_pieces_come_to_the_text(model: Any, how: Any) -> None:
    if isinstance(how, Beams):
        with pytest.raises(TypeError, match="use write|type"):
            stream(model, Letters(), "a", how)
        return
    found = list(stream(model, Letters(), "once", how, max_new_tokens=30))
    assert ["".join(found)] == write(model, Letters(), ["once"], how, max_new_tokens=30)
    assert all(found) and len(found) > 1


def test_what_is_written_is_what_was_found(model: Any) -> None:
    rows = [torch.tensor([Letters().encode([text])[0]]) for text in PROMPTS]
    for how, search in ((Greedy(), greedy), (Beams(3), beam_search)):
        more = {"beams": 3} if search is beam_search else {}
        found = write(model, Letters(), PROMPTS, how, max_new_tokens=9)
        for text, row, prompt in zip(found, rows, PROMPTS, strict=True):
            encoded = model.encode(row)
            (best,) = search(model, encoded, begin=encoded.last, max_length=9, **more)
            best = best[0] if isinstance(best, list) else best
            whole = Letters().decode([*row[0].tolist(), *best.tokens])
            assert prompt + text == whole


def test_a_seed_says_the_text_and_each_text_may_have_its_own(model: Any) -> None:
    def drawn(seed: Any) -> list[str]:
        return write(model, Letters(), PROMPTS, Sample(seed=seed), max_new_tokens=8)

    assert drawn(1) == drawn(1) != drawn(2)
    mixed = drawn((1, 2, 2, 1))
    assert mixed == [drawn(1)[0], drawn(2)[1], drawn(2)[2], drawn(1)[3]]
    with pytest.raises(ValueError, match="4 texts but 2 seeds"):
        drawn((1, 2))


@pytest.mark.parametrize("how", [Greedy(), Sample(seed=5)], ids=["greedy", "drawn"])
def test_each_text_ends_at_its_own_stop_string(model: Any, how: Any) -> None:
    free = write(model, Letters(), PROMPTS, how, max_new_tokens=20)
    stop = [free[0][4:6], free[2][9:11]]
    found = write(model, Letters(), PROMPTS, how, max_new_tokens=20, stop=stop)
    for text, whole in zip(found, free, strict=True):
        places = [whole.find(each) for each in stop if each in whole]
        assert text == (whole[: min(places)] if places else whole)
    assert found != free
    pieces = list(stream(model, Letters(), PROMPTS[0], how, max_new_tokens=20, stop=stop))
    assert "".join(pieces) == found[0]


def test_a_beam_ends_at_its_stop_string_and_is_ranked_by_what_it_wrote(model: Any) -> None:
    free = write(model, Letters(), PROMPTS, Beams(3), max_new_tokens=8)
    stop = [free[0][3:5], "nothing of the kind"]
    found = write(model, Letters(), PROMPTS, Beams(3), max_new_tokens=8, stop=stop)
    assert all(each not in text for text in found for each in stop)
    for place, prompt in enumerate(PROMPTS):
        alone = write(model, Letters(), [prompt], Beams(3), max_new_tokens=8, stop=stop)
        assert alone == [found[place]]
    unstopped = write(model, Letters(), PROMPTS, Beams(3), max_new_tokens=8, stop=stop[1:])
    assert unstopped == free


@every
def test_the_end_is_that_of_the_network_or_the_one_given(how: Any) -> None:
    model = opinionated(GptLM, GptLMConfig(**SIZES, max_length=40), 0.3)
    encoded = model.encode(torch.tensor(Letters().encode(["once"])))
    free = greedy(model, encoded, begin=encoded.last, max_length=12)[0].tokens
    ends = (free[3], free[7])
    given = write(model, Letters(), ["once"], how, max_new_tokens=12, end=ends)
    known = opinionated(GptLM, GptLMConfig(**SIZES, max_length=40, ends=ends), 0.3)
    assert write(known, Letters(), ["once"], how, max_new_tokens=12) == given
    if how == Greedy():
        first = min(free.index(end) for end in ends)
        assert given == [Letters().decode(free[:first])]
    assert all(LETTERS[end] not in given[0] for end in ends)


def test_bad_prompts_are_said_by_number() -> None:
    model = opinionated(GptLM, GptLMConfig(**SIZES), 0.3)
    assert write(model, Letters(), []) == []
    with pytest.raises(ValueError, match="text 2 of 3 is empty"):
        write(model, Letters(), ["a", "", "b"])
    with pytest.raises(TypeError, match="give it in a list"):
        write(model, Letters(), "once")
    with pytest.raises(TypeError, match="write takes several|type"):
        stream(model, Letters(), ["a"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1, got 0"):
        write(model, Letters(), ["a"], max_new_tokens=0)
