"""A small Deep Interest Network, a ragged batch for it, and its formula in NumPy."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard.models.din import DIN, DINConfig

ITEMS, VALUES = 12, 5
LENGTHS = (5, 0, 3, 1)


def small_model(features: bool = True, **named: Any) -> DIN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    sizes = {"embed_dim": 3, "attention_dim": 6, "hidden_dim": 5, "second_dim": 4} | named
    table = torch.arange(2 * ITEMS).reshape(ITEMS, 2) % VALUES if features else None
    model = DIN(DINConfig(items=ITEMS, values=VALUES if features else 1, **sizes), table)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
        for name, buffer in model.named_buffers():
            if name.endswith(("mean", "variance")):
                buffer.uniform_(0.1, 1.0)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Histories padded with `filling`, their lengths, and three candidates for each."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    history = torch.randint(2, ITEMS, (len(LENGTHS), max(LENGTHS)), generator=rng)
    history[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    return history, lengths, torch.randint(2, ITEMS, (len(LENGTHS), 3), generator=rng)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def formula(model: DIN, history: list[int], candidate: int) -> tuple[float, list[float]]:
    """The logit and the weights of one history without padding and one candidate."""
    own = {name: x.detach().numpy() for name, x in model.state_dict().items()}
    config = model.config

    def embedded(item: int) -> np.ndarray:
        found = [own["embedding.item.weight"][item]]
        if model.embedding.features is not None:
            numbers = model.embedding.features[item].tolist()
            found += [own["embedding.feature.weight"][number] for number in numbers]
        return np.concatenate(found)

    def score(q: np.ndarray, k: np.ndarray) -> float:
        if config.variant == "paper":
            x = own["attend.score.weight"] @ np.concatenate([q, k, np.outer(q, k).ravel()])
            x = x + own["attend.score.bias"]
            x = np.where(x > 0, x, own["attend.score.slopes.0"] * x)
            return float(own["attend.score.v"] @ x)
        x = own["attend.score.weight"] @ np.concatenate([q, k, q - k, q * k])
        x = sigmoid(x + own["attend.score.bias"])
        x = sigmoid(own["attend.score.deeper.0"] @ x + own["attend.score.biases.0"])
        return float(own["attend.score.v"] @ x / np.sqrt(len(k)))

    def activated(x: np.ndarray, name: str) -> np.ndarray:
        if config.activation == "sigmoid":
            return sigmoid(x)
        if config.activation == "prelu":
            return np.where(x > 0, x, own[f"{name}.weight"] * x)
        p = sigmoid((x - own[f"{name}.mean"]) / np.sqrt(own[f"{name}.variance"] + 1e-8))
        return p * x + (1 - p) * own[f"{name}.alpha"] * x

    offered = embedded(candidate)
    if config.pool == "mean":
        weights = np.full(len(history), 1 / max(1, len(history)))
    else:
        weights = np.array([score(offered, embedded(item)) for item in history])
        if config.variant == "official" and history:
            weights = np.exp(weights) / np.exp(weights).sum()
    pooled = np.zeros(len(offered))
    for weight, item in zip(weights, history, strict=True):
        pooled += weight * embedded(item)
    if config.variant == "official":
        pooled = own["interest.weight"] @ pooled + own["interest.bias"]
    x = np.concatenate([pooled, offered])
    x = activated(own["hidden.weight"] @ x + own["hidden.bias"], "first")
    x = activated(own["second_hidden.weight"] @ x + own["second_hidden.bias"], "second")
    logit = own["output.weight"][0] @ x + own["output.bias"][0]
    bias = own["bias.weight"][candidate, 0] if config.variant == "official" else 0.0
    return float(logit + bias), weights.tolist()
