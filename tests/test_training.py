"""The training loop: killed, resumed, stopped early, streamed, in a team."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import crystalsim
import crystalsim.storage.netcdf
from crystalsim.learning.distributed import Team
from crystalsim.learning.streaming import make_groups

OPTIONS = {"width": 4, "levels": 2, "epochs": 3, "batch_size": 4, "device": "cpu"}

TRAIN = """
import json, sys, torch, crystalsim
from pathlib import Path
torch.set_num_threads(1)
name, data, folder, options = sys.argv[1:5]
solutions = crystalsim.open(data).load()
model = crystalsim.get("model", name, **json.loads(options))
history = model.fit(solutions, solutions, seed=5, folder=Path(folder))
if crystalsim.runtime.processes.is_chief():
    Path(folder).mkdir(exist_ok=True)
    model.save(Path(folder))
    print(json.dumps(history.training_loss.values.tolist()))
""".replace("crystalsim\nfrom", "crystalsim, crystalsim.runtime.processes\nfrom")


def train(name, data, folder, launcher=(), **options):
    """Arguments of a process that trains with one thread."""
    table = json.dumps({**OPTIONS, **options})
    script = folder.parent / "train.py"
    script.write_text(TRAIN)
    program = [*launcher, str(script)] if launcher else [sys.executable, str(script)]
    return [*program, name, str(data), str(folder), table]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CRYSTALSIM_QUIET": "1"}


def run(arguments):
    done = subprocess.run(
        arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def solutions():
    cases = crystalsim.get("sampler", "random", cells=16, radius=(100, 200)).sample(22, seed=1)
    return crystalsim.get("solver", "builtin").solve(cases)


@pytest.fixture(scope="module")
def file(solutions, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "solutions.nc"
    crystalsim.save(solutions, path)
    return path


def unet(**options):
    return crystalsim.get("model", "unet", **{**OPTIONS, **options})


def weights(folder):
    return torch.load(folder / "weights.pt", weights_only=True)


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize(
    ("name", "kills", "epochs"),
    [
        ("unet", 2, 12),
        pytest.param("unet", 20, 120, marks=pytest.mark.slow),
        pytest.param("polarization", 2, 12, marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_steps_and_resumed_gives_the_same_bits(
    name, kills, epochs, file, tmp_path
):
    """SIGKILL at random moments, in the middle of epochs."""
    options = {"epochs": epochs, "checkpoint_seconds": 0.0}
    if name == "polarization":
        options = {**options, "width": 4, "geometry_width": 4, "layers": 1, "steps": 2}
    extra = {} if name == "unet" else {"levels": None}
    table = {k: v for k, v in {**OPTIONS, **options, **extra}.items() if v is not None}
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def arguments(folder):
        made = train(name, file, folder)
        return [*made[:-1], json.dumps(table)]

    expected = run(arguments(whole))
    random = np.random.default_rng(3)
    positions = []
    for _ in range(kills):
        process = subprocess.Popen(arguments(cut), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        state = cut / "training.pt"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.2))
        assert process.poll() is None, "it was faster than the kills: train longer"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = torch.load(state, weights_only=True)
        positions.append((len(json.loads(kept["history"])), kept["position"]))
    assert run(arguments(cut)) == expected
    assert_same(weights(whole), weights(cut))
    assert any(0 < done * 6 + position < epochs * 6 for done, position in positions), positions


def test_early_stopping(solutions):
    """A learning rate that is too small to change anything: no better after the first epoch."""
    model = unet(epochs=9, patience=2, learning_rate=1e-12)
    history = model.fit(solutions, solutions, seed=0)
    assert history.sizes["epoch"] < 9
    patient = unet(epochs=4, patience=9, learning_rate=1e-12).fit(solutions, solutions, seed=0)
    assert patient.sizes["epoch"] == 4


def test_weights_of_some_epochs_and_the_last_are_kept(solutions, tmp_path):
    model = unet(epochs=5, keep_every=2)
    model.fit(solutions, solutions, seed=0, folder=tmp_path)
    assert sorted(p.name for p in (tmp_path / "epochs").iterdir()) == ["0002.pt", "0004.pt"]
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    assert last.keys() == model.network.state_dict().keys()
    again = unet(epochs=5, keep_every=0)
    again.fit(solutions, solutions, seed=0, folder=tmp_path)  # nothing is left to do
    assert_same(again.network.state_dict(), model.network.state_dict())


def test_streamed_data_train_the_same_bits(solutions, tmp_path):
    whole, streamed = unet(), unet(memory=1e-6)
    whole.fit(solutions, solutions, seed=2)
    streamed.fit(solutions, solutions, seed=2, folder=tmp_path)
    assert (tmp_path / "training-0-velocity_x.bin").is_file()
    assert_same(whole.network.state_dict(), streamed.network.state_dict())


def test_streamed_tensors_are_files(solutions, tmp_path):
    (plain,) = make_groups([solutions], None, 1e-6, "x")
    (streamed,) = make_groups([solutions], tmp_path, 1e-6, "x")
    for ours, theirs in zip(plain.batch, streamed.batch, strict=True):
        assert torch.equal(ours, theirs)
    assert plain.spacing == streamed.spacing
    assert len(list(tmp_path.iterdir())) == len(plain.batch)


def test_shards_are_read_as_needed_and_train_as_one_file(solutions, tmp_path):
    """Shards may hold different numbers of crystals; groups are those of the whole data set."""
    parts = [solutions.isel(sample=slice(a, a + 8)) for a in range(0, 22, 8)]
    counts = [int(part.crystal_count.max()) for part in parts]
    files = []
    for number, (part, count) in enumerate(zip(parts, counts, strict=True)):
        files.append(tmp_path / f"{number}.nc")
        crystalsim.save(part.isel(crystal=slice(count)), files[-1])
    lazy = [crystalsim.storage.netcdf.open_parts(file, "solutions")[0] for file in files]
    assert not lazy[0].velocity_x.variable._in_memory
    (whole,) = make_groups([solutions], None, 1.0, "x")
    (joined,) = make_groups(lazy, tmp_path / "files", 1e-6, "x")
    for ours, theirs in zip(whole.batch, joined.batch, strict=True):
        assert torch.equal(ours, theirs)
    assert not lazy[0].velocity_x.variable._in_memory


@pytest.mark.parametrize("name", ["unet", "polarization"])
def test_mixed_precision_is_near_single(name, solutions):
    options = {**OPTIONS, "width": 8}
    if name == "polarization":
        options.pop("levels")
    errors = []
    for precision in ("single", "mixed"):
        model = crystalsim.get("model", name, **options, precision=precision)
        history = model.fit(solutions, solutions, seed=0)
        errors.append(float(history.validation_relative_l2[-1]))
        assert model.predict(solutions).velocity_x.dtype == np.float64
    assert errors[0] != errors[1]
    assert errors[1] == pytest.approx(errors[0], rel=0.3)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_train_as_one(file, tmp_path):
    """`torchrun` with gloo; 22 samples in batches of 4 leave an odd last batch."""
    alone = run(train("unet", file, tmp_path / "alone"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launcher += ["--master-port", str(29000 + os.getpid() % 1000)]
    together = run(train("unet", file, tmp_path / "together", launcher))
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    ours, theirs = weights(tmp_path / "together"), weights(tmp_path / "alone")
    for key, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[key], rtol=1e-3, atol=1e-4)


def test_a_minibatch_is_shared_out_whole():
    members = [Team() for _ in range(3)]
    for rank, member in enumerate(members):
        member.rank, member.size = rank, 3
    index = torch.arange(10, 15)
    assert torch.equal(torch.cat([m.share(index) for m in members]), index)
    assert [len(m.share(torch.arange(1))) for m in members] == [1, 0, 0]


def test_time_of_calls_that_were_cut_off_counts(solutions, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(epoch, metrics):
        time.sleep(0.5)
        if epoch == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        unet().fit(solutions, solutions, folder=tmp_path, on_epoch=stop)
    # What was kept when the second epoch ended knows of the first half second.
    history = unet().fit(solutions, solutions, folder=tmp_path)
    assert 0.5 < history.attrs["earlier_training_time"] < 60
