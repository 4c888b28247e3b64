"""Matching: do two sentences belong together?"""

from regard.tasks.match.predictor import Matcher
from regard.tasks.match.task import Match, MatchSettings

__all__ = ["Match", "MatchSettings", "Matcher"]
