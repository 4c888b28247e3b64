"""Permutation language modeling."""

from regard.tasks.permutation_lm.order import PartialOrder
from regard.tasks.permutation_lm.predictor import OrderedGapFiller
from regard.tasks.permutation_lm.task import PermutationLM, PermutationLMSettings

__all__ = ["OrderedGapFiller", "PartialOrder", "PermutationLM", "PermutationLMSettings"]
