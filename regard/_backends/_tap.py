"""Where whoever wants to see the calls of the operator listens; nobody does unless one captures."""

from collections.abc import Callable
from typing import Any

Listener = Callable[..., Any]
"""Called with what runs the call, and the call: query, key, value, parts, backend. It answers with
what running it gives."""

listener: Listener | None = None
"""None costs one look at a name, and a compiled graph one guard."""
