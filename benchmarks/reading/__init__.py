"""Products read from disk in several forms of the same content, for `benchmarks.run`."""
