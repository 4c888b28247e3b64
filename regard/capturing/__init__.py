"""Capture the attention of any model around one unchanged call."""

from regard.capturing.attention_map import AttentionMap
from regard.capturing.capture import capture
from regard.capturing.maps import Maps
from regard.capturing.opaque import Opaque
from regard.capturing.parts import Parts

__all__ = ["AttentionMap", "Maps", "Opaque", "Parts", "capture"]
