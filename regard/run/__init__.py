"""A run: from a data file to a trained network in a folder, and a class to use that folder."""
