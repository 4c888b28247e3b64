"""What decoding is asked for in vain: one sentence with the name and the value, and no text."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
import torch

from regard.data.encoding.tokenizer import Tokenizer
from regard.generation import Beams, ForceFirst, Greedy, Sample, Temperature, beam_search, stream
from regard.generation import write as continued
from regard.models.bert import BertMaskedLM, BertMaskedLMConfig
from regard.models.gpt import GptLM, GptLMConfig
from regard.models.t5 import T5, T5Config

SMALL: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "layers": 1}
TOKENIZER = Tokenizer.train(["ein Hund", "ein Haus"], "characters")
MODEL = GptLM(GptLMConfig(vocab=len(TOKENIZER), **SMALL)).eval()


def write(how: Any = Greedy(), model: Any = MODEL, **asked: Any) -> list[str]:
    return continued(model, TOKENIZER, ["ein", "H"], how, **{"max_new_tokens": 3, **asked})


def nothing_left(logits: Any, written: Any) -> Any:
    return torch.full_like(logits, -inf)


def not_a_number(logits: Any, written: Any) -> Any:
    return logits * nan


def cut(logits: Any, written: Any) -> Any:
    return logits[:, :3]


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("ask", "why"),
    [
        *((lambda s=s: write(Sample(seed=s)), f"seed must be a whole number, got {s!r}")
          for s in (1.5, True, None, "a")),
        (lambda: write(Sample(seed=2**70)), "seed must be at most 18446744073709551615, got"),
        (lambda: write(Sample(seed=[1, 2.5])), "seed must be a whole number, got 2.5"),
        (lambda: write(Sample(seed=[1])), "2 texts but 1 seeds"),
        *((lambda n=n: write(max_new_tokens=n), f"max_new_tokens must be a whole number, got {n!r}")
          for n in (1.5, True, "3", None)),
        (lambda: write(max_new_tokens=0), "max_new_tokens must be at least 1, got 0"),
        (lambda: list(stream(MODEL, TOKENIZER, "e", max_new_tokens=0)), "max_new_tokens must be"),
        *((lambda n=n: write(Beams(n)), f"beams must be a whole number, got {n!r}")
          for n in (1.5, True)),
        (lambda: write(Beams(0)), "beams must be at least 1, got 0"),
        (lambda: write(Beams(10**6)), "at most 65536, got 1000000"),
        *((lambda p=p: write(Beams(2, p)), f"length_penalty must .*, got {p}")
          for p in (-1.0, nan, inf)),
        (lambda: write(Beams(2, "a")), "length_penalty must be a number or None, got 'a'"),  # type: ignore[arg-type]
        (lambda: write(end=-1), "end must be at least 0, got -1"),
        (lambda: write(end="x"), "end must be a whole number, got 'x'"),
        (lambda: write(end=[3, 1.5]), "end must be a whole number, got 1.5"),
        (lambda: write(stop=[5]), r"stop must be several strings, got \[5\]"),
        (lambda: write(stop=None), "stop must be several strings, got None"),
        (lambda: write("greedy"), r"how must be Greedy\(\), Sample\(\) or Beams\(\), got 'greedy'"),
        (lambda: write(Greedy(None)), "a filter must be callable, got None"),  # type: ignore[arg-type]
        (lambda: ForceFirst(99)(torch.zeros(1, 13), torch.zeros(1, 1, dtype=torch.long)),
          "token 99 cannot be forced: there are 13 tokens"),
        *((lambda how=how: write(how), "leaves no token")
          for how in (Greedy(nothing_left), Sample(not_a_number), Beams(2, None, nothing_left))),
        (lambda: write(Greedy(cut)), r"made logits of shape \[2, 3\] of those of shape \[2, 13\]"),
        (lambda: beam_search(MODEL, MODEL.encode(torch.tensor([[4]])), begin=4, max_length=None),  # type: ignore[arg-type]
         "max_length must be a whole number, got None"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_by_name(ask: Callable[[], Any], why: str) -> None:
    with pytest.raises((ValueError, TypeError), match=why):
        ask()


def test_a_network_that_continues_no_text_is_told() -> None:
    reader = BertMaskedLM(BertMaskedLMConfig(vocab=len(TOKENIZER), **SMALL))
    with pytest.raises(TypeError, match="BertMaskedLM does not continue texts; give a language"):
        write(model=reader)
    translator = T5(T5Config(vocab=len(TOKENIZER), head_dim=4, **SMALL))
    with pytest.raises(TypeError, match="T5 does not continue texts; .* is asked with greedy or"):
        write(model=translator)


def test_what_is_no_network_is_told() -> None:
    for other in ("runs/mine", TOKENIZER, None):
        with pytest.raises(TypeError, match="does not continue texts; give a language model such"):
            write(model=other)


def test_filters_may_be_a_list() -> None:
    as_tuple, as_list = (Temperature(0.5),), [Temperature(0.5)]
    assert write(Sample(as_tuple, seed=3)) == write(Sample(as_list, seed=3))
