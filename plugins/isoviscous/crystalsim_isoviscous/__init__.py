"""Models without training: the isoviscous flow, and the response of each crystal alone."""
