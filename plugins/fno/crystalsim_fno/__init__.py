"""A Fourier neural operator between walls: sine and cosine series."""
