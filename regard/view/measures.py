"""What was measured, in a reader's words: names of metrics, and values with their units."""

from regard._metrics import LOWER_IS_BETTER, SHARES, SPELLED
from regard.view.ticks import percent, short

OF_TRAINING = {
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm",
    "tokens_per_second": "Tokens per second",
    "padding": "Share of padding",
}
"""What a training step measures of itself."""
UNITS = {
    **dict.fromkeys(("classify", "match", "answer", "recommend"), "label"),
    **dict.fromkeys(("translate", "text_to_text", "span_corruption"), "token"),
    **dict.fromkeys(("permutation_lm", "language_model", "dates"), "token"),
}
"""What the loss of a task is a mean over, in nats."""
LOGARITHMIC = frozenset({"loss", "perplexity", "gradient_norm"})


def metric_label(metric: str) -> str:
    """A metric as a reader knows it.

    >>> [metric_label(metric) for metric in ("bleu", "gradient_norm", "ndcg")]
    ['BLEU', 'Gradient norm', 'NDCG']
    """
    known = SPELLED | OF_TRAINING
    return known.get(metric, metric.replace("_", " ").capitalize())


def metric_value(metric: str, value: float) -> str:
    """A value of a metric as a reader wants it, shares as percentages.

    >>> metric_value("accuracy", 0.7532), metric_value("bleu", 31.4159)
    ('75.3 %', '31.42')
    """
    return percent(value) if is_share(metric) and 0 <= value <= 1 else short(value)


def is_share(metric: str) -> bool:
    """Whether a metric is a share of all."""
    return metric in SHARES or metric == "padding"


def arrow(metric: str) -> str:
    """Which way a metric is better."""
    return "↓" if metric in LOWER_IS_BETTER else "↑"
