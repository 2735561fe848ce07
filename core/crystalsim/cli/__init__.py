"""The commands of `crystalsim`, one module each; heavy imports are inside the functions."""
