"""A run: from a file to a trained network in a folder, and one class in front of that folder."""
