"""The velocities and detection of crystals."""
