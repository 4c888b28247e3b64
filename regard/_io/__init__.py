"""Files that are whole or not there: writing, digests, safetensors headers, optional packages."""
