"""The errors of velocity and stream function."""
