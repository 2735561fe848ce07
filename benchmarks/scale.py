"""Many samples: rate, memory and file sizes with one process, two, and a local Dask cluster.

    python benchmarks/scale.py FOLDER --samples 1000 10000

Memory is the largest resident set of the process that shares out the work, and of any worker, as
Linux counts it; file sizes are those of all shards, not deflated.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

MODES = {
    "1 process": ("--workers", "1"),
    "2 processes": ("--workers", "2"),
    "2 Dask workers": ("--workers", "2", "--scheduler", "local"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=list(MODES))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    heads = ("samples", "mode", "s", "samples/s", "parent MiB", "worker MiB", "kB/sample")
    print("".join(f"{head:>16}" for head in heads), flush=True)
    for samples in given.samples:
        cases = given.folder / f"cases-{samples}.nc"
        draw = ["sample", "-n", samples, "-o", f"sampler.cells={given.cells}", "--output", cases]
        subprocess.run(_command(*draw), check=True, capture_output=True)
        for mode in given.modes:
            output = given.folder / "solutions"
            shutil.rmtree(output, ignore_errors=True)
            solve = _command("solve", cases, "--output", output, *MODES[mode])
            seconds, parent, worker = _watch(solve)
            size = sum(path.stat().st_size for path in output.glob("shard-*.nc"))
            row = (samples, mode, f"{seconds:.1f}", f"{samples / seconds:.1f}")
            row += (f"{parent:.0f}", f"{worker:.0f}", f"{size / samples / 1000:.1f}")
            print("".join(f"{cell:>16}" for cell in row), flush=True)
            shutil.rmtree(output)


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "crystalsim", "--quiet", *map(str, arguments)]


def _watch(command: list[str]) -> tuple[float, float, float]:
    """Run a command; gives its time [s] and the peak memory of itself and of a child [MiB]."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for pid in (process.pid, *_descendants(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0.0), _peak(pid))
        time.sleep(0.5)
    if process.returncode:
        sys.exit(process.returncode)
    seconds = time.perf_counter() - start
    workers = [peak for pid, peak in peaks.items() if pid != process.pid]
    return seconds, peaks[process.pid], max(workers, default=0.0)


def _descendants(pid: int) -> list[int]:
    found: list[str] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):  # of each thread
        with contextlib.suppress(OSError):
            found += children.read_text().split()
    return [child for first in map(int, found) for child in (first, *_descendants(first))]


def _peak(pid: int) -> float:
    """Largest resident set so far [MiB]."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
