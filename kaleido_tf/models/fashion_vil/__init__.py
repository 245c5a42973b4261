"""FashionViL (Han et al., ECCV 2022)."""
