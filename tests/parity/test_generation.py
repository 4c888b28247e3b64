"""What is written is what `transformers` writes, wherever both mean the same; or what is best."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.data.encoding.tokenizer import Tokenizer
from regard.generation import (
    Beams,
    KeepMinP,
    KeepTopK,
    KeepTopP,
    RepetitionPenalty,
    Temperature,
    beam_search,
    greedy,
    stream,
    write,
)
from regard.models.gpt import GptLM, GptLMConfig
from regard.sequences import Sequences
from tests.generation.writers import opinionated
from tests.parity.hugging_face import loaded, random_network, transformers

VOCAB, NEW = 23, 12
ROWS = [[4, 8, 5, 6, 9, 11, 2], [7], [10, 4, 11], [5, 5, 8, 1]]
RAGGED = Sequences.of(ROWS)


def theirs(ends: Any, spread: float = 0.3, **more: Any) -> Any:
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=2, n_positions=32,
        bos_token_id=0, eos_token_id=ends, pad_token_id=0, **more,
    )  # fmt: skip
    model = random_network(transformers.GPT2LMHeadModel, config, seed=1, spread=spread)
    return model.double()


def written_by(model: Any, **options: Any) -> list[list[int]]:
    """What theirs writes to prompts with padding on the left, up to the end."""
    length = RAGGED.ids.shape[1]
    left = torch.zeros_like(RAGGED.ids)
    mask = torch.zeros_like(left)
    for row, tokens in enumerate(ROWS):
        left[row, length - len(tokens) :] = torch.tensor(tokens)
        mask[row, length - len(tokens) :] = 1
    found = model.generate(
        left, attention_mask=mask, max_new_tokens=NEW, do_sample=False, **options
    )
    return [row[length:].tolist() for row in found]


def up_to(ends: tuple[int, ...], tokens: list[int]) -> list[int]:
    places = [tokens.index(end) for end in ends if end in tokens]
    return tokens[: min(places)] if places else tokens


@pytest.mark.parametrize("ends", [None, 9, [9, 14, 3]], ids=str)
@pytest.mark.parametrize("model_type", ["gpt2", "openai-gpt"])
def test_greedy_writing_is_theirs(ends: Any, model_type: str, tmp_path: Path) -> None:
    model = theirs(ends)
    if model_type == "openai-gpt":
        config = transformers.OpenAIGPTConfig(
            vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=2, n_positions=32, pad_token_id=0,
            eos_token_id=ends,
        )  # fmt: skip
        model = random_network(transformers.OpenAIGPTLMHeadModel, config, spread=0.3).double()
    ours = loaded(model, tmp_path).double()
    prompt = ours.encode(RAGGED)
    found = greedy(ours, prompt, begin=prompt.last, end=ours.config.ends, max_length=NEW)
    if model_type == "gpt2":
        wanted = [up_to(ours.config.ends, row) for row in written_by(model)]
    else:
        # Theirs gives padding on the left the positions of the text: each is asked alone.
        wanted = [
            up_to(ours.config.ends, model.generate(
                torch.tensor([row]), max_new_tokens=NEW, do_sample=False)[0, len(row):].tolist())
            for row in ROWS
        ]  # fmt: skip
    assert [list(answer.tokens) for answer in found] == wanted
    assert len({tuple(row) for row in wanted}) > 1


def test_a_beam_search_that_nothing_ends_is_theirs(tmp_path: Path) -> None:
    model = theirs(None)
    ours = loaded(model, tmp_path).double()
    prompt = ours.encode(RAGGED)
    for beams in (1, 2, 5):
        found = beam_search(ours, prompt, begin=prompt.last, max_length=NEW, beams=beams)
        wanted = written_by(model, num_beams=beams)
        assert [list(answers[0].tokens) for answers in found] == wanted


@pytest.mark.parametrize("penalty", [0.0, 0.6, None])
@pytest.mark.parametrize("end", [None, 2])
def test_a_beam_as_wide_as_all_answers_finds_the_best(penalty: float | None, end: Any) -> None:
    config = GptLMConfig(vocab=4, embed_dim=8, num_heads=2, layers=1, max_length=16)
    model, longest = opinionated(GptLM, config, 0.7), 4
    texts = [[1, 3], [0], [2, 2, 1]]
    prompt = model.encode(Sequences.of(texts))
    found = beam_search(model, prompt, begin=prompt.last, end=end, max_length=longest,
                        beams=4**longest, length_penalty=penalty)  # fmt: skip
    for text, answers in zip(texts, found, strict=True):
        best = max(_all(model, text, longest, end, penalty))
        written = [*answers[0].tokens, *([end] if answers[0].finished else [])]
        assert written == best[1]


@pytest.mark.parametrize("end", [None, 0])
def test_a_beam_as_wide_as_all_answers_finds_the_best_that_stops(end: Any) -> None:
    config = GptLMConfig(vocab=4, embed_dim=8, num_heads=2, layers=1, max_length=16)
    model, longest = opinionated(GptLM, config, 0.7), 4
    prompts = ["bd", "a", "ccb"]
    prompt = [["abcd".index(letter) for letter in text] for text in prompts]
    stopped = 0
    for stop in ("dc", "cc", "bd"):
        found = write(
            model, _FourLetters(), prompts, Beams(4**longest), max_new_tokens=longest,
            stop=[stop], end=end,
        )  # fmt: skip
        ids = ["abcd".index(letter) for letter in stop]
        for text, answer in zip(prompt, found, strict=True):
            best = max(_all(model, text, longest, end, None, ids))[1]
            wanted = "".join("abcd"[token] for token in best if token != end)
            stopped += stop in wanted
            assert answer == wanted.split(stop)[0]
    assert stopped


class _FourLetters:
    def encode(self, texts: Any, longest: Any = None) -> Any:
        return [["abcd".index(letter) for letter in text] for text in texts]

    def decode(self, numbers: Any) -> str:
        return "".join("abcd"[number] for number in numbers)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_penalty_counts_the_prompt_as_theirs_does(beams: int, tmp_path: Path) -> None:
    model = theirs(None)
    ours = loaded(model, tmp_path).double()
    penalty = RepetitionPenalty(1.8)
    differs = 0
    for row in ROWS:
        wanted = model.generate(
            torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.long),
            max_new_tokens=NEW, do_sample=False, num_beams=beams, repetition_penalty=1.8,
        )[0, len(row) :].tolist()  # fmt: skip
        prompt = ours.encode(torch.tensor([row]))
        asked: dict[str, Any] = {"begin": prompt.last, "max_length": NEW}
        if beams == 1:
            (found,) = greedy(ours, prompt, penalty, **asked)
            (free,) = greedy(ours, prompt, **asked)
        else:
            ((found, *_),) = beam_search(ours, prompt, penalty, **asked, beams=beams)
            ((free, *_),) = beam_search(ours, prompt, **asked, beams=beams)
        assert list(found.tokens) == wanted
        differs += found.tokens != free.tokens
    assert differs
    prompt = ours.encode(RAGGED)
    asked = {"begin": prompt.last, "max_length": NEW}
    for row, answer in zip(ROWS, greedy(ours, prompt, penalty, **asked), strict=True):
        one = ours.encode(torch.tensor([row]))
        (alone,) = greedy(ours, one, penalty, begin=one.last, max_length=NEW)
        assert answer.tokens == alone.tokens


def _all(model: Any, text: list[int], longest: int, end: Any, penalty: float | None,
         stop: Any = None) -> list[Any]:  # fmt: skip
    """Every answer with what it is ranked by."""
    found = []
    for tokens in product(range(4), repeat=longest):
        cut = tokens[: tokens.index(end) + 1] if end in tokens else tokens
        places = [n for n in range(2, len(cut) + 1) if stop and [*cut[n - 2 : n]] == stop]
        cut = cut[: places[0]] if places else cut
        logits = model(torch.tensor([[*text, *cut[:-1]]]))[0, len(text) - 1 :]
        p = logits.log_softmax(-1).gather(1, torch.tensor(cut)[:, None]).sum().item()
        n = len(cut)
        found.append((p / (n if penalty is None else ((5 + n) / 6) ** penalty), list(cut)))
    return found


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        (Temperature(0.7), ("TemperatureLogitsWarper", (0.7,))),
        (KeepTopK(4), ("TopKLogitsWarper", (4,))),
        (KeepTopP(0.6), ("TopPLogitsWarper", (0.6,))),
        (KeepMinP(0.3), ("MinPLogitsWarper", (0.3,))),
        (RepetitionPenalty(1.7), ("RepetitionPenaltyLogitsProcessor", (1.7,))),
    ],
    ids=lambda each: str(each),
)
def test_filters_keep_what_theirs_keep(mine: Any, yours: Any) -> None:
    name, args = yours
    logits, written = torch.randn(50, 11), torch.randint(0, 11, (50, 4))
    wanted = getattr(transformers, name)(*args)(written, logits.clone())
    torch.testing.assert_close(mine(logits, written), wanted)


def test_drawn_tokens_are_distributed_as_theirs(tmp_path: Path) -> None:
    from regard.generation import RowSeeds, sample

    model = theirs(None)
    ours = loaded(model, tmp_path).double()
    rows = 3000
    prompt = ours.encode(torch.tensor([[4, 8, 5]]).expand(rows, -1))
    filters = (Temperature(1.5), KeepTopK(8))
    found = sample(ours, prompt, filters, begin=prompt.last, max_length=1,
                   generator=RowSeeds(tuple(range(rows))))  # fmt: skip
    shares = model(torch.tensor([[4, 8, 5]])).logits[0, -1] / 1.5
    kept = shares.topk(8).values.min()
    wanted = shares.masked_fill(shares < kept, -torch.inf).softmax(-1)
    counts = torch.tensor([answer.tokens[0] for answer in found]).bincount(minlength=VOCAB)
    real = wanted > 0
    assert not counts[~real].any()
    square = ((counts[real] - rows * wanted[real]) ** 2 / (rows * wanted[real])).sum()
    assert float(square.detach()) < 24.3  # of 7 degrees of freedom, in 999 cases of 1000


def test_texts_are_continued_as_theirs_with_the_tokenizer_of_the_folder(tmp_path: Path) -> None:
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["Ein Löwe fraß 🦁, and some more words of it."] * 3, 290)
    trained.save(str(tmp_path / "tokenizer.json"))
    config = transformers.GPT2Config(
        vocab_size=trained.get_vocab_size(), n_embd=16, n_layer=2, n_head=2, n_positions=64,
        eos_token_id=7, pad_token_id=7,
    )  # fmt: skip
    model = random_network(transformers.GPT2LMHeadModel, config, spread=0.4)
    ours = loaded(model, tmp_path)
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    prompts = ["Ein Löwe", "some", "of it. 🦁"]
    found = write(ours, tokenizer, prompts, max_new_tokens=20)
    for prompt, text in zip(prompts, found, strict=True):
        ids = torch.tensor([trained.encode(prompt).ids])
        mask = torch.ones_like(ids)
        whole = model.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False)[0]
        kept = [token for token in whole.tolist() if token != 7]
        assert prompt + text == trained.decode(kept)
        assert "".join(stream(ours, tokenizer, prompt, max_new_tokens=20)) == text


@pytest.mark.parametrize("framed", [True, False])
def test_a_text_begins_with_the_token_that_the_tokenizer_puts_before_it(
    framed: bool, tmp_path: Path
) -> None:
    from tokenizers import ByteLevelBPETokenizer, processors

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["some more words of it."] * 3, 280, special_tokens=["<s>", "</s>"])
    if framed:
        trained.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
        )
    trained.save(str(tmp_path / "tokenizer.json"))
    config = transformers.LlamaConfig(
        vocab_size=trained.get_vocab_size(), hidden_size=16, intermediate_size=24,
        num_hidden_layers=2, num_attention_heads=2, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    model = random_network(transformers.LlamaForCausalLM, config, spread=0.4)
    ours = loaded(model, tmp_path)
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    prompts = ["some", "of it. more", ""][: 3 if framed else 2]
    found = write(ours, tokenizer, prompts, max_new_tokens=9)
    for prompt, text in zip(prompts, found, strict=True):
        ids = torch.tensor([trained.encode(prompt).ids])
        mask = torch.ones_like(ids)
        whole = model.generate(ids, attention_mask=mask, max_new_tokens=9, do_sample=False)[0]
        assert prompt + text == trained.decode(whole.tolist())
        assert "".join(stream(ours, tokenizer, prompt, max_new_tokens=9)) == text
    if not framed:
        with pytest.raises(ValueError, match="text 1 of 1 is empty"):
            write(ours, tokenizer, [""])
