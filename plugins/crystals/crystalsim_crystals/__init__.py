"""Errors crystal by crystal: velocities, detection, alignment."""
