"""What is said of crystals and gaps that a grid does not resolve."""

import numpy as np
import pytest

from crystalsim import Grid, make_cases
from crystalsim.datasets.resolution import describe_unresolved, resolution


def disc(x, z, radius=100):
    return {"x": x, "z": z, "radius": radius, "density": 2900, "viscosity": 1e24}


def test_sizes_are_in_cells():
    cases = make_cases([[disc(0, 0), disc(260, 0, 50)], [disc(0, -880)], []], Grid(40, 20))
    sizes = resolution(cases)
    assert sizes.smallest_radius.values.tolist() == [0.5, 1.0, np.inf]
    assert sizes.smallest_gap.values == pytest.approx([1.1, np.inf, np.inf])
    assert sizes.smallest_wall_gap.values == pytest.approx([6.9, 0.2, np.inf])


def test_one_line_names_the_worst_sample_its_size_and_the_cell():
    cases = make_cases([[disc(0, 0)], [disc(0, 0), disc(202, 0)]], Grid(40, 40))
    cases["sample"] = [7, 9]
    text = describe_unresolved([cases, cases])
    assert "2 of 4 samples" in text
    assert "sample 9: a gap between crystals is 2 m, a cell 50 m" in text


def test_nothing_is_said_of_what_is_resolved():
    assert not describe_unresolved([make_cases([[disc(0, 0)], []], Grid(40, 40))])
