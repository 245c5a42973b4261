"""Trains the patch tokenizer of FashionViL as a VQ-VAE on the photos of pixel records."""
