"""Draws crystals at random, never overlapping."""
