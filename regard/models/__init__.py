"""Whole networks, one folder each: `config.py`, `model.py` and what they are saved as."""
