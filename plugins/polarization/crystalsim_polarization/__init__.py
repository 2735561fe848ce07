"""Learned conjugate gradients for the extra stress of crystals."""
