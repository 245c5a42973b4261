"""ResNet-50 features of the patches of working crops, here and elsewhere, for `benchmarks.run`."""
