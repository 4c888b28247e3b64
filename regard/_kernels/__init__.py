"""Loops that PyTorch has no kernel for, compiled on this machine where Numba is installed."""
