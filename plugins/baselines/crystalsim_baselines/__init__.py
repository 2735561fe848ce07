"""What a surrogate competes with, without training."""
