"""Tiny networks of other makers, with random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

SIZES: dict[str, Any] = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2}


def made(config: str, network: str, **sizes: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model: nn.Module = getattr(transformers, network)(getattr(transformers, config)(**sizes))
    # Weights as small as they are drawn change next to nothing.
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(8.0) if each.ndim > 1 else each.add_(0.1 * torch.randn_like(each))
    return model.eval().double()


def bert(**more: Any) -> nn.Module:
    return made(
        "BertConfig", "BertModel", num_attention_heads=2, intermediate_size=16, **SIZES, **more
    )


def gpt2(**more: Any) -> nn.Module:
    return made(
        "GPT2Config", "GPT2Model", vocab_size=30, n_embd=8, n_layer=2, n_head=2, bos_token_id=0,
        eos_token_id=0, **more,
    )  # fmt: skip


def llama(**more: Any) -> nn.Module:
    return made(
        "LlamaConfig", "LlamaModel", intermediate_size=16, num_attention_heads=4,
        num_key_value_heads=2, **SIZES, **more,
    )  # fmt: skip


def t5(**more: Any) -> nn.Module:
    return made(
        "T5Config", "T5Model", vocab_size=30, d_model=8, d_kv=4, d_ff=16, num_layers=2,
        num_heads=2, **more,
    )  # fmt: skip


def ids() -> torch.Tensor:
    return torch.randint(0, 30, (2, 6), generator=torch.Generator().manual_seed(1))


def answer(model: nn.Module) -> Callable[[], Any]:
    """A call of it on some tokens, as its states."""
    if type(model).__name__.startswith("T5"):
        return lambda: model(input_ids=ids(), decoder_input_ids=ids().flip(1)).last_hidden_state
    return lambda: model(ids()).last_hidden_state
