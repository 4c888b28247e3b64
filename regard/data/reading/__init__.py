"""From a user's files to a corpus: formats, columns, splits."""
