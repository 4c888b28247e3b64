"""The recurrent classifier written out in NumPy: one text, one vector at a time."""

import numpy as np

from regard.models.lstm import LSTMClassifier

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def run(w: dict[str, Array], cell: str, suffix: str, inputs: list[Array]) -> list[Array]:
    """The states of one direction of one layer."""
    w_x, w_h = w[f"weight_ih_{suffix}"], w[f"weight_hh_{suffix}"]
    b_x, b_h = w[f"bias_ih_{suffix}"], w[f"bias_hh_{suffix}"]
    h, c, states = np.zeros(w_h.shape[1]), np.zeros(w_h.shape[1]), []
    for x in inputs:
        if cell == "lstm":
            i, f, g, o = np.split(w_x @ x + b_x + w_h @ h + b_h, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (r_x, z_x, n_x), (r_h, z_h, n_h) = (
                np.split(w_x @ x + b_x, 3),
                np.split(w_h @ h + b_h, 3),
            )
            r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
            h = (1 - z) * np.tanh(n_x + r * n_h) + z * h
        states.append(h)
    return states


def answer(model: LSTMClassifier, tokens: list[int]) -> tuple[Array, Array]:
    """Logits, and how much each token counts."""
    w = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
    config, kind = model.config, model.config.pooling.tag
    layer = [w["embedding.weight"][token] for token in tokens]
    cells = {n.removeprefix("encoder."): v for n, v in w.items() if n.startswith("encoder.")}
    for number in range(config.layers):
        ways = [run(cells, config.cell, f"l{number}", layer)]
        if config.bidirectional:
            ways.append(run(cells, config.cell, f"l{number}_reverse", layer[::-1])[::-1])
        layer = [np.concatenate(states) for states in zip(*ways, strict=True)]
    n, weights = len(tokens), np.zeros(len(tokens))
    if kind == "last":
        ends = [ways[0][-1], *(way[0] for way in ways[1:])]
        pooled = np.concatenate(ends)
        for place in (n - 1, 0)[: len(ways)]:
            weights[place] += 1 / len(ways)
    else:
        if kind == "mean":
            weights += 1 / n
        else:
            prefix = "pool.pool." if kind == "hard" else "pool."
            v, c, u = (w[prefix + name] for name in ("key.0.weight", "key.0.bias", "query"))
            scores = np.array([u[0] @ np.tanh(v @ h + c) for h in layer])
            weights = np.exp(scores) / np.exp(scores).sum()
        if kind == "hard":
            weights = np.eye(n)[weights.argmax()]
        pooled = sum(a * h for a, h in zip(weights, layer, strict=True))
    return w["output.weight"] @ pooled + w["output.bias"], weights
