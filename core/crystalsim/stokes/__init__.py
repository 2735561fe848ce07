"""The physics: discrete Stokes operators, the isoviscous solution, crystals as extra stress.

Solvers, physics losses, structured models and evaluators all use what is here, so that there is
exactly one discrete divergence in the project. The equations, with dynamic pressure ``p``, density
anomaly ``drho`` and z upward, are

    div(2 eta e(v)) - grad p = drho g e_z,    div v = 0,    v = (d psi/dz, -d psi/dx),

with free slip (no flow through, no shear traction) on all four walls; `walls` has others.
"""
