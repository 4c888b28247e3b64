"""Fine-tuning of networks that write: GPT-2's folders, whose tokens know no padding, and T5's."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.run.run import Run
from regard.run.training import Options
from regard.sequences import Sequences

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
transformers.logging.disable_progress_bar()

QUIET = Options(progress=False)
STILL = {"learning_rate": 1e-12, "weight_decay": 0.0, "steps": 1}
FILMS = "text,label\n" + "".join(
    f"{one} {what} {other},{'pos' if one == 'good' else 'neg'}\n"
    for one in ("good", "bad")
    for what in ("film", "play", "book")
    for other in ("abc", "Def!", "xyz 12", "now and then")
)
PAIRS = "input\toutput\n" + "".join(
    f"{one} {what}\t{what}\n" for one in ("good", "bad", "old") for what in ("film", "play", "no")
)
POSITIONS = 48


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(FILMS)
    Path("book.txt").write_text("good film now and then. " * 200)
    Path("pairs.tsv").write_text(PAIRS)


def gpt2_tokenizer() -> Any:
    """Bytes in pairs, `<|endoftext|>` the only special token, as GPT-2's."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([FILMS], trainer)
    made.add_special_tokens(["<|endoftext|>"])
    return made


def t5_tokenizer() -> Any:
    """Unigrams with `<pad>`, `</s>` and `<unk>` in front and sentinels behind, as T5's."""
    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = sorted(set("".join(FILMS.split())) - {",", "\n"})
    made = tokenizers.Tokenizer(
        tokenizers.models.Unigram(
            [*specials, ("▁", -2.0), *((letter, -3.0) for letter in letters)], unk_id=2
        )
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    made.add_special_tokens(["<pad>", "</s>", "<unk>", "<extra_id_1>", "<extra_id_0>"])
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return made


def gpt2(kind: str = "GPT2LMHeadModel", **more: Any) -> Path:
    """A small random GPT-2, as `transformers` saves it."""
    torch.manual_seed(1)
    made, folder = gpt2_tokenizer(), Path("gpt2")
    end = made.token_to_id("<|endoftext|>")
    config = transformers.GPT2Config(
        vocab_size=made.get_vocab_size(), n_positions=POSITIONS, n_embd=16, n_layer=2, n_head=2,
        bos_token_id=end, eos_token_id=end, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **more,
    )  # fmt: skip
    getattr(transformers, kind)(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return folder


def t5(**more: Any) -> Path:
    """A small random T5, whose embedding has more rows than there are tokens."""
    torch.manual_seed(1)
    made, folder = t5_tokenizer(), Path("t5")
    config = transformers.T5Config(
        vocab_size=made.get_vocab_size() + 5, d_model=16, d_kv=8, d_ff=32, num_layers=2,
        num_heads=2, dropout_rate=0.0, decoder_start_token_id=0, **more,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return folder


def tuned(start: Path, data: str, out: str = "run", **given: Any) -> Run:
    options = given.pop("options", QUIET)
    return regard.train(data, start=str(start), out=out, options=options, **{**STILL, **given})


def test_a_language_model_goes_on_with_all_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    folder = gpt2()
    run = tuned(folder, "book.txt", options=Options())
    said = capsys.readouterr().out
    whole, count = re.findall(r"with gpt2: (\d+) of (\d+) tensors are taken over", said)[0]
    assert whole == count and "new are" not in said
    assert run.settings.task_name == "language_model" and run.settings.model_name == "gpt_lm"
    assert run.settings.task.block == POSITIONS == run.model.config.max_length
    old = regard.load(folder)
    for name, tensor in old.state_dict().items():
        assert torch.allclose(tensor, run.model.state_dict()[name], atol=1e-6), name
    assert run.model.config.ends == old.config.ends == (len(run.predictor.coder.tokenizer) - 1,)
    assert run.predict(["good film"])[0].best != ""


@pytest.mark.slow
def test_a_language_model_learns_and_is_asked_without_the_folder() -> None:
    folder = gpt2()
    before = regard.train("book.txt", start=str(folder), out="still", options=QUIET, **STILL)
    run = tuned(folder, "book.txt", steps=60, learning_rate=1e-2, block=16)
    assert run.model.config.max_length == POSITIONS
    assert run.evaluate("book.txt")["loss"] < 0.5 * before.evaluate("book.txt")["loss"]
    shutil.rmtree(folder)
    again = Run("run")
    assert "film" in again.predict(["good"])[0].best
    again.resume(steps=61, options=QUIET)


def test_a_block_is_no_longer_than_the_positions() -> None:
    with pytest.raises(UsageError, match=f"has positions for {POSITIONS}; give a smaller block"):
        tuned(gpt2(), "book.txt", block=POSITIONS + 1)


def test_a_text_is_classified_by_its_last_token_whatever_fills_up() -> None:
    folder = gpt2("GPT2ForSequenceClassification", num_labels=2, pad_token_id=0)
    run = tuned(folder, "films.csv")
    assert run.settings.model_name == "gpt_classifier"
    tokens, network = run.predictor.coder.tokenizer, run.model.eval()
    rows = [row.tolist() for row in tokens.encode(["good film abc now", "bad"])]
    theirs = transformers.GPT2ForSequenceClassification.from_pretrained(folder).eval()
    theirs.score.weight.data.copy_(network.output.weight.detach())
    for filler in (0, 7, len(tokens) - 1):
        found = network(Sequences.of(rows, filler))
        for row, logits in zip(rows, found, strict=True):
            assert torch.allclose(logits, theirs(torch.tensor([row])).logits[0], atol=1e-5)
    network.zero_grad()
    network(Sequences.of(rows, 7)).sum().backward()
    gradient = network.encoder.embedding.tokens.weight.grad.clone()
    network.zero_grad()
    network(Sequences.of(rows, 9)).sum().backward()
    assert torch.allclose(gradient, network.encoder.embedding.tokens.weight.grad, atol=1e-6)


def test_a_body_that_continues_texts_learns_to_classify_them() -> None:
    run = tuned(gpt2(), "films.csv", steps=60, evaluate_every=60, learning_rate=1e-2)
    assert run.evaluate("films.csv")["accuracy"] == 1.0
    assert len(run.model.encoder.embedding.tokens.weight) == len(run.predictor.coder.tokenizer)
    (answer,) = Run("run").predict(["good play abc"])
    assert answer.best == "pos"


def test_pairs_are_read_as_one_text_that_has_positions() -> None:
    rows = [line.split(",") for line in FILMS.splitlines()[1:]]
    text = "".join(f"{text},{text[:3]},{label}\n" for text, label in rows)
    Path("both.csv").write_text("left,right,label\n" + text)
    run = tuned(gpt2(), "both.csv", task="match")
    assert run.settings.task.longest == POSITIONS // 2
    with pytest.raises(UsageError, match=f"up to {POSITIONS + 2} tokens would be read"):
        tuned(Path("gpt2"), "both.csv", out="other", task="match", longest=POSITIONS // 2 + 1)


def test_t5_goes_on_with_all_its_weights_and_begins_with_its_padding(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = t5()
    run = tuned(folder, "pairs.tsv", options=Options())
    said = capsys.readouterr().out
    whole, count = re.findall(r"with t5: (\d+) of (\d+) tensors are taken over", said)[0]
    assert whole == count and run.settings.task_name == "text_to_text"
    coder, model = run.predictor.coder, run.model.eval()
    assert coder.begin == 0 and model.config.begin == 0 and model.config.ends == (1,)
    assert model.config.vocab == len(coder.target) + 5 == len(model.encoder.tokens.weight)
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    batch = coder.collate(_examples(coder), np.arange(2))
    mask = batch.source.real.expand_as(batch.source.ids).long()
    labels = batch.target.ids.masked_fill(~batch.target.real, -100)
    wanted = theirs(input_ids=batch.source.ids, attention_mask=mask, labels=labels)
    ours = model(batch.source, batch.written)
    real = batch.target.real
    assert torch.allclose(ours[real], wanted.logits[real], atol=1e-4)


def _examples(coder: Any) -> Any:
    return coder.encode_rows([
        {"input": "good film", "output": "film"}, {"input": "no", "output": "no play"},
    ])  # fmt: skip


def test_t5_learns_to_summarize_with_the_prefix_of_the_recipe() -> None:
    run = tuned(t5(), "pairs.tsv", recipe="summarize", steps=1)
    assert run.predictor.coder.prefix == "summarize: "
    assert run.settings.task.tokens.tag == "given"


@pytest.mark.slow
def test_t5_learns_and_is_asked_without_the_folder() -> None:
    folder = t5()
    run = tuned(folder, "pairs.tsv", steps=100, evaluate_every=100, learning_rate=2e-2, warmup=10.0)
    assert run.evaluate("pairs.tsv")["exact_match"] > 0.7
    shutil.rmtree(folder)
    again = Run("run")
    asked = [each.best for each in again.predict(["good film", "old play"])]
    assert asked == [each.best for each in run.predict(["good film", "old play"])]
    assert json.loads(Path("run/best/positions.json").read_text())["before"] == 0


def test_the_pre_training_of_t5_goes_on_with_the_sentinels_of_its_tokens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = t5()
    given = {"task": "span_corruption", "length": 12, "sentinels": 2}
    run = tuned(folder, "book.txt", options=Options(), **given)
    said = capsys.readouterr().out
    whole, count = re.findall(r"with t5: (\d+) of (\d+) tensors are taken over", said)[0]
    assert whole == count
    coder, model = run.predictor.coder, run.model.eval()
    last = t5_tokenizer().get_vocab_size() - 1
    assert coder.begin == 0 and coder.marks.tolist() == [last, last - 1]
    assert coder.sizes["vocab"] == last + 6 == len(model.encoder.tokens.weight)
    assert coder.decode(coder.read("good<extra_id_0> film<extra_id_1>")) == (
        "good<extra_id_0> film<extra_id_1>"
    )
    batch = coder.collate(
        coder.encode_rows([{"text": "good film now and then. " * 9}]), np.arange(2)
    )
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    wanted = theirs(input_ids=batch.source.ids, labels=batch.target.ids)
    assert torch.allclose(model(batch.source, batch.written), wanted.logits, atol=1e-4)
    shutil.rmtree(folder)
    asked = ["good<extra_id_0> now"]
    assert Run("run").predict(asked)[0].answers == run.predict(asked)[0].answers


def test_more_sentinels_than_the_tokens_have_are_refused() -> None:
    with pytest.raises(
        UsageError, match="has 2 sentinels, and 100 are asked for; give sentinels=2"
    ):
        tuned(t5(), "book.txt", task="span_corruption", length=12)


def test_tokens_without_unknown_say_so_where_one_is_needed() -> None:
    folder = gpt2()
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    with pytest.raises(ValueError, match="no unknown token"):
        _ = tokenizer.unknown_id


def test_words_are_tagged_with_the_space_in_front_as_gpt2_reads_them() -> None:
    lines = [f"{word}\t{'A' if word in ('good', 'bad') else 'N'}" for word in
             ("good", "film", "bad", "play", "now")]  # fmt: skip
    Path("tags.conll").write_text("\n\n".join("\n".join(lines[n:] + lines[:n]) for n in range(5)))
    run = tuned(gpt2(), "tags.conll", task="tag", steps=60, learning_rate=1e-2, evaluate_every=60)
    assert run.settings.model_name == "gpt_tagger"
    (answer,) = run.predict([["film", "bad", "play"]])
    assert answer.best == "N A N"
    coder = run.predictor.coder
    numbers, first = coder.words.row(["good", "film"])
    assert numbers == coder.tokenizer.encode([" good film"]).values.tolist() and first[0] == 0


def llama(kind: str = "LlamaForCausalLM", **more: Any) -> Path:
    """A small random LLaMA with GPT-2's way of cutting texts."""
    torch.manual_seed(1)
    made, folder = gpt2_tokenizer(), Path("llama")
    end = made.token_to_id("<|endoftext|>")
    config = transformers.LlamaConfig(
        vocab_size=made.get_vocab_size(), max_position_embeddings=POSITIONS, hidden_size=16,
        intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        bos_token_id=end, eos_token_id=end, **more,
    )  # fmt: skip
    getattr(transformers, kind)(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return folder


PASSAGES = [
    {"id": str(n), "title": "t", "context": f"Bob is in {place}", "question": "Bob?",
     "answers": {"text": [place], "answer_start": [10]}}
    for n, place in enumerate(("Rome", "Oslo", "Bonn", "Lima") * 3)
]  # fmt: skip
WORDS = ("good", "bad", "old", "new")
PAIRED = "left,right,label\n" + "".join(
    f"{a} film,{b} film,{'same' if a == b else 'other'}\n" for a in WORDS for b in WORDS
)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classify", "match", "extract", "tag"])
@pytest.mark.parametrize("folder", [gpt2, llama], ids=["gpt", "llama"])
def test_every_body_that_writes_learns_labels_and_answers(folder: Any, task: str) -> None:
    Path("passages.json").write_text("\n".join(map(json.dumps, PASSAGES)))
    Path("paired.csv").write_text(PAIRED)
    tags = [f"{word}\t{word[0].upper()}" for word in ("good", "film", "bad", "play", "now")]
    Path("tags.conll").write_text("\n\n".join("\n".join(tags[n:] + tags[:n]) for n in range(5)))
    path = {"classify": "films.csv", "match": "paired.csv", "extract": "passages.json",
            "tag": "tags.conll"}[task]  # fmt: skip
    run = tuned(folder(), path, task=task, learning_rate=1e-2, steps=5)
    heads = {"extract": "spans", "tag": "tagger"}
    family = folder.__name__.replace("2", "")
    assert run.settings.model_name == f"{family}_{heads.get(task, 'classifier')}"
    again = Run("run")
    asked: dict[str, Any] = {
        "classify": "good film",
        "match": ("good film", "bad film"),
        "extract": ("Bob is in Rome", "Bob?"),
        "tag": ["good", "film"],
    }
    (answer,) = again.predict([asked[task]])
    assert answer.best and answer.weights is not None
    assert all(map(np.isfinite, run.evaluate(path).values()))


def test_a_decoder_does_not_learn_permutations() -> None:
    Path("novel.txt").write_text("it was a dark and stormy night\n" * 40)
    with pytest.raises(UsageError, match="is a gpt2, which learns .* and not permutation_lm"):
        tuned(gpt2(), "novel.txt", task="permutation_lm")
