"""Encoding: tokenizers, vocabularies, encoded examples."""
