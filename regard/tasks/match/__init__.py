"""Sentence-pair classification and matching."""

from regard.tasks.match.predictor import Matcher
from regard.tasks.match.task import Match, MatchSettings

__all__ = ["Match", "MatchSettings", "Matcher"]
