"""Figures show the numbers of the datasets, and say clearly what they cannot draw."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.image import imread
from matplotlib.patches import Circle

from crystalsim import Grid, make_cases, make_solutions, plotting
from crystalsim.errors import SchemaError, StoreError
from crystalsim.evaluation.scores import make_scores
from crystalsim.metrics import PERCENT, Metric
from crystalsim.plotting.style import velocity_unit
from crystalsim.stokes.operators import velocity

YEAR = 365.25 * 86400


def solutions(counts=(2, 1, 0), amplitude=1.0, grid=None, stream_function=True):
    """Vortices, each sample stronger than the last, with crystals in a row."""
    grid = grid or Grid(16, 12, -1000, 1000, -500, 1000)
    crystals = [
        [
            {"x": -800.0 + 70 * k, "z": 0.0, "radius": 30.0, "density": 2900.0, "viscosity": 1e24}
            for k in range(count)
        ]
        for count in counts
    ]
    across = np.sin(np.pi * (grid.x_face - grid.x_min) / grid.width)
    up = np.sin(np.pi * (grid.z_face - grid.z_min) / grid.height)
    strength = amplitude * 1e-10 * (1 + np.arange(len(counts)))
    psi = strength[:, None, None] * up[:, None] * across
    vx, vz = velocity(psi, grid.hx, grid.hz)
    fields = {"velocity_x": vx, "velocity_z": vz}
    if stream_function:
        fields["stream_function"] = psi
    return make_solutions(make_cases(crystals, grid), fields)


def scores(values, counts, name="relative_l2", units="1"):
    reference = solutions(counts)
    shown = PERCENT if units == "1" else None
    definition = {name: Metric("some error", units, "made up", "low", shown, role="primary")}
    return make_scores(reference, {name: np.asarray(values)}, definition)


def meshes(figure):
    """Drawn fields, without the colour bars (which are one column wide)."""
    panels = figure.findobj(matplotlib.axes.Axes)
    drawn = [c for axes in panels for c in axes.collections if isinstance(c, QuadMesh)]
    return [mesh for mesh in drawn if mesh.get_coordinates().shape[1] > 2]


def pixels(path):
    """Read the image back: it is no blank page."""
    image = imread(path)
    assert image[..., :3].std() > 0.05
    return image.shape[:2]


def test_sample_alone(tmp_path):
    data = solutions()
    figure = plotting.plot_sample(data, sample=0)
    plotting.save_figure(figure, tmp_path / "new" / "figure.png", resolution=60)
    assert min(pixels(tmp_path / "new" / "figure.png")) > 200
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["figure.png"]
    titles = [axes.get_title() for axes in figure.axes]
    assert {"horizontal velocity", "vertical velocity", "speed"} <= set(titles)
    drawn = figure.axes[titles.index("vertical velocity")].collections[0].get_array()
    expected = data["velocity_z"].values[0] * YEAR * 1e6
    np.testing.assert_allclose(drawn.reshape(expected.shape), expected)
    labels = {axes.get_ylabel() for axes in figure.axes}
    assert "$v_z$ [µm/yr]" in labels
    assert "z [km]" in labels


def test_comparison_shares_scales_and_shows_the_error():
    reference, prediction = solutions(), solutions(amplitude=1.1)
    figure = plotting.plot_sample(reference, prediction, 1, name="guess")
    fields = meshes(figure)
    assert "guess 10 % off" in figure.get_suptitle()
    panels = {axes.get_title(): axes for axes in figure.findobj(matplotlib.axes.Axes)}
    true, guess = (panels[n].collections[0] for n in ("reference", "guess"))
    assert true.get_clim() == guess.get_clim()
    assert true.get_clim()[0] == -true.get_clim()[1]
    errors = [
        mesh for mesh in fields if mesh.get_clim() == panels["error"].collections[0].get_clim()
    ]
    assert len(errors) == 3
    largest = max(np.abs(mesh.get_array()).max() for mesh in errors)
    # 10 % of a component's largest value; the speed at cell centres peaks a little lower.
    speed = np.hypot(
        reference["velocity_x"].values[1, :, 1:] + reference["velocity_x"].values[1, :, :-1],
        reference["velocity_z"].values[1, 1:] + reference["velocity_z"].values[1, :-1],
    ).max() / 2  # fmt: skip
    top = max(np.abs(reference[n].values[1]).max() for n in ("velocity_x", "velocity_z"))
    assert largest == pytest.approx(10 * top / speed)


def test_crystals_are_where_they_are():
    figure = plotting.plot_sample(solutions((3,)))
    circles = [p for p in figure.axes[0].patches if isinstance(p, Circle)]
    assert [c.center for c in circles] == [pytest.approx((-0.8 + 0.07 * k, 0.0)) for k in range(3)]
    assert {c.radius for c in circles} == {0.03}
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 25])
def test_any_number_of_crystals(count, tmp_path):
    data = solutions((count,))
    figure = plotting.plot_sample(data, data)
    plotting.save_figure(figure, tmp_path / "a.png", resolution=40)
    pixels(tmp_path / "a.png")
    assert len([p for p in figure.axes[0].patches if isinstance(p, Circle)]) == count


@pytest.mark.filterwarnings("error")
def test_still_and_failed_flows_can_be_drawn(tmp_path):
    reference = solutions((2,))
    still = solutions((2,), amplitude=0.0)
    failed = reference.map(lambda a: a * np.nan if a.name == "velocity_x" else a, keep_attrs=True)
    for k, (one, other) in enumerate([(still, still), (reference, failed)]):
        figure = plotting.plot_sample(one, other)
        plotting.save_figure(figure, tmp_path / f"{k}.png", resolution=40)
        pixels(tmp_path / f"{k}.png")


def test_wide_grid_and_integrated_stream_lines(tmp_path):
    data = solutions((2,), grid=Grid(40, 10, -2000, 2000, -500, 500), stream_function=False)
    plotting.save_figure(plotting.plot_sample(data), tmp_path / "a.png", resolution=60)
    rows, columns = pixels(tmp_path / "a.png")
    assert columns > rows


def test_what_cannot_be_compared():
    with pytest.raises(SchemaError, match="sample 3: expected a position below 3"):
        plotting.plot_sample(solutions(), sample=3)
    with pytest.raises(SchemaError, match="cannot compare"):
        plotting.plot_sample(solutions(), solutions((2, 1)))


@pytest.mark.parametrize(
    ("largest", "label"),
    [
        (1e-7, "m/yr"),
        (1e-10, "mm/yr"),
        (8e-14, "µm/yr"),
        (5e-17, "nm/yr"),
        (1.0, "m/s"),
        (0, "m/s"),
    ],
)
def test_velocity_unit(largest, label):
    unit = velocity_unit(largest)
    assert unit.label == label
    if label != "m/s":
        assert 1 <= largest / unit.size < 1000


def test_order_by_error():
    found = scores([0.3, np.nan, 0.1], (1, 2, 3))
    other = found.rename(relative_l2="x")
    other["x"].attrs = {**other["x"].attrs, "role": ""}
    assert plotting.by_error({"other": other, "fields": found}) == [2, 0]
    assert plotting.by_error({"fields": found}, "absent") is None
    assert plotting.by_error({"fields": scores([np.nan], (1,))}) is None


def test_scores_by_count():
    counts = (1, 1, 2, 2)
    found = {"good": scores([0.01, 0.03, 0.2, 0.4], counts), "bad": scores([0.5] * 4, counts)}
    figure = plotting.plot_scores_by_count(found, "relative_l2")
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["good"].get_ydata(), [2, 30])
    np.testing.assert_allclose(np.round(lines["good"].get_xdata()), [1, 2])
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "some error [%]"
    assert lines["good"].get_color() != lines["bad"].get_color()


def test_scores_of_crystals_leave_out_padding():
    values = [[0.1, 0.3], [0.2, np.nan]]
    found = scores(values, (2, 1), "alignment_distance", "m")
    figure = plotting.plot_scores_by_count({"model": found}, "alignment_distance")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.2])
    assert axes.get_ylabel() == "some error [m]"
    assert axes.get_yscale() == "linear"


def test_scores_that_are_not_there():
    found = scores([0.1], (1,))
    with pytest.raises(SchemaError, match="scores of 'unet': 'r2' is missing"):
        plotting.plot_scores_by_count({"unet": found}, "r2")
    with pytest.raises(SchemaError, match="'crystal_count' is missing"):
        plotting.plot_scores_by_count({"unet": found.drop_vars("crystal_count")}, "relative_l2")
    with pytest.raises(SchemaError, match="expected a finite value"):
        plotting.plot_scores_by_count({"unet": scores([np.nan], (1,))}, "relative_l2")


def test_gallery_picks_best_median_and_worst():
    reference, prediction = solutions((1, 1, 1, 1, 1)), solutions((1, 1, 1, 1, 1), 1.2)
    error = scores([0.5, 0.1, np.nan, 0.3, 0.9], (1, 1, 1, 1, 1))["relative_l2"]
    figure = plotting.plot_gallery(reference, prediction, error)
    labels = [axes.get_ylabel() for axes in figure.axes if "(sample" in axes.get_ylabel()]
    assert [label.split("\n")[:2] for label in labels] == [
        ["best: 10 %", "(sample 1)"],
        ["median: 30 %", "(sample 3)"],
        ["worst: 90 %", "(sample 4)"],
    ]
    with pytest.raises(SchemaError, match="some of them finite"):
        plotting.plot_gallery(reference, prediction, error.where(error > 1))


def history(epochs):
    index = np.arange(1, epochs + 1)
    values = {
        "training_loss": 0.5**index,
        "validation_loss": 0.6**index,
        "validation_relative_l2": np.abs(index - 2.5) + 0.1 * index,
        "learning_rate": np.full(epochs, 1e-3),
    }
    return xr.Dataset(
        {name: ("epoch", array, {"units": "1"}) for name, array in values.items()},
        coords={"epoch": index},
    )


@pytest.mark.parametrize("epochs", [1, 6])
def test_history(epochs):
    data = history(epochs)
    figure = plotting.plot_history(data)
    losses, error, rate = figure.axes
    for line, name in zip(losses.lines, ("training_loss", "validation_loss"), strict=False):
        assert line.get_label() == name.replace("_", " ")
        np.testing.assert_array_equal(line.get_ydata(), data[name])
    best = error.lines[-1]
    assert float(best.get_xdata()[0]) == min(epochs, 2)
    assert f"epoch {min(epochs, 2)}" in best.get_label()
    assert rate.get_ylabel() == "learning rate"


def test_history_without_epochs():
    with pytest.raises(SchemaError, match="one epoch"):
        plotting.plot_history(history(0))


def test_files(tmp_path):
    figure = plotting.plot_history(history(3))
    plotting.save_figure(figure, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(StoreError, match=r"a\.docx: '\.docx' is no format of figures"):
        plotting.save_figure(figure, tmp_path / "a.docx")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        plotting.save_figure(figure, tmp_path / "file" / "a.png")


def test_settings_of_the_user_are_left_alone_and_do_not_matter(tmp_path):
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        figure = plotting.plot_sample(solutions())
        assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].title.get_fontsize() == 9


def test_no_torch():
    probe = "import sys, crystalsim.plotting; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
