"""Figures explain what they draw: symbols, units, numbers, and no panel is empty."""

import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.contour import ContourSet
from matplotlib.patches import Circle

import crystalsim
from crystalsim import Grid, make_cases, plotting
from crystalsim.errors import SchemaError
from crystalsim.evaluation.scores import make_scores
from crystalsim.evaluation.summaries import confidence_interval
from crystalsim.metrics import PERCENT, Metric, Unit
from crystalsim.plotting.crystals import label_places
from crystalsim.plotting.fields import Scene
from crystalsim.plotting.style import logarithmic
from crystalsim.reports.figures import sample_drawings
from crystalsim_analysis.figures import plot_spectrum, plot_strata

CRYSTAL = {"radius": 120.0, "density": 2900.0, "viscosity": 1e24}


def solve(crystals, cells=32, **fields):
    cases = make_cases(crystals, Grid(cells, cells), **fields)
    return crystalsim.get("solver", "builtin").solve(cases)


@pytest.fixture(scope="module")
def crowd():
    """Fourteen crystals, some of which the others carry upward."""
    sampler = crystalsim.get("sampler", "random", cells=48, count=(14, 14), radius=(40.0, 100.0))
    return crystalsim.get("solver", "builtin").solve(sampler.sample(3, seed=5))


def panels(figure):
    return {axes.get_title(): axes for axes in figure.findobj(Axes)}


def texts(figure):
    found = [sub._supxlabel for sub in (figure, *figure.subfigs) if sub._supxlabel]
    return " ".join(text.get_text() for text in found)


def stars(figure):
    lines = figure.findobj(lambda artist: getattr(artist, "get_marker", str)() == "*")
    return [np.transpose(line.get_data()) for line in lines]


@pytest.mark.parametrize("beside", [True, False])
def test_stars_are_explained_and_at_crystals(crowd, beside):
    for sample in range(3):
        figure = plotting.plot_sample(crowd, crowd if beside else None, sample)
        assert "stars: minima of $v_z$ at crystals" in texts(figure)
        case = crowd.isel(sample=sample)
        found = stars(figure)
        assert len(found) == (2 if beside else 1)
        for x, z in 1e3 * np.concatenate(found):
            distance = np.hypot(case.crystal_x - x, case.crystal_z - z) / case.crystal_radius
            assert float(distance.min()) < 3
    none = plotting.plot_sample(solve([[]], viscosity=np.full((1, 32, 32), 1e20)))
    assert "stars" not in texts(none)


def test_crystals_are_discs_and_numbered_as_in_the_datasets(crowd):
    axes = panels(plotting.plot_sample(crowd))["crystals and stream lines"]
    assert not [artist for artist in axes.collections if isinstance(artist, QuadMesh)]
    discs = [patch for patch in axes.patches if isinstance(patch, Circle) and patch.get_fill()]
    assert [disc.center[0] for disc in discs] == pytest.approx(crowd.crystal_x.values[0] / 1e3)
    assert len({disc.get_facecolor() for disc in discs}) == 14
    assert [text.get_text() for text in axes.texts] == [str(k) for k in range(14)]
    motion = panels(plotting.plot_sample(crowd, crowd))["crystals' vertical velocity"]
    assert list(motion.lines[0].get_xdata()) == list(range(14))
    assert motion.get_ylabel().startswith("$v_z$ [")


def test_numbers_do_not_collide(crowd):
    for sample in range(3):
        scene = Scene.from_dataset(crowd, sample)
        figure = plotting.plot_sample(crowd, crowd, sample)
        axes = panels(figure)["crystals and stream lines"]
        FigureCanvasAgg(figure).draw()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
        wall = axes.get_window_extent()
        assert all(wall.x0 <= box.x0 and box.x1 <= wall.x1 for box in boxes)
        for k, (x, z) in enumerate(label_places(scene, 40.0)):
            gaps = np.hypot(scene.case.x - x, scene.case.z - z) - scene.case.radius
            assert gaps.argmin() == k
            assert gaps.min() > 0


def test_pressure_is_hidden_by_discs():
    axes = panels(plotting.plot_sample(solve([[{"x": 0.0, "z": 0.0, **CRYSTAL}]])))
    pressure = axes["pressure of the magma"]
    cover = max((p for p in pressure.patches if isinstance(p, Circle)), key=lambda p: p.radius)
    assert cover.get_facecolor() == to_rgba("white")
    (mesh,) = [c for c in pressure.collections if isinstance(c, QuadMesh)]
    corners, hidden = mesh.get_coordinates(), np.ma.getmaskarray(mesh.get_array())
    distance = np.hypot(corners[..., 0], corners[..., 1])
    farthest = np.max([distance[a : a + 32, b : b + 32] for a in (0, 1) for b in (0, 1)], axis=0)
    assert hidden.any()
    # No staircase: all cells without a value are wholly below the disc.
    assert farthest[hidden].max() <= cover.radius


def test_no_panel_of_a_solution_is_empty(crowd):
    body = np.where(
        np.hypot(*np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5)) < 6, 1e22, 1e20
    )
    for solution in (crowd, solve([[]], viscosity=body[None], density=2700 + body[None] / 1e20)):
        figure = plotting.plot_sample(solution)
        assert len([axes for axes in figure.axes if axes.get_title() and axes.has_data()]) == 6


def test_bodies_on_the_grid_are_drawn():
    grid = Grid(32, 32)
    inside = np.hypot(grid.x, grid.z[:, None] - 200.0) < 300.0
    density = np.where(inside, 3000.0, 2700.0)[None]
    cases = make_cases(None, grid, viscosity=np.where(inside, 1e22, 1e20)[None], density=density)
    solution = crystalsim.get("solver", "builtin").solve(cases)
    beside = plotting.plot_sample(solution, solution)
    for axes in [a for a in beside.findobj(Axes) if a.get_title() in ("reference", "error")]:
        lines = [c for c in axes.collections if isinstance(c, ContourSet)]
        assert len(lines) == 2  # of viscosity and density
        for line in lines:
            radius = np.hypot(*(line.get_paths()[0].vertices - (0.0, 0.2)).T)
            assert np.abs(radius - 0.3).max() < 0.07  # km, cells of 62.5 m
    assert "dashed line: density" in texts(beside)
    drawn = panels(solution.crystals.plot())
    assert "bodies and stream lines" in drawn
    assert "no crystals" in plotting.plot_sample(solution).get_suptitle()


def test_cases_alone(tmp_path, command, figures):
    grid = Grid(16, 16)
    density = np.full((2, 16, 16), 2700.0)
    density[1, 4:8] = 2800.0
    cases = make_cases([[{"x": 0.0, "z": 0.0, **CRYSTAL}], []], grid)
    crystalsim.save(cases, tmp_path / "cases.nc")
    done = command("plot", tmp_path / "cases.nc", "--output", tmp_path / "cases.png")
    assert done.status == 0, done.err
    for figure in (figures["cases.png"], cases.crystals.plot()):
        (disc,) = figure.axes[0].patches
        assert (disc.center, disc.radius) == ((0.0, 0.0), 0.12)
        assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x [km]", "z [km]")
    media = make_cases([[], []], grid, density=density).crystals.plot(1)
    (mesh,) = [c for c in media.axes[0].collections if isinstance(c, QuadMesh)]
    np.testing.assert_array_equal(np.reshape(mesh.get_array(), (16, 16)), density[1])
    assert media.axes[1].get_ylabel() == "density [kg m$^{-3}$]"
    with pytest.raises(SchemaError, match="sample 2: expected a position below 2"):
        cases.crystals.plot(2)
    with pytest.raises(SchemaError):
        cases.crystals.plot(0, cases)


ERROR = Metric("some error", "1", "made up", "low", PERCENT, role="primary")


def test_gallery_and_median_sample_agree_and_have_one_unit():
    flows = solve([[{"x": 0.0, "z": 100.0 * k, **CRYSTAL}] for k in range(4)], 16)
    flows = flows.assign(sample=[10, 11, 12, 13])
    # The first sample is a thousand times as slow.
    weak = flows.copy(deep=True)
    for name in ("velocity_x", "velocity_z", "stream_function", "pressure"):
        weak[name][0] *= 1e-3
    scores = {
        "made": make_scores(weak, {"error": np.array([0.1, 0.4, 0.2, 0.3])}, {"error": ERROR})
    }
    drawings = sample_drawings(weak, weak, scores, "model")
    gallery = drawings["gallery"]()
    (median,) = [a.get_ylabel() for a in gallery.axes if a.get_ylabel().startswith("median")]
    number = median.split("(sample ")[1].split(")")[0]
    assert drawings["sample_median"]().get_suptitle().startswith(f"Sample {number}:")
    units = {a.get_ylabel() for a in gallery.axes if a.get_ylabel().startswith("speed [")}
    assert len(units) == 1


@pytest.mark.parametrize("ends", [(1.1e-3, 2.4e-3), (0.5, 40.0), (0.97, 1.03), (1e-6, 1.0)])
def test_logarithmic_axes_have_three_ticks_at_least(ends):
    figure = plotting.plot_history(
        xr.Dataset({"training_loss": ("epoch", np.geomspace(*ends, 5))}, {"epoch": range(1, 6)})
    )
    axes = figure.axes[0]
    logarithmic(axes)
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 3


def test_powers_of_units_are_superscripts():
    metric = Metric("L2 of it", "m s-1", "made up", "low")
    assert plotting.axis_label(metric) == "L2 of it [m s$^{-1}$]"
    speed = Metric("speed", "m s-1", "made up", "low", Unit("µm/yr", 1e-6))
    assert plotting.axis_label(speed) == "speed [µm/yr]"


def test_bands_are_of_one_kind():
    reference = solve([[{"x": 0.0, "z": 50.0 * k, **CRYSTAL}] for k in range(8)], 16)
    values = np.linspace(0.1, 0.9, 8) ** 2
    scores = make_scores(reference, {"error": values}, {"error": ERROR})
    figure = plotting.plot_scores_by_count({"model": scores}, "error")
    band = figure.axes[0].collections[-1].get_paths()[0].vertices[:, 1]
    bounds = 100 * np.array(confidence_interval(values))
    assert (band.min(), band.max()) == pytest.approx(tuple(bounds))
    assert "bands: their 95 % confidence" in texts(figure)


def strata(properties):
    grid = Grid(8, 8)
    crystals = [[{"x": 0.0, "z": 0.0, **CRYSTAL, "radius": 300.0}] for _ in range(30)]
    reference = make_cases(crystals, grid)
    values = {"error": np.linspace(0.1, 0.2, 30)[:, None]}
    values |= {f"stratum_{k}": np.linspace(1, 2, 30)[:, None] for k in range(properties)}
    definitions = {"error": ERROR}
    definitions |= {n: Metric(n, "kg m-3", "made up", "none") for n in values if n != "error"}
    return {"model": make_scores(reference, values, definitions)}


@pytest.mark.parametrize("properties", [1, 2, 3, 4, 5, 6])
def test_no_panel_of_strata_is_empty(properties):
    figure = plot_strata(strata(properties), "error")
    full = [axes for axes in figure.axes if axes.has_data()]
    assert len(full) == properties
    left = [axes for axes in figure.axes if axes not in full]
    assert len(left) == (1 if properties == 5 else 0)
    assert all(axes.get_legend() and not axes.axison for axes in left)
    assert all(axes.get_xlabel() for axes in full)
    assert "[kg m$^{-3}$]" in full[0].get_xlabel()
    assert "bands: their 95 % confidence" in texts(figure)


def test_wave_numbers_say_what_they_count():
    reference = solve([[{"x": 0.0, "z": 0.0, **CRYSTAL}]], 16)
    wrong = reference.map(lambda a: 1.1 * a if "velocity" in str(a.name) else a, keep_attrs=True)
    scores = {"model": crystalsim.get("evaluator", "spectrum").evaluate(reference, wrong)}
    axes = plot_spectrum(scores).axes[0]
    assert axes.get_xlabel() == "wave number [cycles per kilometre]"
    np.testing.assert_allclose(
        axes.lines[0].get_xdata(), 1e3 * scores["model"]["wave_number"].values
    )
