"""Which way a metric is better: known by its name, to whoever chooses a model or draws one."""

LOWER_IS_BETTER = frozenset({"loss", "perplexity", "bits_per_character", "error"})
"""Metrics of which less is more; of all others more is."""
