"""LaMEM as a solver of crystalsim, and LaMEM's own coefficients for other solvers."""
