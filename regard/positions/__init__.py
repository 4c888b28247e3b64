"""Positions: where a token stands, for scores that cannot see it."""

from regard.positions.learned import Learned
from regard.positions.rope import RoPE
from regard.positions.sinusoidal import Sinusoidal, sinusoidal

__all__ = ["Learned", "RoPE", "Sinusoidal", "sinusoidal"]
