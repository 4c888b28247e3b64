"""The tokens that writing begins and ends with: read from either file of a folder, and kept."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.generation import ForceFirst, greedy
from regard.models.published import TOKEN_WORDS
from regard.sequences import Sequences
from tests.parity.hugging_face import random_network, transformers

VOCAB = 23
SMALL: dict[str, Any] = {"vocab_size": VOCAB}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16}),
    "llama": (
        "LlamaForCausalLM",
        {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 16},
    ),
    "t5": (
        "T5ForConditionalGeneration",
        {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2},
    ),
}  # fmt: skip


def folder(name: str, tmp_path: Path, **said: Any) -> tuple[Any, Path]:
    kind, sizes = KINDS[name]
    config = transformers.AutoConfig.for_model(name, **SMALL, **sizes, **said)
    theirs, place = random_network(getattr(transformers, kind), config, seed=2), tmp_path / "theirs"
    theirs.save_pretrained(place)
    return theirs, place


def said_by(place: Path) -> dict[str, Any]:
    return json.loads((place / "generation_config.json").read_text())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("end", [7, [7, 9]], ids=str)
def test_tokens_of_writing_are_read_and_kept(name: str, end: Any, tmp_path: Path) -> None:
    given = {"bos_token_id": 3, "eos_token_id": end, "pad_token_id": 5}
    first = {"decoder_start_token_id": 4, "forced_bos_token_id": 6} if name == "t5" else {}
    _, place = folder(name, tmp_path, **given)
    (place / "generation_config.json").write_text(json.dumps({**given, **first}))
    ours = regard.load(place)
    assert ours.config.ends == (tuple(end) if isinstance(end, list) else (end,))
    assert ours.config.pad == 5
    assert ours.config.begin == (4 if name == "t5" else 3)
    assert name != "t5" or ours.config.first == 6
    regard.save(ours, tmp_path / "ours")
    kept = transformers.GenerationConfig.from_pretrained(tmp_path / "ours")
    wanted = {**given, **first}
    if name == "t5":  # which has no token before a text
        del wanted["bos_token_id"]
    assert {word: getattr(kept, word) for word in wanted} == wanted
    again = getattr(transformers, KINDS[name][0]).from_pretrained(tmp_path / "ours")
    assert again.generation_config.eos_token_id == end
    assert regard.load(tmp_path / "ours").config == ours.config


@pytest.mark.parametrize("name", KINDS)
def test_what_generation_says_counts_before_the_configuration(name: str, tmp_path: Path) -> None:
    _, place = folder(name, tmp_path, eos_token_id=7)
    (place / "generation_config.json").write_text('{"eos_token_id": [8, 9], "pad_token_id": null}')
    assert regard.load(place).config.ends == (8, 9)
    (place / "generation_config.json").unlink()
    assert regard.load(place).config.ends == (7,)
    (place / "generation_config.json").write_text('["eos_token_id"]')
    with pytest.raises(ValueError, match="generation_config.json is no table"):
        regard.load(place)
    (place / "generation_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"^\S*generation_config.json is damaged: (?!.*run)"):
        regard.load(place)
    (place / "generation_config.json").write_text('{"eos_token_id": "</s>"}')
    with pytest.raises(ValueError, match="its eos_token_id is '</s>', which is no token"):
        regard.load(place)


@pytest.mark.parametrize("none", [None, -1])
def test_a_token_that_is_none_stays_none(none: Any, tmp_path: Path) -> None:
    theirs, place = folder("llama", tmp_path)
    entries = json.loads((place / "config.json").read_text())
    tokens = {"pad_token_id": none, "eos_token_id": none, "bos_token_id": none}
    (place / "config.json").write_text(json.dumps({**entries, **tokens}))
    (place / "generation_config.json").unlink()
    ours = regard.load(place)
    assert (ours.config.pad, ours.config.ends, ours.config.begin) == (None, (), None)
    regard.save(ours, tmp_path / "ours")
    assert not any(said_by(tmp_path / "ours")[word] for word in tokens)


def test_what_a_llama_writes_ends_where_theirs_does(tmp_path: Path) -> None:
    theirs, place = folder("llama", tmp_path, pad_token_id=0)
    ours = regard.load(place)
    prompt = ours.encode(torch.tensor([[4, 8, 5]]))
    (free,) = greedy(ours, prompt, begin=prompt.last, max_length=12)
    end = free.tokens[5]
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": [end, 22]}))
    ours = regard.load(place)
    wanted = type(theirs).from_pretrained(place).generate(
        torch.tensor([[4, 8, 5]]), max_new_tokens=12, do_sample=False,
    )[0, 3:].tolist()  # fmt: skip
    (found,) = greedy(ours, prompt, begin=prompt.last, end=ours.config.ends, max_length=12)
    assert found.finished and [*found.tokens, end] == wanted


def test_a_forced_first_token_is_theirs(tmp_path: Path) -> None:
    theirs, place = folder("t5", tmp_path)
    said = {"decoder_start_token_id": 4, "forced_bos_token_id": 6, "eos_token_id": 7,
            "pad_token_id": 0}  # fmt: skip
    (place / "generation_config.json").write_text(json.dumps(said))
    ours, source = regard.load(place), torch.tensor([[4, 8, 5, 7]])
    wanted = type(theirs).from_pretrained(place).generate(
        source, max_new_tokens=9, do_sample=False, forced_bos_token_id=6,
    )[0].tolist()  # fmt: skip
    encoded = ours.encode(Sequences(source))
    (found,) = greedy(
        ours, encoded, ForceFirst(ours.config.first), begin=ours.config.begin,
        end=ours.config.ends, max_length=9,
    )  # fmt: skip
    assert [4, *found.tokens, *([7] if found.finished else [])] == wanted and found.tokens[0] == 6
    (free,) = greedy(ours, encoded, begin=4, max_length=9)
    assert free.tokens[0] != 6


def test_every_word_is_one_that_theirs_has() -> None:
    known = transformers.GenerationConfig().to_dict()
    assert set(TOKEN_WORDS) <= known.keys()
