"""Periodic and no-slip walls, against a direct solve of the staggered equations that is here."""

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg

import crystalsim
from crystalsim import Grid, iterate_cases, make_cases, make_solutions
from crystalsim.errors import SchemaError, UnsupportedError
from crystalsim.scene.painting import rasterise
from crystalsim.stokes import diagnostics
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.testing import SolverContract
from crystalsim.validation import validate_solver

OTHERS = ("periodic_sides", "no_slip")
GRID = Grid(48, 40, -1000, 1400, -1000, 1000)
ETA, GRAVITY = 1e20, 9.81


class TestNoSlipContract(SolverContract):
    name = "builtin"
    options = {"walls": "no_slip"}
    start_options = {"extra_stress": True}


class TestPeriodicContract(SolverContract):
    name = "builtin"
    options = {"walls": "periodic_sides"}
    start_options = {"extra_stress": True}

    def test_nothing_flows_through_walls(self, solutions):
        """Nothing through bottom and top; what leaves on the right comes in on the left."""
        assert (solutions.velocity_z[:, [0, -1]] == 0).all()
        sides = solutions.velocity_x.values[..., [0, -1]]
        assert np.array_equal(sides[..., 0], sides[..., 1])

    def test_something_flows_through_the_sides(self, solutions):
        assert np.abs(solutions.velocity_x.values[..., [0, -1]]).max() > 0


def disc(x, z, radius, density=2900.0, viscosity=1e24):
    return {"x": x, "z": z, "radius": radius, "density": density, "viscosity": viscosity}


SCENES = {
    "viscous": [
        disc(-350, 100, 120),
        disc(150, -250, 160, 2850, 1e22),
        disc(900, 450, 100, 2500, 1e26),
    ],
    # In the cells beside the walls.
    "touching": [
        disc(-870, 100, 130, 2900, 1e23),
        disc(1300, 100, 100, 2800, 1e22),
        disc(100, -880, 120),
        disc(400, 880, 120, 2500, 1e22),
    ],
    "weak": [disc(-200, 50, 120, 2500, 1e18), disc(600, 200, 90, 2850, 1e22)],
}


def solve(cases, **options):
    return crystalsim.get("solver", "builtin", **{"tolerance": 1e-10, **options}).solve(cases)


def norm(*fields):
    return np.sqrt(sum((np.asarray(f, dtype=float) ** 2).sum() for f in fields))


def direct(scene, grid, walls):
    """Velocity and pressure by one sparse factorisation; lengths in km, viscosity over ETA."""
    nx, nz, hx, hz = grid.nx, grid.nz, grid.hx / 1e3, grid.hz / 1e3
    periodic = walls == "periodic_sides"
    wall = 2.0 if walls == "no_slip" else 0.0

    def interior(cells, spacing):
        """Interior faces to cells."""
        ones = np.ones(cells - 1) / spacing
        return sparse.diags_array([ones, -ones], offsets=[0, -1], shape=(cells, cells - 1))

    def across(cells, spacing):
        """Cells to all faces, reflected with the sign changed or not."""
        made = sparse.lil_array((cells + 1, cells))
        made[1:-1] = -interior(cells, spacing).T
        made[0, 0], made[cells, cells - 1] = wall / spacing, -wall / spacing
        return made.tocsr()

    if periodic:
        # Face i is the left one of cell i.
        to_cell = (
            sparse.eye_array(nx, k=1) - sparse.eye_array(nx) + sparse.eye_array(nx, k=1 - nx)
        ) / hx
        to_face, over_x, columns = -to_cell.T, -to_cell.T, np.s_[:nx]
        keep_x = sparse.eye_array(nx)
    else:
        to_cell = interior(nx, hx)
        to_face, over_x, columns = -to_cell.T, across(nx, hx), np.s_[:]
        keep_x = sparse.eye_array(nx + 1, nx - 1, k=-1)
    keep_z = sparse.eye_array(nz + 1, nz - 1, k=-1)
    one_x, one_z, kron = sparse.eye_array(nx), sparse.eye_array(nz), sparse.kron
    # Stress of all velocities: normal in cells, shear at corners on walls and inside.
    twice = sparse.diags_array(2 * scene.viscosity_cell.ravel() / ETA)
    eta = sparse.diags_array(scene.viscosity_corner[:, columns].ravel() / ETA)
    du_dx, dw_dz = kron(one_z, to_cell), kron(interior(nz, hz), one_x)
    shear = [eta @ kron(across(nz, hz), keep_x), eta @ kron(keep_z, over_x)]
    # Momentum: differences of the stress at either side of a face.
    d_dx, d_dz = kron(one_z, to_face), kron(-interior(nz, hz).T, one_x)
    beside = (
        sparse.diags_array([-np.ones(nz), np.ones(nz)], offsets=[0, 1], shape=(nz, nz + 1)) / hz
    )
    shear_up = kron(beside, keep_x.T)
    if periodic:
        shear_across = kron(keep_z.T, to_cell)
    else:
        right = sparse.diags_array([-np.ones(nx), np.ones(nx)], offsets=[0, 1], shape=(nx, nx + 1))
        shear_across = kron(keep_z.T, right / hx)
    matrix = sparse.block_array(
        [
            [d_dx @ twice @ du_dx + shear_up @ shear[0], shear_up @ shear[1], -d_dx],
            [shear_across @ shear[0], d_dz @ twice @ dw_dz + shear_across @ shear[1], -d_dz],
            [du_dx, dw_dz, None],
        ],
        format="lil",
    )
    faces, flows = du_dx.shape[1], dw_dz.shape[1]
    known = np.zeros(matrix.shape[0])
    known[faces : faces + flows] = GRAVITY * scene.density_face[1:-1].ravel()
    # The last pressure is zero; one horizontal velocity may be anything with periodic sides.
    matrix[-1] = 0.0
    matrix[-1, -1] = 1.0
    if periodic:
        matrix[0] = 0.0
        matrix[0, 0:faces:nx] = 1.0 / hz
    matrix = matrix.tocsc()
    factors = scipy.sparse.linalg.splu(matrix)
    found = factors.solve(known)
    found += factors.solve(known - matrix @ found)
    u, w, p = np.split(found, [faces, faces + flows])
    u, w = u.reshape(nz, -1), w.reshape(nz - 1, nx)
    u = np.hstack([u, u[:, :1]]) if periodic else np.pad(u, ((0, 0), (1, 1)))
    p = p.reshape(nz, nx) * 1e3
    return u * 1e6 / ETA, np.pad(w, ((1, 1), (0, 0))) * 1e6 / ETA, p - p.mean()


@pytest.mark.parametrize("walls", [*OTHERS, "free_slip"])
@pytest.mark.parametrize("name", SCENES)
def test_agrees_with_the_direct_solve(walls, name):
    cases = make_cases([SCENES[name]], GRID)
    found = solve(cases, walls=walls).isel(sample=0)
    assert found.converged and found.attrs["walls"] == walls
    scene = rasterise(next(iterate_cases(cases)), GRID, periodic=walls == "periodic_sides")
    vx, vz, p = direct(scene, GRID, walls)
    assert norm(found.velocity_x - vx, found.velocity_z - vz) < 1e-8 * norm(vx, vz)
    # Inside crystals the direct solve loses digits of the pressure to the contrast.
    outside = found.crystal_fraction.values == 0
    gap = (found.pressure.values - p)[outside]
    assert norm(gap - gap.mean()) < 1e-8 * norm(p[outside])


# Periodic sides.


def wave(cells):
    """Error of the flow that ``drho = cos(k x + phase) sin(m z)`` drives; the series has one term.

    With ``psi = A sin(k x + phase) sin(m z)``, ``eta (k**2 + m**2)**2 psi = -g d(drho)/dx``.
    """
    grid = Grid(cells, cells, -1000, 1000, -1000, 1000)
    k, m, phase = 2 * np.pi * 3 / grid.width, np.pi * 2 / grid.height, 0.7
    z_face, z = (grid.z_face - grid.z_min)[:, None], (grid.z - grid.z_min)[:, None]
    density = 50.0 * np.cos(k * grid.x + phase) * np.sin(m * z_face)
    cases = make_cases([[]], grid)
    cases["density_face"] = (("sample", "z_face", "x"), 2700.0 + density[None], {"units": "kg m-3"})
    found = solve(cases, walls="periodic_sides").isel(sample=0)
    size = GRAVITY * 50.0 * k / (ETA * (k**2 + m**2) ** 2)
    vx = size * m * np.sin(k * grid.x_face + phase) * np.cos(m * z)
    vz = -size * k * np.cos(k * grid.x + phase) * np.sin(m * z_face)
    # From d p/dx = eta laplacian(v_x).
    p = ETA * (k**2 + m**2) * size * m / k * np.cos(k * grid.x + phase) * np.cos(m * z)
    return (
        norm(found.velocity_x - vx, found.velocity_z - vz) / norm(vx, vz),
        norm(found.pressure - p) / norm(p),
    )


def test_a_wave_across_the_seam_converges_to_its_exact_flow():
    coarse, fine = np.array(wave(32)), np.array(wave(64))
    assert (fine < 0.01).all()
    assert (np.abs(coarse / fine - 4) < 0.1).all()


def rolled(field, shift):
    """Values on columns of cells, or of faces of which the last is the first."""
    values = np.asarray(field)
    if values.shape[-1] % 2:
        inner = np.roll(values[..., :-1], shift, axis=-1)
        return np.concatenate([inner, inner[..., :1]], axis=-1)
    return np.roll(values, shift, axis=-1)


FIELDS = ("velocity_x", "velocity_z", "pressure", "stream_function")


@pytest.mark.parametrize("shift", [7, 23, -6])
def test_crystals_moved_across_the_seam_take_the_flow_along(shift):
    crystals = SCENES["touching"]
    step = shift * GRID.hx
    moved = [{**c, "x": (c["x"] + step + 1000) % GRID.width - 1000} for c in crystals]
    here, there = (
        solve(make_cases([c], GRID), walls="periodic_sides").isel(sample=0)
        for c in (crystals, moved)
    )
    for name in FIELDS:
        gap = norm(there[name] - rolled(here[name], shift))
        assert gap < 1e-8 * norm(here[name]), name


@pytest.mark.parametrize("corners", [True, False])
def test_a_crystal_cut_by_the_seam_is_as_good_as_a_whole_one(corners):
    """Given on the grid, because crystals in a dataset lie within the walls."""
    whole = make_cases([[]], GRID)
    scene = rasterise(next(iterate_cases(make_cases([SCENES["viscous"][:2]], GRID))), GRID)
    fields = {
        "viscosity": (("sample", "z", "x"), scene.viscosity_cell, "Pa s"),
        "viscosity_corner": (("sample", "z_face", "x_face"), scene.viscosity_corner, "Pa s"),
        "density_face": (("sample", "z_face", "x"), 2700 + scene.density_face, "kg m-3"),
    }
    if not corners:
        del fields["viscosity_corner"]
    cut = whole.copy()
    # The seam cuts the first crystal a cell beside its centre.
    shift = 1 - round((-350 - GRID.x_min) / GRID.hx)
    for name, (dims, values, units) in fields.items():
        whole[name] = (dims, values[None], {"units": units})
        cut[name] = (dims, rolled(values, shift)[None], {"units": units})
    assert (cut.viscosity[0, :, 0] > 2 * ETA).any()
    here, there = (solve(c, walls="periodic_sides").isel(sample=0) for c in (whole, cut))
    for name in FIELDS:
        assert norm(there[name] - rolled(here[name], shift)) < 1e-8 * norm(here[name]), name


def test_a_mirrored_box_twice_as_wide_is_free_slip():
    crystals = SCENES["touching"]
    mirrored = [{**c, "x": -2000 - c["x"]} for c in crystals]
    wide = Grid(2 * GRID.nx, GRID.nz, GRID.x_min - GRID.width, GRID.x_max, -1000, 1000)
    alone = solve(make_cases([crystals], GRID)).isel(sample=0)
    both = solve(make_cases([crystals + mirrored], wide), walls="periodic_sides").isel(sample=0)
    for name in FIELDS:
        half = both[name].values[:, GRID.nx :]
        assert norm(half - alone[name]) < 1e-8 * norm(alone[name]), name


def test_there_is_no_mean_flux_nor_traction_sideways():
    found = solve(make_cases([SCENES["viscous"]], GRID), walls="periodic_sides").isel(sample=0)
    flux = found.velocity_x.values.mean(axis=0)
    assert np.abs(flux).max() < 1e-12 * np.abs(found.velocity_x).max()
    # The mean horizontal pressure gradient balances the change of the mean shear with height.
    rate = diagnostics.strain_rate(found.expand_dims("sample")).strain_rate_xz.values[0, :, :-1]
    clear = (found.crystal_fraction.values.max(axis=1) == 0).nonzero()[0]
    levels = [i for i in clear if i - 1 in clear]
    assert len(levels) > 5
    assert np.abs(rate[levels].mean(axis=1)).max() < 1e-8 * np.abs(rate).max()
    # The mean velocity does vary with height.
    mean = found.velocity_x.values[:, :-1].mean(axis=1)
    assert np.ptp(mean) > 0.01 * np.abs(found.velocity_x).max()


# No slip.


def clamped(cells):
    """Error of ``psi = sin(a x)**2 sin(a z)**2``, which is at rest on all walls."""
    grid = Grid(cells, cells, 0, 1000, 0, 1000)
    a = np.pi / 1000
    size = 1e-9 * 1e3

    def s(x):
        return np.sin(a * x) ** 2

    def ds(x):
        return a * np.sin(2 * a * x)

    def integral(x):
        return 0.5 * x - 0.25 * np.sin(2 * a * x) / a

    # eta biharmonic(psi) = -g d(drho)/dx, integrated.
    x, z = grid.x, grid.z_face[:, None]
    second, fourth = 2 * a**2 * np.cos(2 * a * z), -8 * a**4 * np.cos(2 * a * z)
    third = -4 * a**2 * ds(x)
    drho = -(ETA * size / GRAVITY) * (third * s(z) + 2 * ds(x) * second + integral(x) * fourth)
    cases = make_cases([[]], grid)
    cases["density_face"] = (("sample", "z_face", "x"), 2700 + drho[None], {"units": "kg m-3"})
    found = solve(cases, walls="no_slip").isel(sample=0)
    vx = size * s(grid.x_face) * ds(grid.z[:, None])
    vz = -size * ds(grid.x) * s(grid.z_face[:, None])
    return norm(found.velocity_x - vx, found.velocity_z - vz) / norm(vx, vz)


def test_no_slip_converges_with_second_order():
    errors = np.array([clamped(cells) for cells in (16, 32, 64)])
    assert errors[-1] < 2e-3
    assert (np.abs(errors[:-1] / errors[1:] - 4) < 0.3).all()


def test_settling_is_slower_and_walls_are_at_rest():
    crystals = [disc(-300, 200, 120), disc(450, -350, 150)]
    speed, beside = {}, {}
    for walls in ("free_slip", "no_slip"):
        for cells in (32, 64, 128):
            found = solve(make_cases([crystals], Grid(cells, cells)), walls=walls, tolerance=1e-4)
            motion = crystal_motion(found)
            speed[walls] = -motion.crystal_velocity_z.values[0]
            along = [found.velocity_x.values[0][[0, -1]], found.velocity_z.values[0][:, [0, -1]].T]
            largest = max(np.abs(part).max() for part in along)
            beside[walls, cells] = largest / float(np.abs(found.velocity_z).max())
    assert (speed["no_slip"] > 0).all()
    assert (speed["no_slip"] < 0.9 * speed["free_slip"]).all()
    # Half a cell away, so that the velocity at the wall itself is none.
    for coarse in (32, 64):
        assert beside["no_slip", coarse] / beside["no_slip", 2 * coarse] == pytest.approx(
            2, abs=0.3
        )
        assert beside["free_slip", 2 * coarse] == pytest.approx(
            beside["free_slip", coarse], rel=0.1
        )


@pytest.mark.parametrize("walls", OTHERS)
def test_as_many_iterations_as_with_free_slip(walls):
    cases = crystalsim.get("sampler", "random", cells=96).sample(5, seed=1)
    other, free = (
        crystalsim.get("solver", "builtin", walls=w).solve(cases) for w in (walls, "free_slip")
    )
    assert other.converged.all()
    assert other.iterations.sum() <= 1.15 * free.iterations.sum()


@pytest.mark.parametrize("name", ["viscous", "touching", "weak"])
@pytest.mark.parametrize("walls", OTHERS)
def test_dissipation_equals_the_work_of_gravity(walls, name):
    periodic = walls == "periodic_sides"
    found = solve(make_cases([SCENES[name]], GRID), walls=walls)
    scene = rasterise(next(iterate_cases(found)), GRID, periodic=periodic)
    rates = diagnostics.strain_rate(found)
    part = np.ones((GRID.nz + 1, GRID.nx + 1))
    # Half of a wall's control volume is inside; both halves of the seam's are.
    part[[0, -1]] *= 0.5
    part[:, [0, -1]] *= 0.5
    dissipation = (scene.viscosity_cell * (2 * rates.strain_rate_xx[0]) ** 2).sum()
    dissipation += (part * scene.viscosity_corner * (2 * rates.strain_rate_xz[0]) ** 2).sum()
    work = -GRAVITY * (scene.density_face * found.velocity_z.values[0]).sum()
    assert float(dissipation) == pytest.approx(work, rel=1e-6)


# What else the option touches.


@pytest.mark.parametrize("name", ["viscous", "touching", "weak"])
@pytest.mark.parametrize("walls", OTHERS)
def test_the_extra_stress_starts_the_solver_where_it_stopped(walls, name):
    cases = make_cases([SCENES[name]], GRID)
    first = solve(cases, walls=walls, tolerance=1e-4, extra_stress=True)
    again = crystalsim.get("solver", "builtin", walls=walls, tolerance=1.1e-4)
    assert first.iterations > 0
    assert again.solve_from(cases, first).iterations <= 1


@pytest.mark.parametrize("walls", OTHERS)
def test_single_precision(walls):
    cases = make_cases([SCENES["viscous"]], GRID)
    single = solve(cases, walls=walls, tolerance=1e-3, precision="single")
    double = solve(cases, walls=walls, tolerance=1e-3)
    assert single.converged and single.velocity_x.dtype == np.float32
    assert norm(single.velocity_z - double.velocity_z) < 1e-4 * norm(double.velocity_z)


def test_solutions_tell_their_walls_to_who_must_know():
    cases = make_cases([SCENES["viscous"]], GRID)
    free, closed = (solve(cases, walls=w, tolerance=1e-3) for w in ("free_slip", "no_slip"))
    assert make_solutions(closed, {n: closed[n].values for n in FIELDS}).attrs.get("walls") is None
    with pytest.raises(SchemaError, match="reference has walls = 'no_slip', the prediction 'free"):
        crystalsim.get("evaluator", "fields").evaluate(closed, free)
    with pytest.raises(UnsupportedError, match="wall_forces: solutions have walls = 'no_slip'"):
        diagnostics.wall_forces(closed)
    solver = crystalsim.get("solver", "builtin", walls="periodic_sides")
    checked = validate_solver(solver, [8])[:-1]  # all but random scenes, which need a truth
    assert all("walls = 'periodic_sides'" in result.skipped for result in checked)


def test_surrogates_refuse_other_walls():
    pytest.importorskip("torch")
    from crystalsim.learning.batches import prepare

    closed = solve(make_cases([SCENES["viscous"]], GRID), walls="no_slip", tolerance=1e-3)
    with pytest.raises(UnsupportedError, match="surrogates: solutions have walls = 'no_slip'"):
        prepare(closed, with_solution=True)


def test_a_gpu_solves_free_slip_alone():
    cases = make_cases([[]], GRID)
    with pytest.raises(UnsupportedError, match=r"solver\.walls = 'no_slip'.*'cpu' or 'auto'"):
        solve(cases, walls="no_slip", device="cuda")
    assert solve(cases, walls="no_slip", device="auto").converged
