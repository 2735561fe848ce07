"""The commands of `crystalsim`, one file each; heavy imports are inside the functions."""
