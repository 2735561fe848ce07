"""How fast one disc moves: series and closed forms from the literature.

All give dimensionless numbers for a metre of the section, with the force ``F`` on the disc, its
velocity ``U`` and the viscosity ``mu`` around it.
"""

from __future__ import annotations

import math


def centred_disc(radius: float, side: float, contrast: float = math.inf) -> float:
    """Mobility ``4 pi mu U / F`` of a disc in the middle of a free-slip square.

    With ``s = a / L`` and the contrast ``c``,

        -ln s - 1.36503 + 1 / (2 (1 + c)) + 3.4376 c / (1 + c) s**2 + O(s**4),

    where the last term is about ``3.5 (1 - c) / (1 + c) s**4``. Hasimoto's (1959) expansion for a
    square array of cylinders, doi:10.1017/S0022112059000222, with the mirror twins of free-slip
    walls in place of the array; the contrast enters as for the drop of Hadamard and Rybczynski.

    Parameters
    ----------
    radius, side
        Of the disc and of the box.
    contrast
        Viscosity of the disc over that around it; infinite where rigid.
    """
    soft = 1.0 / (1.0 + contrast)
    size = radius / side
    return -math.log(size) - 1.36503 + 0.5 * soft + 3.4376 * (1.0 - soft) * size**2


def row_of_discs(radius: float, distance: float) -> float:
    """Resistance ``F / (mu U)`` of each rigid disc in a row that moves across itself.

    With ``tau = pi a / d``,

        8 pi / (1 - 2 ln(2 tau) + 2/3 tau**2 + O(tau**4)).

    The planes half way between neighbours are free of shear, so that the same holds for one disc
    that moves along two free-slip plates at the distance ``d``, in their middle. Tamada & Fujikawa
    (1957), doi:10.1093/qjmam/10.4.425. The rest is about ``-0.11 tau**4`` in the denominator.

    Parameters
    ----------
    radius
        Of the discs.
    distance
        Of neighbouring centres, or of the plates.
    """
    tau = math.pi * radius / distance
    return 8.0 * math.pi / (1.0 - 2.0 * math.log(2.0 * tau) + 2.0 / 3.0 * tau**2)


def between_plates(radius: float, distance: float) -> float:
    """Resistance ``F / (mu U)`` of a rigid disc that moves along two plates at rest, half way.

    With ``k`` the diameter over the distance of the plates,

        4 pi / (-ln k - 0.9157 + 1.7244 k**2 - 1.7302 k**4 + 2.4056 k**6 - 4.5913 k**8).

    Faxén (1946), Proc. R. Swed. Acad. Eng. Sci. 187, after Happel & Brenner (1983), Low Reynolds
    Number Hydrodynamics. The series is 0.33 % off at ``k = 0.4`` and 5.1 % at 0.5.

    Parameters
    ----------
    radius
        Of the disc.
    distance
        Of the plates.
    """
    k = 2.0 * radius / distance
    series = (-0.9157, 1.7244, -1.7302, 2.4056, -4.5913)
    return 4.0 * math.pi / (-math.log(k) + sum(c * k ** (2 * i) for i, c in enumerate(series)))


def beside_wall(radius: float, distance: float) -> tuple[float, float]:
    """Resistance ``F / (mu U)`` of a rigid disc beside one plane at rest, exactly.

    With ``cosh alpha = d / a`` it is ``4 pi / alpha`` along the wall and ``4 pi / (alpha - tanh
    alpha)`` towards it. Jeffrey & Onishi (1981), doi:10.1093/qjmam/34.2.129.

    Parameters
    ----------
    radius
        Of the disc.
    distance
        Of its centre from the wall.

    Returns
    -------
    parallel, normal
    """
    alpha = math.acosh(distance / radius)
    return 4.0 * math.pi / alpha, 4.0 * math.pi / (alpha - math.tanh(alpha))
