"""A trained network behind a page on this machine: `regard serve`."""
