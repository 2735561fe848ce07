"""The torch layer: batches, losses, training loop and the base class of surrogates.

Nothing is imported here, so that `crystalsim.learning.options` stays light.
"""
