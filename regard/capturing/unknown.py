"""Why the arithmetic of hand-written weights is not shown: the step that could not be followed."""

UNKNOWN = {
    "score": "scores are not one product of two tensors that depend on the input",
    "scale": "scores were multiplied with a tensor of scales",
    "function": "a function other than a scale, a bias or a mask was applied to the scores",
    "layout": "query and key could not be followed to the places of the weights",
    "after": "weights were changed after they were normalized",
    "normalizer": "how scores became weights is not known",
    "size": "query, key and scores are too many to be kept beside the weights",
}
"""What is not known, by the step."""
