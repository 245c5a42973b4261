"""One training step of each family here and in plain PyTorch, for `benchmarks.run`."""
