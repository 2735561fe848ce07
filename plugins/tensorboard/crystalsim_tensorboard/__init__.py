"""Losses and scores of runs in TensorBoard."""
