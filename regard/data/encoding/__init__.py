"""From text to numbers: tokenizers, vocabularies, encoded examples."""
