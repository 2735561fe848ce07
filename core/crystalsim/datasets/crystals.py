"""What a user says of one crystal, checked; wherever it is said: in Python, TOML or a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import SchemaError
from ..options import suggestion
from ..scene.options import SceneOptions

__all__ = ["read_crystal"]

CRYSTAL_KEYS = (
    "x",
    "z",
    "radius",
    "density",
    "density_contrast",
    "viscosity",
    "viscosity_contrast",
)
"""Everything that can be said of a crystal."""

RIGID = "rigid"
"""Viscosity of a crystal that does not deform, in words."""


def read_crystal(
    crystal: Mapping[str, Any], options: SceneOptions, where: str = "crystal"
) -> dict[str, float]:
    """Check what is said of one crystal and give it in SI units.

    Parameters
    ----------
    crystal
        ``x, z, radius`` [m]; ``density`` [kg m-3] or ``density_contrast`` to the magma's;
        ``viscosity`` [Pa s] or ``viscosity_contrast`` to the magma's, ``"rigid"`` or infinite where
        the crystal does not deform.
    options
        Magma that contrasts refer to.
    where
        Place of the crystal, for messages.

    Returns
    -------
    dict
        ``x, z, radius, density, viscosity``.

    Raises
    ------
    SchemaError
        If a value is missing, unknown, given twice, no number or impossible.
    """
    if not isinstance(crystal, Mapping):
        raise SchemaError(f"{where}: {crystal!r}; expected a mapping with x, z, radius ...")
    for key in crystal:
        if key not in CRYSTAL_KEYS:
            known = ", ".join(CRYSTAL_KEYS)
            raise SchemaError(
                f"{where}: unknown '{key}'{suggestion(str(key), CRYSTAL_KEYS)} (known: {known})"
            )
    values = {key: _number(where, key, value) for key, value in crystal.items()}
    for key in ("x", "z", "radius"):
        if key not in values:
            raise SchemaError(f"{where}: '{key}' is missing")
    if values["radius"] <= 0:
        raise SchemaError(f"{where}: radius = {values['radius']:g}; expected a positive number")
    for key in ("density", "viscosity"):
        if (key in values) == (f"{key}_contrast" in values):
            raise SchemaError(f"{where}: expected either '{key}' or '{key}_contrast'")
    density = values.get("density", options.matrix_density + values.get("density_contrast", 0.0))
    viscosity = values.get(
        "viscosity", options.matrix_viscosity * values.get("viscosity_contrast", 1.0)
    )
    position = {key: values[key] for key in ("x", "z", "radius")}
    return {**position, "density": density, "viscosity": viscosity}


def _number(where: str, key: str, value: Any) -> float:
    infinite = key.startswith("viscosity")
    if infinite and isinstance(value, str) and value.strip() == RIGID:
        return math.inf
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) or (infinite and number == math.inf)):
        expected = f"a number or '{RIGID}'" if infinite else "a finite number"
        raise SchemaError(f"{where}: {key} = {value!r}; expected {expected}")
    return number
