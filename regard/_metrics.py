"""Metrics known by their names, to whoever chooses a model or draws one: which way is better."""

LOWER_IS_BETTER = frozenset(
    {"loss", "perplexity", "bits_per_character", "error", "unknown", "rmse", "mae", "mse"}
)
"""Metrics of which less is more; of all others more is."""

SHARES = frozenset(
    {
        *("accuracy", "error", "exact", "exact_common", "exact_match", "f1", "hit_rate"),
        *("pointing", "unknown"),
    }
)
"""Metrics that are shares of examples, and what is read as one: percentages before a reader."""

SPELLED = {
    "bleu": "BLEU",
    "bleu_lowercase": "BLEU, lower case",
    "chrf": "chrF",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "f1": "F1",
    "macro_f1": "macro F1",
    "rmse": "RMSE",
    "mae": "MAE",
    "mse": "MSE",
    "map": "MAP",
    "mrr": "MRR",
    "ndcg": "NDCG",
    "auc": "AUC",
    "gauc": "GAUC",
}
"""Metrics that are not written as they are spelled."""
