"""A small Deep Interest Network, a ragged batch for it, and its formula in NumPy."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard.models.attention import Attends
from regard.models.din import DIN, ActivationUnit, DINConfig
from regard.sequences import Sequences

ITEMS, VALUES = 12, 5
LENGTHS = (5, 0, 3, 1)
SIZES: dict[str, Any] = {"items": ITEMS, "embed_dim": 3, "hidden_dim": 5, "second_dim": 4}
OFFICIAL: dict[str, Any] = {"pooling": "attention(score=mlp(hidden_dims=(6, 3)))"}
PAPER: dict[str, Any] = {
    "pooling": "attention(score=mlp(hidden_dims=(6,), variant=paper), normalizer=unnormalized)",
    "interest_layer": False,
    "item_bias": False,
}


def config(features: bool = True, **choices: Any) -> DINConfig:
    """Small sizes; two features of each item unless said otherwise."""
    columns = {"feature_columns": 2, "values": VALUES} if features else {}
    return DINConfig.from_entries(SIZES | columns | OFFICIAL | choices)


def small_model(attend: Attends = None, features: bool = True, **choices: Any) -> DIN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = DIN(config(features, **choices), attend)
    if features:
        model.set_item_features(torch.arange(2 * ITEMS).reshape(ITEMS, 2) % VALUES)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
        for name, buffer in model.named_buffers():
            if name.endswith(("mean", "variance")):
                buffer.uniform_(0.1, 1.0)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Sequences, Tensor]:
    """Histories padded with `filling`, and three candidates for each."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    history = torch.randint(2, ITEMS, (len(LENGTHS), max(LENGTHS)), generator=rng)
    history[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    candidate = torch.randint(2, ITEMS, (len(LENGTHS), 3), generator=rng)
    return Sequences(history, lengths), candidate


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def formula(model: DIN, history: list[int], candidate: int) -> tuple[float, list[float]]:
    """The logit and the weights of one history without padding and one candidate."""
    own = {name: x.detach().numpy() for name, x in model.state_dict().items()}
    config = model.config
    attends = isinstance(config.pooling, ActivationUnit)
    paper = attends and config.pooling.normalizer == "unnormalized"

    def embedded(item: int) -> np.ndarray:
        found = [own["embedding.item.weight"][item]]
        if "embedding.features" in own:
            numbers = own["embedding.features"][item].tolist()
            found += [own["embedding.feature.weight"][number] for number in numbers]
        return np.concatenate(found)

    def score(q: np.ndarray, k: np.ndarray) -> float:
        if paper:
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
    if not attends:
        weights = np.full(len(history), 1 / max(1, len(history)))
    else:
        weights = np.array([score(offered, embedded(item)) for item in history])
        if not paper and history:
            weights = np.exp(weights) / np.exp(weights).sum()
    pooled = np.zeros(len(offered))
    for weight, item in zip(weights, history, strict=True):
        pooled += weight * embedded(item)
    if config.interest_layer:
        pooled = own["interest.weight"] @ pooled + own["interest.bias"]
    x = np.concatenate([pooled, offered])
    x = activated(own["hidden.weight"] @ x + own["hidden.bias"], "first")
    x = activated(own["second_hidden.weight"] @ x + own["second_hidden.bias"], "second")
    logit = own["output.weight"][0] @ x + own["output.bias"][0]
    bias = own["bias.weight"][candidate, 0] if config.item_bias else 0.0
    return float(logit + bias), weights.tolist()
