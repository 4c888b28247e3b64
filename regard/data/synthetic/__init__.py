"""Synthetic data, generated on first use."""
