"""Errors of the velocity and the stream function, field by field."""
