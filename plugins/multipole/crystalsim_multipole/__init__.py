"""Exact Stokes flow around discs in a free-slip rectangle, by multipoles and mirrors."""
