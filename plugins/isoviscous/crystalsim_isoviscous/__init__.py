"""The flow without viscosity contrast: the baseline that needs no training."""
