"""From encoded examples to the micro-batches of every rank."""
