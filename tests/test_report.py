"""The page about a run: whole, escaped, without anything from elsewhere."""

import html.parser
import re

import pytest
import xarray as xr

from crystalsim.config.run import resolve
from crystalsim.errors import StoreError
from crystalsim.reports import pages as report
from crystalsim.workflows import run as pipeline


class Page(html.parser.HTMLParser):
    """Collects what a page holds, and checks that tags are closed."""

    VOID = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links, self.cells = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a <b> & c"
    tables = {
        "samples": {"training": 2, "validation": 1, "test": 12},
        "sampler": {"cells": 16, "radius": [100.0, 200.0]},
        "model": {"plugin": "dilute"},
    }
    pipeline.run(resolve(tables), folder)
    return folder


def test_the_page_is_whole_and_needs_nothing_else(run):
    text = report.make_report(run)
    page = Page(text)
    assert page.seen.count("img") == len(list((run / "figures").glob("*.png"))) > 2
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b>" not in text
    # Columns, configuration, provenance, the scores of six evaluators that have means to tell, and
    # the inputs of one of them.
    assert page.seen.count("details") == 3 + 6 + 1


def test_results_and_worst_samples_are_told(run):
    page = Page(report.make_report(run))
    for name in ("dilute", "isoviscous"):
        assert name in page.cells
    results, worst, *others = tables(report.make_report(run))
    # The model, three more baselines, the solver and the prototype.
    assert len(results) == 1 + 6
    # Twelve samples were tested, ten are named.
    assert len(worst) == 1 + 10
    assert len(others) == 6 + 1
    # What the reference itself has stands beside what is measured with it.
    (distance,) = [r for t in others for r in t if r[:2] == ["alignment_distance", "dilute"]]
    scores = xr.load_dataset(run / "scores" / "crystals-dilute.nc")
    assert float(distance[-1]) == pytest.approx(
        float(scores["alignment_distance_reference"].mean()), rel=1e-3
    )
    judged = {row[0] for table in others if "worst" in table[0] for row in table}
    context = {row[0] for table in others if "worst" not in table[0] for row in table}
    assert "crystal_velocity_error" in judged and "stratum_gap" not in judged
    assert "stratum_gap" in context


def test_scores_are_told_with_their_intervals(run):
    found = [row for table in tables(report.make_report(run)) for row in table]
    (row,) = [r for r in found if r[:2] == ["relative_l2", "dilute"]]
    unit, mean, interval, _, _, worst, sample, _ = row[2:]
    assert unit == "%"
    low, high = map(float, interval.split(" .. "))
    assert low < float(mean) < high < float(worst)
    scores = xr.load_dataset(run / "scores" / "fields-dilute.nc")["relative_l2"]
    assert int(sample) == int(scores["sample"][int(scores.values.argmax())])


def tables(text):
    """Cells of all tables, headings first."""
    found = []
    for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
        found.append([[re.sub("<.*?>", "", cell) for cell in row] for row in cells])
    return found


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no finished run"):
        report.make_report(tmp_path)


def test_command(command, run):
    done = command("report", run)
    assert done.status == 0, done.err
    written = (run / "report.html").read_text(encoding="utf-8")
    assert Page(written).cells == Page(report.make_report(run)).cells
