"""LLaMA from GGUF files: the network and the tokenizer that they describe, or a named error."""

from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor

import regard
from regard.data.encoding.published_tokens import read_tokenizer
from regard.errors import CheckpointMismatch, UsageError
from regard.models.converting import convert
from regard.models.gguf import load_tokenizer
from regard.models.llama import LlamaLM, LlamaLMConfig
from regard.run.training import Options
from regard.sequences import Sequences
from tests.data.test_published_tokens import PAIRED, merged
from tests.gguf_files import Q8_0, Held, Said, gguf, held

TEXTS = Sequences.of([[4, 8, 5, 6], [6]])
TOKENS = ["<|endoftext|>", "<|im_start|>", *"abcd", "Ġ", "ab", "Ġa", "1", "2", "Ċ"]
MERGES = ["a b", "Ġ a"]
TOKENIZER = [
    ("tokenizer.ggml.model", Said("text", "gpt2")),
    ("tokenizer.ggml.pre", Said("text", "smollm")),
    ("tokenizer.ggml.tokens", Said("list", TOKENS, "text")),
    ("tokenizer.ggml.token_type", Said("list", [3, 3] + [1] * (len(TOKENS) - 2), "i4")),
    ("tokenizer.ggml.merges", Said("list", MERGES, "text")),
]


def network(**changes: Any) -> LlamaLM:
    sizes = {"vocab": 11, "max_length": 9, "embed_dim": 16, "num_heads": 4, "kv_heads": 2,
             "ff_dim": 32, "layers": 2, "rope_base": 7.0, "norm_eps": 0.125}  # fmt: skip
    torch.manual_seed(0)
    model = LlamaLM(LlamaLMConfig(**{**sizes, **changes})).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model


def values_of(model: LlamaLM) -> dict[str, Said]:
    config = model.config
    return {
        "general.architecture": Said("text", "llama"),
        "llama.context_length": Said("u4", config.max_length),
        "llama.embedding_length": Said("u4", config.embed_dim),
        "llama.block_count": Said("u4", config.layers),
        "llama.attention.head_count": Said("u4", config.num_heads),
        "llama.attention.head_count_kv": Said("u4", config.kv_heads or config.num_heads),
        "llama.feed_forward_length": Said("u4", config.ff_dim),
        "llama.rope.freq_base": Said("f4", config.rope_base),
        "llama.rope.dimension_count": Said("u4", config.width),
        "llama.attention.layer_norm_rms_epsilon": Said("f4", config.norm_eps),
        "llama.vocab_size": Said("u4", config.vocab),
    }


def tensors_of(model: LlamaLM) -> dict[str, Tensor]:
    """The weights under the names of llama.cpp, the pairs of queries and keys side by side."""
    weights, config = model.state_dict(), model.config
    keys = config.kv_heads or config.num_heads
    found = {
        "token_embd.weight": weights["body.embedding.tokens.weight"],
        "output_norm.weight": weights["body.norm.weight"],
    }
    if not config.tied:
        found["output.weight"] = weights["output.weight"]
    for number in range(config.layers):
        mine, theirs = f"body.decoder.blocks.{number}.", f"blk.{number}."
        layers = {
            "attn_output": "attention.heads.output",
            "attn_norm": "attention_residual.norm",
            "ffn_norm": "feed_forward_residual.norm",
            "ffn_gate": "feed_forward.gate",
            "ffn_up": "feed_forward.hidden",
            "ffn_down": "feed_forward.output",
        }
        for leaf in ("weight", "bias"):
            for name, layer in layers.items():
                if f"{mine}{layer}.{leaf}" in weights:
                    found[f"{theirs}{name}.{leaf}"] = weights[f"{mine}{layer}.{leaf}"]
            heads = weights.get(f"{mine}attention.heads.input.{leaf}")
            if heads is not None:
                q, k, v = heads.split([n * config.width for n in (config.num_heads, keys, keys)])
                found[f"{theirs}attn_q.{leaf}"] = neighbors(q, config.num_heads)
                found[f"{theirs}attn_k.{leaf}"] = neighbors(k, keys)
                found[f"{theirs}attn_v.{leaf}"] = v
    return found


def neighbors(rows: Tensor, heads: int) -> Tensor:
    return rearrange(rows, "(h two pairs) ... -> (h pairs two) ...", h=heads, two=2)


def written(path: Path, values: dict[str, Said], tensors: dict[str, Any]) -> Path:
    entries = [(n, t if isinstance(t, Held) else held(t)) for n, t in tensors.items()]
    path.write_bytes(gguf(list(values.items()), entries))
    return path


@pytest.mark.parametrize(
    "changes",
    [{}, {"tied": True}, {"kv_heads": None}, {"kv_heads": 1, "ff_bias": True},
     {"attention_bias": True}],
    ids=str,
)  # fmt: skip
def test_the_network_is_the_one_that_was_written(changes: dict[str, Any], tmp_path: Path) -> None:
    model = network(**changes)
    path = written(tmp_path / "a.gguf", values_of(model), tensors_of(model))
    found = regard.load(path)
    assert torch.equal(found(TEXTS), model(TEXTS)) and not found.training
    assert found.config.tied == model.config.tied and found.config.max_length == 9
    if model.config.tied:
        assert found.output.weight is found.body.embedding.tokens.weight
    regard.save(found, tmp_path / "folder")
    assert torch.equal(regard.load(tmp_path / "folder")(TEXTS), model(TEXTS))


def test_a_run_begins_with_what_is_made_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = network(vocab=len(TOKENS))
    path = written(Path("a.gguf"), values_of(model) | dict(TOKENIZER), tensors_of(model))
    with pytest.raises(UsageError, match="make a folder of it, regard convert a.gguf DIR"):
        regard.train("b.txt", start="a.gguf")
    made = convert(path, "folder")
    assert made.network == "llama_lm" and made.tensors == len(tensors_of(model))
    found = regard.load("folder")
    assert torch.equal(found(TEXTS), model(TEXTS)) and found.config == regard.load(path).config
    assert read_tokenizer(Path("folder")).json() == load_tokenizer(path).json()
    Path("b.txt").write_text("ab ad cb 12\n" * 99)
    still = {"steps": 1, "learning_rate": 1e-12, "options": Options(progress=False)}
    run = regard.train("b.txt", start="folder", out="run", **still)
    assert torch.allclose(run.model(TEXTS), model(TEXTS), atol=1e-5)


def test_a_file_that_cannot_be_converted_leaves_nothing(tmp_path: Path) -> None:
    model = network()
    path = written(tmp_path / "a.gguf", values_of(model), tensors_of(model))
    with pytest.raises(ValueError, match="its tokenizer is None"):
        convert(path, tmp_path / "new")
    with pytest.raises(ValueError, match="is read as llama alone, not as 'bert'"):
        convert(path, tmp_path / "new", family="bert")
    assert [each.name for each in tmp_path.iterdir()] == ["a.gguf"]


def test_the_tokens_of_writing_are_those_of_the_file(tmp_path: Path) -> None:
    model = network()
    said = {"bos": 1, "eos": 2, "eot": 3, "padding": 4}
    values = values_of(model) | {
        f"tokenizer.ggml.{role}_token_id": Said("u4", token) for role, token in said.items()
    }
    config = regard.load(written(tmp_path / "a.gguf", values, tensors_of(model))).config
    assert (config.begin, config.ends, config.pad) == (1, (2, 3), 4)
    values["tokenizer.ggml.eot_token_id"] = Said("u4", 2)
    assert regard.load(written(tmp_path / "b.gguf", values, tensors_of(model))).config.ends == (2,)
    values["tokenizer.ggml.eos_token_id"] = Said("text", "</s>")
    with pytest.raises(ValueError, match="eos_token_id is '</s>', which is no token"):
        regard.load(written(tmp_path / "c.gguf", values, tensors_of(model)))
    assert (
        regard.load(written(tmp_path / "d.gguf", values_of(model), tensors_of(model))).config.ends
        == ()
    )


def test_weights_of_few_bits_are_near(tmp_path: Path) -> None:
    model = network(embed_dim=32, tied=True)
    tensors = {
        name: held(tensor, Q8_0) if tensor.ndim == 2 else tensor
        for name, tensor in tensors_of(model).items()
    }
    found = regard.load(written(tmp_path / "a.gguf", values_of(model), tensors))
    assert found.output.weight.dtype == torch.float32
    off, size = (found(TEXTS) - model(TEXTS)).abs().max(), model(TEXTS).abs().max()
    assert 0 < off < 0.05 * size


def test_other_parts_may_be_given(tmp_path: Path) -> None:
    model = network()
    path = written(tmp_path / "a.gguf", values_of(model), tensors_of(model))
    found = regard.load(path, attend=regard.layers.Attend(normalizer=regard.normalizers.sparsemax))
    assert found.config.attention.normalizer == "sparsemax"
    assert not torch.equal(found(TEXTS), model(TEXTS))


def test_every_offender_is_named(tmp_path: Path) -> None:
    model = network()
    tensors = tensors_of(model)
    del tensors["blk.1.ffn_up.weight"]
    tensors["blk.0.ffn_down.weight"] = tensors["blk.0.ffn_down.weight"].T
    tensors["blk.2.ffn_up.weight"] = torch.ones(3)
    path = written(tmp_path / "a.gguf", values_of(model), tensors)
    with pytest.raises(CheckpointMismatch) as caught:
        regard.load(path)
    for each in (str(path), "missing: blk.1.ffn_up.weight", "unexpected: blk.2.ffn_up.weight",
                 "blk.0.ffn_down.weight"):  # fmt: skip
        assert each in str(caught.value)


WRONG: dict[str, tuple[dict[str, Said | None], str]] = {
    "another family": (
        {"general.architecture": Said("text", "qwen2")},
        "its general.architecture is 'qwen2'; 'llama' alone is read",
    ),
    "no family": ({"general.architecture": None}, "its general.architecture is None"),
    "stretched": ({"llama.rope.scaling.type": Said("text", "yarn")}, "scaling.type is 'yarn'"),
    "experts": ({"llama.expert_count": Said("u4", 8)}, "its llama.expert_count is 8, which is not"),
    "no width": ({"llama.embedding_length": None}, "it does not say llama.embedding_length"),
    "a part turned": ({"llama.rope.dimension_count": Said("u4", 2)}, "is 2, but it must be 4"),
    "another vocabulary": ({"llama.vocab_size": Said("u4", 12)}, "is 12, but it must be 11"),
    "a huge width": ({"llama.embedding_length": Said("u4", 2**31)}, "embed_dim must be at least 1"),
    "heads by layer": (
        {"llama.attention.head_count_kv": Said("list", [1, 2], "i4")},
        "head_count_kv is a list, one for each layer",
    ),
    "many layers": ({"llama.block_count": Said("u4", 900)}, "more weights than are in the files"),
    "a text for a number": ({"llama.block_count": Said("text", "2")}, "layers must be"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_computed_is_refused_by_name(name: str, tmp_path: Path) -> None:
    changes, wanted = WRONG[name]
    model = network()
    values = {k: v for k, v in (values_of(model) | changes).items() if v is not None}
    path = written(tmp_path / "a.gguf", values, tensors_of(model))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=wanted) as caught:
        regard.load(path)
    assert str(path) in str(caught.value)


def test_stretched_turns_as_tensors_are_refused(tmp_path: Path) -> None:
    model = network()
    tensors = tensors_of(model) | {"rope_freqs.weight": torch.ones(2)}
    path = written(tmp_path / "a.gguf", values_of(model), tensors)
    with pytest.raises(ValueError, match="rope_freqs.weight stretches turns"):
        regard.load(path)


def test_an_unknown_option_is_told(tmp_path: Path) -> None:
    model = network()
    values = values_of(model) | {"llama.new": Said("u4", 1)}
    path = written(tmp_path / "a.gguf", values, tensors_of(model))
    with pytest.warns(UserWarning, match="says llama.new, which is not read"):
        regard.load(path)


def tokenizer_file(path: Path, **changes: Said | None) -> Path:
    values = dict(TOKENIZER) | {f"tokenizer.ggml.{key}": each for key, each in changes.items()}
    return written(path, {key: each for key, each in values.items() if each is not None}, {})


def test_texts_become_numbers_and_texts_again(tmp_path: Path) -> None:
    found = load_tokenizer(tokenizer_file(tmp_path / "a.gguf"))
    rows = found.encode(["ab a12\n"]).values.tolist()
    assert rows == [7, 8, 9, 10, 11]
    assert found.decode([1, *rows, 0]) == "ab a12\n" and len(found) == len(TOKENS)


@pytest.mark.parametrize("begins", [True, False])
def test_pieces_with_scores_are_merged_as_sentencepiece_does(begins: bool, tmp_path: Path) -> None:
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), *PAIRED]
    tokens, scores, kinds = (list(each) for each in zip(*pieces, strict=True))
    path = tokenizer_file(
        tmp_path / "a.gguf", model=Said("text", "llama"), pre=None, merges=None,
        tokens=Said("list", tokens, "text"), scores=Said("list", scores, "f4"),
        token_type=Said("list", kinds, "i4"), bos_token_id=Said("u4", 1),
        eos_token_id=Said("u4", 2), add_bos_token=Said("truth", begins),
    )  # fmt: skip
    found = load_tokenizer(path)
    for text in ("the food", "  abab é", "</s>"):
        numbers = found.encode([text]).values.tolist()
        assert found.tokens(numbers) == merged(text) and found.decode(numbers) == text
    assert found.frame.before == ((1,) if begins else ()) and found.end == 2


@pytest.mark.parametrize("begins", [True, False])
def test_pairs_of_bytes_begin_with_a_token_where_the_file_says_so(
    begins: bool, tmp_path: Path
) -> None:
    said = {"add_bos_token": Said("truth", begins), "bos_token_id": Said("u4", 1)}
    found = load_tokenizer(tokenizer_file(tmp_path / "a.gguf", **said))
    assert found.frame.before == ((1,) if begins else ())
    assert found.encode(["ab a12\n"]).values.tolist() == [7, 8, 9, 10, 11]


BAD: dict[str, tuple[dict[str, Said | None], str]] = {
    "another model": ({"model": Said("text", "bert")}, "'bert'; 'gpt2' and 'llama' are read"),
    "no scores": ({"model": Said("text", "llama")}, "the scores of None tokens, but there are 12"),
    "few scores": (
        {"model": Said("text", "llama"), "scores": Said("list", [0.5], "f4")},
        "the scores of 1 tokens, but there are 12",
    ),
    "no score": (
        {"model": Said("text", "llama"), "scores": Said("list", [float("inf")] * 12, "f4")},
        "has the score inf",
    ),
    "none unknown": (
        {"model": Said("text", "llama"), "scores": Said("list", [0.0] * 12, "f4")},
        "it has 0 pieces for unknown text",
    ),
    "a flag": ({"add_bos_token": Said("u4", 2)}, "says add_bos_token is 2, which is neither"),
    "another cut": ({"pre": Said("text", "qwen2")}, "cuts texts as 'qwen2' does"),
    "no tokens": ({"tokens": None}, "its tokenizer.ggml.tokens are None"),
    "numbers": ({"merges": Said("list", [1], "u4")}, "which are no texts"),
    "twice": (
        {"tokens": Said("list", ["a", "a"], "text"), "token_type": None},
        "the token 'a' stands twice",
    ),
    "kinds": ({"token_type": Said("list", [1], "i4")}, "the kinds of 1 tokens, but there are 12"),
    "no pair": ({"merges": Said("list", ["abc"], "text")}, "'abc' is no pair of tokens"),
    "unknown pair": ({"merges": Said("list", ["a z"], "text")}, "out of vocabulary"),
    "bytes": ({"merges": Said("list", [b"\xff"], "text")}, "is no UTF-8"),
}


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("name", BAD)
def test_a_tokenizer_that_is_wrong_is_refused(name: str, tmp_path: Path) -> None:
    changes, wanted = BAD[name]
    path = tokenizer_file(tmp_path / "a.gguf", **changes)
    with pytest.raises(ValueError, match=wanted) as caught:
        load_tokenizer(path)
    assert str(path) in str(caught.value)
