"""Crystals come as they are listed, and mistakes are named with file and line."""

import pytest

import crystalsim
from crystalsim.errors import CrystalsimError, OptionError, PlacementError
from crystalsim.testing import SamplerContract

ONE = {"x": -300, "z": 400, "radius": 40, "density_contrast": 200, "viscosity_contrast": 1e4}
TWO = {"x": 300, "z": 600, "radius": 50, "density": 2950, "viscosity": 1e24}


class TestContract(SamplerContract):
    name = "list"
    is_random = False
    options = {
        "crystals": (ONE, TWO, {**ONE, "sample": 1}, {**TWO, "sample": 2}),
        "cells": 16,
    }


def test_values_are_taken_as_they_are():
    cases = crystalsim.get("sampler", "list", crystals=[ONE, TWO]).sample()
    assert cases.crystal_count == 2
    assert cases.crystal_density.values[0].tolist() == [2900, 2950]
    assert cases.crystal_viscosity.values[0].tolist() == [1e24, 1e24]


HEADER = "sample,x,z,radius,density,viscosity\n"


def from_file(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return crystalsim.get("sampler", "list", file=str(tmp_path / name))


def test_csv(tmp_path):
    sampler = from_file(tmp_path, "c.csv", HEADER + "0,0,0,50,2900,1e24\n1,0,0,60,2900,1e24\n")
    assert sampler.sample().crystal_radius.values.ravel().tolist() == [50, 60]


def test_csv_of_a_spreadsheet(tmp_path):
    """A byte-order mark, spaces, an empty line and numbers of samples out of order."""
    rows = "2, 0,0,60,2900,1e24\n,,,,,\n0,0,0,50,2900,1e24\n"
    cases = from_file(tmp_path, "c.csv", "\ufeff" + HEADER.replace(",", ", ") + rows).sample()
    assert cases.crystal_count.values.tolist() == [1, 0, 1]
    assert cases.crystal_radius.values[[0, 2], 0].tolist() == [50, 60]


def test_toml(tmp_path):
    text = "[[crystals]]\nx = 0\nz = 0\nradius = 70\ndensity = 2800\nviscosity = 1e23\n"
    assert from_file(tmp_path, "c.toml", text).sample().crystal_radius == 70


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.csv", HEADER + "0,0,zero,50,2900,1e24\n", "c.csv, line 2: z = 'zero'"),
        ("c.csv", HEADER + "0,0,0,,2900,1e24\n", "line 2: 'radius' is missing"),
        ("c.csv", "x,z,raduis\n0,0,3\n", "unknown 'raduis'; did you mean 'radius'"),
        ("c.csv", HEADER + "-1,0,0,50,2900,1e24\n", "sample = '-1'"),
        ("c.csv", HEADER + "0,0,0,50,nan,1e24\n", "density = 'nan'"),
        ("c.csv", HEADER + "0,0,0,50,2900,-1\n", "crystal_viscosity = -1"),
        ("c.csv", HEADER + "0,0,0,1500,2900,1e24\n", "reaches outside the domain"),
        ("c.csv", HEADER + "0,0,0,50,2900,1e24\n0,10,0,50,2900,1e24\n", "0 and 1 overlap by 90 m"),
        ("c.csv", HEADER + "0,0,0,-50,2900,1e24\n", "line 2: radius = -50; expected a positive"),
        ("c.csv", HEADER + "0,0,0,50,2900,1e24,9\n", "line 2: 7 values for 6 columns"),
        ("c.csv", "x,x,z\n0,1,2\n", "line 1: column 'x' occurs more than once"),
        ("c.csv", HEADER, "c.csv: lists no crystals"),
        ("c.csv", "", "c.csv: lists no crystals"),
        ("c.txt", HEADER, "ends in .csv or .toml"),
        ("c.toml", "crystals = 3\n", r"expected \[\[crystals\]\] tables"),
        ("c.toml", "x = = 3\n", "c.toml"),
    ],
)
def test_mistakes_are_named(tmp_path, name, text, message):
    with pytest.raises(CrystalsimError, match=message):
        from_file(tmp_path, name, text).sample()


def test_missing_file():
    with pytest.raises(CrystalsimError, match=r"nowhere.csv: No such file"):
        crystalsim.get("sampler", "list", file="nowhere.csv").sample()


def test_more_than_there_are():
    with pytest.raises(PlacementError, match="lists 1 samples, 5 were asked for"):
        crystalsim.get("sampler", "list", crystals=[ONE]).sample(5)


def test_either_crystals_or_file():
    with pytest.raises(OptionError, match="either 'crystals' or 'file'"):
        crystalsim.get("sampler", "list")
