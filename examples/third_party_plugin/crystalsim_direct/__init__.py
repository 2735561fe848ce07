"""An example of a third-party package: a direct Stokes solver and an evaluator."""
