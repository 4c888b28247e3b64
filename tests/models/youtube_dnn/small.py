"""A small candidate generator, a ragged batch for it, and its formula in NumPy."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard.models.attention import Attends
from regard.models.youtube_dnn import QueryPooling, YouTubeDNN, YouTubeDNNConfig
from regard.sequences import Sequences

ITEMS, VALUES = 12, 5
LENGTHS = (5, 0, 3, 1)


def config(features: bool = True, **choices: Any) -> YouTubeDNNConfig:
    """Small sizes; two features of each item unless said otherwise."""
    columns = {"feature_columns": 2, "values": VALUES} if features else {}
    sizes = {"items": ITEMS, "embed_dim": 4, "layers": 3}
    return YouTubeDNNConfig.from_entries(sizes | columns | choices)


def small_model(attend: Attends = None, features: bool = True, **choices: Any) -> YouTubeDNN:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = YouTubeDNN(config(features, **choices), attend)
    if features:
        model.set_item_features(torch.arange(2 * ITEMS).reshape(ITEMS, 2) % VALUES)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Sequences, Tensor]:
    """Histories padded with `filling`, and three candidates for each."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    history = torch.randint(2, ITEMS, (len(LENGTHS), max(LENGTHS)), generator=rng)
    history[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    candidate = torch.randint(2, ITEMS, (len(LENGTHS), 3), generator=rng)
    return Sequences(history, lengths), candidate


def formula(model: YouTubeDNN, history: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The inner products with all items and the weights of one history without padding."""
    own = {name: x.detach().numpy() for name, x in model.state_dict().items()}

    def embedded(item: int) -> np.ndarray:
        found = [own["embedding.item.weight"][item]]
        if "embedding.features" in own:
            numbers = own["embedding.features"][item].tolist()
            found += [own["embedding.feature.weight"][number] for number in numbers]
        return np.concatenate(found)

    weights = np.full(len(history), 1 / max(1, len(history)))
    if isinstance(model.config.pooling, QueryPooling) and history:
        query = own["pool.query"][0]
        scores = np.array([query @ embedded(i) / np.sqrt(len(query)) for i in history])
        weights = np.exp(scores) / np.exp(scores).sum()
    x = np.zeros(model.embedding.width)
    for weight, item in zip(weights, history, strict=True):
        x += weight * embedded(item)
    for layer in range(model.config.layers):
        x = np.maximum(0, own[f"tower.{layer}.weight"] @ x + own[f"tower.{layer}.bias"])
    return own["output.weight"] @ x, weights
