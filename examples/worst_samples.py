"""Why are the worst samples the worst? Scores of a run, sorted by what may explain them.

Usage: python worst_samples.py RUN [MODEL]

where RUN is the folder of a finished run, such as that of ``crystalsim run --output RUN``, and
MODEL one of its baselines; without it, the model that the run trained.
"""

import sys
import tomllib
from pathlib import Path

import numpy as np
import xarray as xr


def explain(run: str | Path, model: str = "") -> dict[str, float]:
    """Rank correlation of each crystal's error with its properties, and print the worst ones."""
    if not model:
        config = tomllib.loads((Path(run) / "config.toml").read_text(encoding="utf-8"))
        model = config["model"]["plugin"]
    path = Path(run) / "scores" / f"strata-{model}.nc"
    if not path.is_file():
        sys.exit(f"{path}: no scores of '{model}' by the evaluator 'strata'")
    with xr.open_dataset(path) as scores:
        table = scores.stack(place=("sample", "crystal")).dropna("place", subset=["local_error"])
        table = table.sortby("local_error", ascending=False)
    print(f"{model}: {table.sizes['place']} crystals\n  sample  crystal  error %   gap m")
    for place in table["place"].values[:5]:
        worst = table.sel(place=place)
        error, gap = 100 * float(worst["local_error"]), float(worst["stratum_gap"])
        print(f"  {place[0]:6}  {place[1]:7}  {error:7.3g}  {gap:6.4g}")
    correlations = {}
    for name in (str(n) for n in table.data_vars if str(n).startswith("stratum_")):
        values, errors = table[name].values, table["local_error"].values
        here = np.isfinite(values)
        if np.unique(values[here]).size > 1:
            ranks = [np.argsort(np.argsort(v[here])) for v in (values, errors)]
            correlations[name] = float(np.corrcoef(*ranks)[0, 1])
            print(
                f"  {table[name].attrs['long_name']:32} rank correlation {correlations[name]:+.2f}"
            )
    return correlations


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    explain(*sys.argv[1:])
