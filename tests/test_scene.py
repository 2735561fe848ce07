"""Area fractions are exact in every control volume, whatever the disc."""

import numpy as np
import pytest

from crystalsim import Grid, iterate_cases, make_cases
from crystalsim.datasets.scenes import paint
from crystalsim.scene.painting import rasterise
from crystalsim.scene.shapes import disc_fractions, fractions_of_discs

GRID = Grid(40, 30, -1000, 1000, -500, 1000)
DISCS = [
    (13.0, 222.0, 100.0),
    (0.0, 250.0, 50.0),  # tangent to grid lines on all sides
    (7.0, 9.0, 1.0),  # a disc well inside one cell
    (-25.0, 250.0, 10.0),  # a disc around a corner's control volume
    (-900.0, -400.0, 100.0),  # touching two walls
    (100.0, 250.0, 700.0),
]


@pytest.mark.parametrize(("x", "z", "radius"), DISCS)
def test_every_kind_of_control_volume_holds_the_whole_disc(x, z, radius):
    disc = disc_fractions(x, z, radius, GRID)
    area = np.pi * radius**2 / (GRID.hx * GRID.hz)
    for name in ("cell", "corner", "x_face", "z_face"):
        fraction = getattr(disc, name)
        assert fraction.sum() == pytest.approx(area, rel=1e-9), name
        assert fraction.min() >= 0
        assert fraction.max() <= 1


@pytest.mark.parametrize(("x", "z", "radius"), DISCS)
def test_fractions_match_supersampling(x, z, radius):
    disc = disc_fractions(x, z, radius, GRID)
    fine = 100  # a nearly level edge is counted wrong by up to 0.5 / fine
    along_x = GRID.x_min + GRID.hx * (np.arange(GRID.nx * fine) + 0.5) / fine
    along_z = GRID.z_min + GRID.hz * (np.arange(GRID.nz * fine) + 0.5) / fine
    inside = np.hypot(along_x - x, along_z[:, None] - z) < radius
    counted = inside.reshape(GRID.nz, fine, GRID.nx, fine).mean(axis=(1, 3))
    painted = np.zeros_like(counted)
    painted[disc.cells] = disc.cell
    assert np.abs(painted - counted).max() < 3e-3
    shifted = inside[fine // 2 : -fine // 2, fine // 2 : -fine // 2]
    counted = shifted.reshape(GRID.nz - 1, fine, GRID.nx - 1, fine).mean(axis=(1, 3))
    painted = np.zeros((GRID.nz + 1, GRID.nx + 1))
    painted[disc.faces] = disc.corner
    assert np.abs(painted[1:-1, 1:-1] - counted).max() < 3e-3


def two_crystals(viscosity=1e24):
    crystals = [
        {"x": -300, "z": 100, "radius": 120, "density": 3000, "viscosity": viscosity},
        {"x": 300, "z": 500, "radius": 80, "density": 2500, "viscosity": 1e22},
    ]
    return make_cases([crystals], GRID)


@pytest.mark.parametrize("average", ["harmonic", "geometric", "arithmetic", "point"])
def test_viscosity_is_that_of_the_phases_where_they_are_pure(average):
    case = next(iterate_cases(two_crystals()))
    scene = rasterise(case, GRID, average)
    first, second = (disc_fractions(*d, GRID) for d in ((-300, 100, 120), (300, 500, 80)))
    assert scene.viscosity_cell[first.cells][first.cell == 1] == pytest.approx(1e24)
    assert scene.viscosity_corner[second.faces][second.corner == 1] == pytest.approx(1e22)
    assert scene.viscosity_cell[0, 0] == 1e20


def test_means_of_viscosity_in_a_mixed_cell():
    case = next(iterate_cases(two_crystals()))
    disc = disc_fractions(-300, 100, 120, GRID)
    i, j = np.argwhere((disc.cell > 0.2) & (disc.cell < 0.4))[0]
    phi = disc.cell[i, j]
    expected = {
        "harmonic": 1 / ((1 - phi) / 1e20 + phi / 1e24),
        "arithmetic": (1 - phi) * 1e20 + phi * 1e24,
        "geometric": 1e20 ** (1 - phi) * 1e24**phi,
        "point": 1e20,
    }
    for average, value in expected.items():
        viscosity = rasterise(case, GRID, average).viscosity_cell[disc.cells][i, j]
        assert viscosity == pytest.approx(value), average


def test_rigid_crystals_are_infinitely_viscous_inside():
    crystal = {"x": 0, "z": 200, "radius": 120, "density": 3000, "viscosity": np.inf}
    cases = make_cases([[{**crystal, "viscosity": 1e30}]], GRID)
    case = next(iterate_cases(cases))._replace(viscosity=np.array([np.inf]))
    scene = rasterise(case, GRID)
    assert np.isinf(scene.viscosity_cell.max())
    assert np.isfinite(scene.viscosity_cell[scene.fraction < 1]).all()


def test_density_carries_the_weight_of_the_crystals():
    case = next(iterate_cases(two_crystals()))
    weight = rasterise(case, GRID).density_face.sum() * GRID.hx * GRID.hz
    expected = np.pi * (120**2 * 300 - 80**2 * 200)
    assert weight == pytest.approx(expected, rel=1e-9)


def test_phase_numbers_the_crystals():
    fraction, phase = paint(two_crystals())
    assert set(np.unique(phase)) == {0, 1, 2}
    assert (fraction[phase > 0] >= 0.5).all()
    assert (fraction[phase == 0] < 0.5).all()


def test_discs_together_are_those_one_by_one():
    """Bit by bit, whatever the largest of them takes."""
    rng = np.random.default_rng(3)
    radius = rng.uniform(5, 300, 20)
    x, z = rng.uniform(-690, 690, (2, 20))
    together = fractions_of_discs(x, z, radius, GRID)
    for k, disc in enumerate(together):
        alone = disc_fractions(x[k], z[k], radius[k], GRID)
        assert (disc.cells, disc.faces) == (alone.cells, alone.faces)
        for name in ("cell", "corner", "x_face", "z_face"):
            assert np.array_equal(getattr(disc, name), getattr(alone, name))
