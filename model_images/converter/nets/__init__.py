"""Networks of the architectures, in PyTorch: written here from their published descriptions."""
