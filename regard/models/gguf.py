"""LLaMA from a GGUF file, as written for llama.cpp: quantized weights, converted to float32.

Two things differ from the Hugging Face format: names, and the rows of queries and keys, in which
the two elements of each rotated pair are adjacent. Here they are half a head apart.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from regard._io.gguf import GGUF, read_gguf
from regard._printable import shortened, shown
from regard.data.encoding.gguf_tokenizer import tokenizer_of
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import CheckpointMismatch
from regard.models.attention import Attends
from regard.models.config_words import Word
from regard.models.llama import LlamaLM, LlamaLMConfig
from regard.models.llama.convert import rules
from regard.models.tensor_rules import Rule
from regard.models.weights import Undrawn, at_most, shared_names


@dataclass(frozen=True)
class Needed(Word):
    """An option that a file must have."""

    usual: Any = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """Its value; raises `ValueError` if it is missing."""
        if self.theirs not in entries:
            raise ValueError(f"it does not say {self.theirs}")
        return super().read(entries)


WORDS = (
    Needed("llama.context_length", "max_length"),
    Needed("llama.embedding_length", "embed_dim"),
    Needed("llama.block_count", "layers"),
    Needed("llama.attention.head_count", "num_heads"),
    Word("llama.attention.head_count_kv", "kv_heads", None),
    Word("llama.attention.key_length", "head_dim", None),
    Needed("llama.feed_forward_length", "ff_dim"),
    Word("llama.rope.freq_base", "rope_base", 10_000.0),
    Needed("llama.attention.layer_norm_rms_epsilon", "norm_eps"),
)
ONLY = {
    "llama.rope.scaling.type": ("none",),
    "llama.rope.scale_linear": (1.0,),
    "llama.rope.scaling.factor": (1.0,),
    "llama.expert_count": (0,),
    "llama.attention.causal": (True,),
}
"""Options with the values supported here; any other is an error."""
CHECKED = ("llama.vocab_size", "llama.rope.dimension_count", "llama.attention.value_length")
ENDS = ("eos", "eot")
"""Roles of tokens that end a text: of the text itself, and of a conversation turn."""
NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Hugging Face's name of a layer, and GGUF's."""


def is_gguf(path: Path) -> bool:
    """Whether this is a file with that extension, not a folder.

    >>> is_gguf(Path("nowhere.gguf"))
    True
    """
    return path.suffix == ".gguf" and not path.is_dir()


def load_gguf(path: Path, attend: Attends = None) -> LlamaLM:
    """Load the network of a GGUF file, with float32 weights, in eval mode.

    Args:
        attend: replaces the published attention parts.

    Raises `FileNotFoundError` when there is none, `ValueError` when it is damaged or not a LLaMA
    model, and `CheckpointMismatch` with every mismatch when the tensors do not match the stated
    sizes. No tensor has been read then.
    """
    file = read_gguf(path)
    try:
        config = _configuration(file)
        with torch.device("meta"), Undrawn(), at_most(4 * len(file.tensors) + 100):
            model = LlamaLM(config) if attend is None else LlamaLM(config, attend)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{path}: {error}") from None
    again, state = shared_names(model), model.state_dict()
    named = [(rule, [_name(each) for each in rule.theirs]) for rule in rules(config, "")]
    _require_fit(file, named, state)
    tensors = {rule.ours: _joined(file, rule, names, config) for rule, names in named}
    tensors |= {name: tensors[first] for name, first in again.items() if first in tensors}
    if lacking := state.keys() - tensors.keys():
        raise CheckpointMismatch(lacking, where=str(path))
    model.load_state_dict(tensors, assign=True)
    if config.tied:
        model.output.weight = model.body.embedding.tokens.weight
    return model.eval()


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF file; raises as `load_gguf`."""
    file = read_gguf(path)
    try:
        return tokenizer_of(file.values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _configuration(file: GGUF) -> LlamaLMConfig:
    """The sizes; raises `ValueError` for what is not computed here."""
    said, tensors = file.values, file.tensors
    kind = said.get("general.architecture")
    if kind != "llama":
        raise ValueError(f"its general.architecture is {shown(kind)}; 'llama' alone is read")
    read = {word.theirs for word in WORDS} | set(ONLY) | set(CHECKED)
    for name in sorted(read & said.keys()):
        if not isinstance(said[name], (bool, int, float, str)):
            raise ValueError(f"its {name} is a list, one for each layer, which is not computed")
    for name, values in ONLY.items():
        if name in said and said[name] not in values:
            raise ValueError(f"its {name} is {shown(said[name])}, which is not computed here")
    if "rope_freqs.weight" in tensors:
        raise ValueError("its rope_freqs.weight stretches turns, which is not computed here")
    if "token_embd.weight" not in tensors:
        raise ValueError("it has no token_embd.weight")
    config: LlamaLMConfig = LlamaLMConfig.from_entries(
        {word.ours: word.read(said) for word in WORDS}
        | {
            "vocab": tensors["token_embd.weight"].shape[0],
            "tied": "output.weight" not in tensors,
            "attention_bias": "blk.0.attn_q.bias" in tensors,
            "ff_bias": "blk.0.ffn_up.bias" in tensors,
            "pad": _token(said, "padding"),
            "begin": _token(said, "bos"),
            "ends": tuple(
                dict.fromkeys(token for role in ENDS if (token := _token(said, role)) is not None)
            ),
        }
    )
    for name, value in zip(CHECKED, (config.vocab, config.width, config.width), strict=True):
        if said.get(name, value) != value:
            raise ValueError(f"its {name} is {shown(said[name])}, but it must be {value}")
    unknown = [name for name in said if name.startswith("llama.") and name not in read]
    if unknown:
        listed = ", ".join(shortened(name) for name in unknown[:5])
        warnings.warn(f"{file.path} says {listed}, which is not read", stacklevel=3)
    return config


def _token(said: Mapping[str, Any], role: str) -> int | None:
    """The token of a role, None where there is none; raises `ValueError` for what is no number."""
    name = f"tokenizer.ggml.{role}_token_id"
    token = said.get(name)
    if token is not None and (type(token) is not int or token < 0):
        raise ValueError(f"its {name} is {shown(token)}, which is no token")
    return token


def _name(theirs: str) -> str:
    """What GGUF calls a tensor that Hugging Face calls so."""
    number, layer, leaf = re.fullmatch(r"(?:layers\.(\d+)\.)?(.*)\.(\w+)", theirs).groups()  # type: ignore[union-attr]
    return f"{NAMES[layer]}.{leaf}" if number is None else f"blk.{number}.{NAMES[layer]}.{leaf}"


def _require_fit(
    file: GGUF, named: list[tuple[Rule, list[str]]], state: Mapping[str, Tensor]
) -> None:
    """Raise `CheckpointMismatch` with all that is missing, unexpected or of another shape."""
    shapes = {
        name: list(part.shape)
        for rule, names in named
        for name, part in zip(names, rule.edit.split(state[rule.ours]), strict=True)
    }
    found = file.tensors
    wrong = {
        name: (found[name].shape, shape)
        for name, shape in shapes.items()
        if name in found and found[name].shape != shape
    }
    missing, unexpected = shapes.keys() - found.keys(), found.keys() - shapes.keys()
    if missing or unexpected or wrong:
        raise CheckpointMismatch(missing, unexpected, wrong, where=str(file.path))


def _joined(file: GGUF, rule: Rule, names: list[str], config: Any) -> Tensor:
    """A tensor of ours, in memory of its own."""
    parts = list(file.read(names))
    for place, name in enumerate(names):
        heads = {"attn_q": config.num_heads, "attn_k": config.kv_heads or config.num_heads}
        layer = name.split(".")[-2]
        if layer in heads:
            parts[place] = halves(parts[place], heads[layer])
    return rule.edit.join(parts).contiguous()


def halves(rows: Tensor, heads: int) -> Tensor:
    """Reorder rows of heads from adjacent pairs to pairs half a head apart.

    >>> halves(torch.arange(8), heads=2)
    tensor([0, 2, 1, 3, 4, 6, 5, 7])
    """
    apart = "(heads pairs two) ... -> (heads two pairs) ..."
    return rearrange(rows, apart, heads=heads, two=2)
