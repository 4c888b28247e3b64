"""Pictures of attention. Everything here draws what it is given and computes nothing."""
