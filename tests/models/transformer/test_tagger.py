"""The Transformer as a tagger is its formula."""

import numpy as np
import torch

from regard.models.transformer import TransformerTagger, TransformerTaggerConfig
from regard.positions import sinusoidal
from tests.models.transformer.small import BLOCKS, LENGTHS, opinionated, ragged_batch

Array = np.ndarray


def normed(w: dict[str, Array], name: str, x: Array) -> Array:
    """Layer normalization of each row."""
    centered = x - x.mean(1, keepdims=True)
    spread = np.sqrt((centered**2).mean(1, keepdims=True) + 1e-5)
    return centered / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


def tagged(model: TransformerTagger, words: list[int]) -> tuple[Array, Array]:
    """Logits of each word's tag, and the last layer's weights, of all heads the mean."""
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    width, heads = model.config.embed_dim, model.config.num_heads
    part, n = width // heads, len(words)
    x = w["source.tokens.weight"][words] * np.sqrt(width) + sinusoidal(n, width).double().numpy()
    mean = np.zeros((n, n))
    for number in range(model.config.layers):
        block = f"encoder.blocks.{number}."
        attend = block + "attention.heads."
        q, k, v = np.split(x @ w[attend + "input.weight"].T + w[attend + "input.bias"], 3, axis=1)
        joined, mean = [], np.zeros((n, n))
        for head in range(heads):
            own = slice(head * part, (head + 1) * part)
            scores = np.exp(q[:, own] @ k[:, own].T / np.sqrt(part))
            weights = scores / scores.sum(1, keepdims=True)
            mean += weights / heads
            joined.append(weights @ v[:, own])
        looked = np.concatenate(joined, axis=1) @ w[attend + "output.weight"].T
        x = normed(w, block + "attention_residual.norm", x + looked + w[attend + "output.bias"])
        forward = block + "feed_forward."
        hidden = np.maximum(x @ w[forward + "hidden.weight"].T + w[forward + "hidden.bias"], 0)
        found = hidden @ w[forward + "output.weight"].T + w[forward + "output.bias"]
        x = normed(w, block + "feed_forward_residual.norm", x + found)
    return x @ w["output.weight"].T + w["output.bias"], mean


def test_logits_and_weights_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    config = TransformerTaggerConfig(vocab=30, classes=4, layers=2, **BLOCKS)
    model, (batch, _) = opinionated(TransformerTagger(config)), ragged_batch()
    logits, weights = model(batch), model.attention_weights(batch)
    for row, length in enumerate(LENGTHS):
        wanted, looked = tagged(model, batch.ids[row, :length].tolist())
        np.testing.assert_allclose(logits[row, :length].detach(), wanted, rtol=0, atol=1e-9)
        np.testing.assert_allclose(weights[row, :length, :length], looked, rtol=0, atol=1e-9)
        assert not logits[row, length:].any()
