"""Readers, vocabularies and batching: from text that people write to numbers a model reads."""
