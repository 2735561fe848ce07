"""The the baseline without training."""
