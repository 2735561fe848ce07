"""The a Fourier neural operator with sine and cosine layers."""
