"""What the exact flow has to obey, closed forms, and the grid that converges to it."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.scene.case import Case
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.validation import centred_disc, row_of_discs
from crystalsim_multipole.fields import Fields
from crystalsim_multipole.lattice import Lattice
from crystalsim_multipole.plugin import MultipoleOptions
from crystalsim_multipole.scaled import Scaled

GRID = Grid(16, 16)


def solver(**options):
    return crystalsim.get("solver", "multipole", **options)


def disc(x=0.0, z=0.0, radius=100.0, contrast=np.inf, drho=200.0):
    return {
        "x": x,
        "z": z,
        "radius": radius,
        "density": 2700.0 + drho,
        "viscosity": 1e20 * contrast,
    }


def velocity(crystals, grid=GRID, **options):
    motion = solver(**options).motion(make_cases([crystals], grid))
    return motion["crystal_velocity_x"].values[0] + 1j * motion["crystal_velocity_z"].values[0]


def mobility(radius, width, height, contrast=np.inf):
    """``4 pi mu U / F`` of a disc in the middle."""
    grid = Grid(8, 8, 0.0, width, 0.0, height)
    speed = -velocity([disc(width / 2, height / 2, radius, contrast)], grid, tolerance=1e-11)[
        0
    ].imag
    return 4 * np.pi * 1e20 * speed / (200 * 9.81 * np.pi * radius**2)


@pytest.mark.parametrize("contrast", [1e-4, 0.1, 1.0, 10.0, np.inf])
def test_a_disc_in_the_middle_of_a_square(contrast):
    soft = 1 / (1 + contrast)
    for size in (0.02, 0.05, 0.1):
        series = centred_disc(size * 2000, 2000.0, contrast)
        exact = mobility(size * 2000, 2000.0, 2000.0, contrast)
        # Five digits of the constant, and the next term, of fourth order.
        assert abs(exact - series) < 3e-6 + 3.6 * size**4
        assert exact - series - 3.54 * (2 * soft - 1) * size**4 == pytest.approx(0.0, abs=1e-5)


def test_a_row_of_discs():
    for tau in (0.05, 0.1, 0.2, 0.3):
        radius = tau * 1000 / np.pi
        series = 4 * np.pi / row_of_discs(radius, 1000.0)
        exact = mobility(radius, 1000.0, 8000.0)
        assert exact - series == pytest.approx(-0.0545 * tau**4, rel=0.03, abs=1e-8)


def test_two_rigid_discs_far_from_walls_in_line_and_side_by_side():
    """The first terms of the far field: ``4 pi mu dU / F`` of a neighbour at distance d."""
    box = Grid(8, 8, -1e5, 1e5, -1e5, 1e5)
    alone = velocity([disc()], box)[0].imag
    unit = 200 * 9.81 * np.pi * 1e4 / (4 * np.pi * 1e20)
    far = 2000.0
    along = velocity([disc(0, far / 2), disc(0, -far / 2)], box)[0].imag - alone
    across = velocity([disc(far / 2), disc(-far / 2)], box)[0].imag - alone
    # A point force pulls more by 1 along than across it, of which the size of both discs takes
    # 2 (a/d)**2, and the strain that one does not follow in the flow of the other as much again.
    assert (across - along) / unit == pytest.approx(1 - 4 * (100 / far) ** 2, abs=1e-4)


def test_mirrors_and_superposition():
    grid = Grid(16, 16, -1000.0, 1000.0, -500.0, 500.0)
    crystals = [
        disc(-300, 40, 90, 1e3),
        disc(-90, -60, 80, 0.02, -300),
        disc(500, 300, 70, 7.0, 500),
    ]
    plain = velocity(crystals, grid, tolerance=1e-10)
    speed = abs(plain).max()
    in_x = velocity([{**c, "x": -c["x"]} for c in crystals], grid, tolerance=1e-10)
    assert abs(in_x + plain.conj()).max() < 1e-11 * speed
    # Upside down, with all that rises sinking.
    down = [{**c, "z": -c["z"], "density": 5400 - c["density"]} for c in crystals]
    assert abs(velocity(down, grid, tolerance=1e-10) - plain.conj()).max() < 1e-11 * speed
    parts = [
        velocity(
            [{**c, "density": c["density"] if i == k else 2700} for i, c in enumerate(crystals)],
            grid,
            tolerance=1e-10,
        )
        for k in range(3)
    ]
    assert abs(sum(parts) - plain).max() < 1e-9 * speed
    # A shift of the box and of all in it, and other units, change nothing.
    moved = Grid(16, 16, 0.0, 2.0, 5.0, 6.0)
    scaled = [
        {**c, "x": c["x"] / 1e3 + 1, "z": c["z"] / 1e3 + 5.5, "radius": c["radius"] / 1e3}
        for c in crystals
    ]
    assert abs(1e6 * velocity(scaled, moved, tolerance=1e-10) - plain).max() < 1e-11 * speed


def test_a_tall_box_is_as_a_row_of_boxes():
    """Discs and their mirror twins in twice the box move as the discs alone in one."""
    crystals = [disc(200, 300, 90, 1e3), disc(700, 150, 80, 0.1)]
    one = velocity(crystals, Grid(8, 8, 0.0, 1000.0, 0.0, 500.0))
    twins = [{**c, "z": -c["z"], "density": 5400 - c["density"]} for c in crystals]
    two = velocity([*crystals, *twins], Grid(8, 8, 0.0, 1000.0, -500.0, 500.0))
    assert abs(two[:2] - one).max() < 1e-10 * abs(one).max()
    assert abs(two[2:] - one.conj()).max() < 1e-10 * abs(one).max()


@pytest.mark.parametrize("sides", [(1.0, 1.0), (3.0, 1.0), (1.0, 7.0), (40.0, 1.0)])
def test_lattice_sums_are_those_of_elliptic_functions(sides):
    """Weierstrass' function, by its derivatives ``S_3`` and ``S_4``, and ``N_4``; rows of sines."""
    width, height = sides
    lattice = Lattice(width, height)
    at = lattice.nearest(np.array([0.3 * width + 0.45j * height, -0.81 * width + 0.07j * height]))
    sums = lattice.sums(at, np.array(1.0), 5)
    row = at + 2j * height * np.arange(-400, 401)[:, None]
    unit = np.pi / (2 * width)
    row = np.where(abs(row.imag) * unit < 40, row, 40j / unit)
    sine, cosine = np.sin(unit * row), np.cos(unit * row)
    third, fourth = unit**3 * cosine / sine**3, unit**4 * (1 + 2 * cosine**2) / (3 * sine**4)
    size = abs(third).sum(axis=0)
    assert (abs(sums.plain[3] - third.sum(axis=0)) < 1e-13 * size).all()
    # conj(d - P) is d - P less twice its imaginary part, which is constant in a row.
    moved = (third - 2j * row.imag * fourth).sum(axis=0)
    assert (abs(sums.conjugate[4] - moved) < 1e-12 * size).all()


CASE = Case(
    x=np.array([-150.0, 60.0, 600.0]),
    z=np.array([20.0, -30.0, 850.0]),
    radius=np.array([100.0, 105.0, 120.0]),
    density=np.array([2900.0, 2500.0, 2800.0]),
    viscosity=np.array([1e18, np.inf, 3e20]),
    matrix_density=2700.0,
    matrix_viscosity=1e20,
    gravity=9.81,
)
"""A weak disc 11 m from a rigid one, and a third 30 m from the top; the box is the unit square."""


@pytest.fixture(scope="module")
def fields():
    scaled = Scaled.from_case(CASE, GRID, "sample 0")
    flow, _ = scaled.solve(MultipoleOptions(tolerance=1e-11), "sample 0", surfaces=True)
    return Fields(flow, 65536)


def test_velocity_and_stress_are_continuous_around_discs(fields):
    """Differences of the stream function on both sides, and the force on each disc's rim."""
    flow, step = fields.flow, 2e-5
    discs = flow.discs
    around = np.exp(2j * np.pi * (np.arange(64) + 0.5) / 64)

    def beside(k, distance):
        return fields.stream_function(discs.centre[k] + (discs.radius[k] + distance) * around)

    for k in range(3):
        out, close_out, close_in, inner = (beside(k, d * step) for d in (2, 1, -1, -2))
        rim = beside(k, 1e-12)
        size = abs(rim - rim.mean()).max()
        outside = (4 * close_out - out - 3 * rim) / (2 * step)
        inside = (3 * rim - 4 * close_in + inner) / (2 * step)
        speed = abs(outside).max()
        assert abs(outside - inside).max() < 2e-5 * speed
        assert abs(close_out - close_in).max() < 3 * step * speed < size


def test_pressure_is_that_of_the_flow(fields):
    """Harmonic, and its gradient is the viscosity times that of the vorticity, turned."""
    at, step = np.array([0.2 + 0.7j, 0.47 + 0.43j, 0.95 + 0.03j]), 1e-3
    x, z = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4))
    points = at[:, None, None] + step * (x + 1j * z)
    psi = fields.stream_function(points.ravel()).reshape(points.shape)
    pressure = fields.pressure(points.ravel()).reshape(points.shape)

    def laplace(f):
        middle = f[:, 1:-1, 1:-1]
        beside = f[:, 1:-1, 2:] + f[:, 1:-1, :-2] + f[:, 2:, 1:-1] + f[:, :-2, 1:-1]
        return (beside - 4 * middle) / step**2

    vorticity = -laplace(psi)  # (n, 5, 5), dv_z/dx - dv_x/dz
    inner = pressure[:, 1:-1, 1:-1]
    for k in range(3):
        size = abs(np.gradient(inner[k], step)[0]).max() + abs(np.gradient(inner[k], step)[1]).max()
        dp_dz, dp_dx = (g[2, 2] for g in np.gradient(inner[k], step))
        dw_dz, dw_dx = (g[2, 2] for g in np.gradient(vorticity[k], step))
        assert dp_dx == pytest.approx(-dw_dz, abs=2e-3 * size)
        assert dp_dz == pytest.approx(dw_dx, abs=2e-3 * size)


def test_walls_carry_the_weight(fields):
    """Pressure on the bottom less that on the top, summed, is the weight of the discs.

    The normal stress has a viscous part, but its mean along a wall is zero.
    """
    x = (np.arange(1000) + 0.5) * 1e-3
    bottom, top = (fields.pressure(x + 1j * z).mean() for z in (0.0, 1.0))
    weight = -8 * np.pi * fields.flow.discs.force.imag.sum()
    assert top - bottom == pytest.approx(weight, rel=1e-6)


def test_nothing_flows_through_walls_and_they_are_free_of_shear(fields):
    along = np.linspace(0, 1, 33)
    for wall, inward in ((along, 1j), (along + 1j, -1j), (1j * along, 1.0), (1 + 1j * along, -1.0)):
        psi = [fields.stream_function(wall + step * 1e-3 * inward) for step in range(4)]
        assert abs(psi[0] - psi[0][0]).max() < 1e-12
        # No shear along a wall without flow through it: the second derivative vanishes there.
        second = (2 * psi[0] - 5 * psi[1] + 4 * psi[2] - psi[3]) / 1e-6
        assert abs(second).max() < 0.1 * 1e-3 * abs(psi[1] - psi[0]).max() / 1e-6


def test_fields_do_not_depend_on_the_tiles():
    scaled = Scaled.from_case(CASE, GRID, "sample 0")
    flow, _ = scaled.solve(MultipoleOptions(), "sample 0", surfaces=True)
    points = (np.linspace(0, 1, 41) + 1j * np.linspace(0, 1, 37)[:, None]).ravel()
    few, many = Fields(flow, 10), Fields(flow, 10**6)
    psi = few.stream_function(points)
    assert abs(psi - many.stream_function(points)).max() < 1e-12 * abs(psi).max()
    pressure = few.pressure(points)
    assert abs(pressure - many.pressure(points)).max() < 1e-11 * abs(pressure).max()


def random_scene(count, gap, contrast, seed):
    random, crystals = np.random.default_rng(seed), []
    while len(crystals) < count:
        radius = random.uniform(60, 100)
        x, z = random.uniform(-1000 + radius + gap, 1000 - radius - gap, 2)
        if all(np.hypot(x - c["x"], z - c["z"]) > radius + c["radius"] + gap for c in crystals):
            crystals.append(disc(x, z, radius, contrast, random.uniform(100, 500)))
    return crystals


def grid_errors(crystals, cells, **options):
    """Errors of `builtin`: crystals over the largest speed, relative L2 of the velocity."""
    cases = make_cases([crystals], Grid(cells, cells))
    exact = solver().solve(cases)
    found = crystalsim.get("solver", "builtin", **options).solve(cases)
    true = velocity(crystals)
    motion = crystal_motion(found)
    moved = motion["crystal_velocity_x"].values[0] + 1j * motion["crystal_velocity_z"].values[0]
    names = ("velocity_x", "velocity_z")
    gap = sum(float(((exact[n] - found[n]) ** 2).sum()) for n in names)
    whole = sum(float((exact[n] ** 2).sum()) for n in names)
    return abs(moved - true).max() / abs(true).max(), np.sqrt(gap / whole)


def test_the_grid_converges_to_it():
    crystals = random_scene(8, 40.0, 1e4, seed=3)
    errors = np.array([grid_errors(crystals, cells) for cells in (32, 64, 128, 256)])
    # Second order from 3 cells a radius on; the last error is what iterations leave.
    assert (errors[-1] < (0.001, 0.001)).all()
    assert (errors[0] > 10 * errors[-1]).all()


@pytest.mark.slow
def test_the_grid_converges_to_it_up_to_1024_cells():
    crystals = random_scene(8, 40.0, 1e4, 3)
    errors = np.array([grid_errors(crystals, n, tolerance=1e-3) for n in (256, 512, 1024)])
    assert (errors[-1] < (3e-4, 3e-4)).all()


@pytest.mark.slow
def test_thirty_discs_and_gaps_of_a_decimetre():
    crystals = random_scene(28, 10.0, 1e4, seed=5)
    free = [c for c in crystals if np.hypot(c["x"], c["z"]) > 320]
    crystals = [*free, disc(-80.05, 0.0, 80.0), disc(90.05, 0.0, 90.0)]
    at = {t: velocity(crystals, tolerance=t) for t in (1e-5, 1e-8)}
    assert abs(at[1e-5] - at[1e-8]).max() < 1e-5 * abs(at[1e-8]).max()
