"""Readers, vocabularies and batching: from raw data to a model's inputs."""
