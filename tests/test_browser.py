"""The report in a real browser: no errors, nothing wider than the screen, tables that sort."""

import json
import re
import shutil
import subprocess

import pytest

from crystalsim.config.run import resolve
from crystalsim.reports import pages as report
from crystalsim.workflows import run as pipeline

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

PROBE = """<script>
addEventListener("load", function () {
  var table = document.querySelector("table");
  var column = function (k) {
    return Array.from(table.tBodies[0].rows).map(function (r) { return r.cells[k].textContent; });
  };
  table.querySelectorAll("th button")[1].click();
  var up = column(1);
  table.querySelectorAll("th button")[1].click();
  var seen = {
    inner: innerWidth, wide: document.documentElement.scrollWidth, up: up, down: column(1),
    figures: Array.from(document.querySelectorAll("figure")).map(function (f) {
      var box = f.getBoundingClientRect();
      return [box.top + scrollY, box.left, box.right];
    }),
    images: Array.from(document.images).map(function (i) { return i.naturalWidth; }),
  };
  document.title = "PROBE" + JSON.stringify(seen) + "PROBE";
});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    tables = {
        "samples": {"training": 2, "validation": 1, "test": 12},
        "sampler": {"cells": 16, "radius": [100.0, 200.0]},
        "model": {"plugin": "dilute"},
    }
    pipeline.run(resolve(tables), folder / "run")
    path = folder / "report.html"
    path.write_text(report.make_report(folder / "run").replace("</body>", PROBE + "</body>"))
    return path


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [1280, 400])
def test_report_in_a_browser(page, width, tmp_path):
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--enable-logging=stderr",
            f"--window-size={width},900",
            "--virtual-time-budget=5000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    seen = json.loads(re.search(r"PROBE(\{.*\})PROBE", done.stdout)[1].replace("&amp;", "&"))
    # Headless Chromium has windows of 500 px at least.
    assert seen["inner"] <= max(width, 500)
    assert seen["wide"] <= seen["inner"]
    assert min(seen["images"]) > 100
    # Figures fill the page: of two columns at most one place, that of an odd one, is left.
    rows: dict[float, list[list[float]]] = {}
    for top, left, right in seen["figures"]:
        rows.setdefault(round(top), []).append([left, right])
    spans = [max(r for _, r in row) - min(left for left, _ in row) for row in rows.values()]
    assert len(spans) > 3
    assert sum(span < 0.9 * seen["inner"] for span in spans) <= (width > 700)
    numbers = [float(text) for text in seen["up"] if text != "-"]
    assert len(numbers) > 3
    assert numbers == sorted(numbers)
    assert [float(text) for text in seen["down"] if text != "-"] == numbers[::-1]
