"""Crystals given one by one, in TOML or in a table file."""
