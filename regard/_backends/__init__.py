"""How attention is evaluated: checking, choosing, and one file for each way."""
