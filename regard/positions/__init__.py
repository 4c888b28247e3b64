"""Positions: where a token stands, for scores that cannot see it."""

from regard.positions.learned import Learned
from regard.positions.llama3 import Llama3
from regard.positions.rope import RoPE
from regard.positions.sinusoidal import Sinusoidal, sinusoidal
from regard.positions.yarn import YaRN

__all__ = ["Learned", "Llama3", "RoPE", "Sinusoidal", "YaRN", "sinusoidal"]
