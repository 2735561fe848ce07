"""The built-in Stokes solver of crystalsim."""
