"""A language model continues its prompts, as long as it has positions and beyond."""

from typing import Any

import pytest
import torch

from regard.generation import beam_search, greedy
from regard.models.transformer import TransformerLM, TransformerLMConfig
from tests.generation.writers import END, opinionated, written

PROMPTS = torch.randint(0, 11, (5, 5), generator=torch.Generator().manual_seed(1))


def language_model(positions: str = "sinusoidal", max_length: int = 20) -> Any:
    entries = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12, "layers": 2, "vocab": 11}
    more = {"positions": positions, "max_length": max_length}
    return opinionated(TransformerLM, TransformerLMConfig.from_entries(entries | more), 0.5)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_language_model_continues_its_prompts(positions: str) -> None:
    model = language_model(positions)
    prompt = model.encode(PROMPTS)
    found = greedy(model, prompt, begin=prompt.last, max_length=7)
    tokens = prompt.tokens
    for _ in range(7):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    assert [list(answer.tokens) for answer in found] == tokens[:, 5:].tolist()
    assert not any(answer.finished for answer in found)
    wide = beam_search(model, prompt, begin=prompt.last, end=END, max_length=7, beams=5)
    for row, answers in enumerate(wide):
        for answer in answers:
            whole = torch.tensor([*prompt.tokens[row].tolist(), *written(answer)])
            logits = model(whole[None, :-1])[0, 4:].log_softmax(-1)
            wanted = logits.gather(1, whole[5:, None]).sum().item()
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("length", [1, 4, 5, 9])
def test_a_text_longer_than_its_positions_keeps_its_newer_half(length: int) -> None:
    model = language_model("learned", max_length=4)
    prompt = model.encode(torch.randint(0, 11, (3, length)))
    found = greedy(model, prompt, begin=prompt.last, max_length=9)
    assert all(len(answer.tokens) == 9 for answer in found)
    # Read by hand: positions fill up to four, then two are kept.
    tokens = prompt.tokens[:, :-1]
    tokens = tokens if length - 1 < 4 else tokens[:, -2:]
    new = prompt.tokens[:, -1:]
    for step in range(9):
        tokens = torch.cat([tokens if tokens.shape[1] < 4 else tokens[:, -2:], new], dim=1)
        new = model(tokens)[:, -1:].argmax(-1)
        assert new[:, 0].tolist() == [answer.tokens[step] for answer in found]


def test_a_prompt_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        language_model().encode(torch.ones(2, 0, dtype=torch.long))
