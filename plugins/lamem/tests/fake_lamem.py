"""A small LaMEM: reads the input, solves the same equations, and writes logs and files like it.

Written without anything of the package, so that the two check each other: markers one by one, a
sparse solve for velocity and pressure, means on nodes. The variable FAKE_LAMEM makes it
misbehave, as ``crash`` or, for inputs with two cylinders alone, ``crash:2``.
"""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

VERSION = os.environ.get("FAKE_VERSION", "2.2.1")
PIECES = int(os.environ.get("FAKE_PIECES", "1"))
RULE = "-" * 74


def read(text):
    """Keys of the file, and lists of blocks."""
    blocks = {}
    for name, body in re.findall(r"<(\w+)Start>\n(.*?)<\1End>", text, re.DOTALL):
        blocks.setdefault(name, []).append(
            dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", body, re.M))
        )
    plain = re.sub(r"<(\w+)Start>\n.*?<\1End>", "", text, flags=re.DOTALL)
    return dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", plain, re.M)), blocks


def mode(blocks):
    name, _, only = os.environ.get("FAKE_LAMEM", "").partition(":")
    count = len(blocks.get("Cylinder", []))
    return name if not only or int(only) == count else ""


def fail(message):
    print(f"[0]PETSC ERROR: {'-' * 20} Error Message {'-' * 20}")
    print(f"[0]PETSC ERROR: {message}")
    sys.exit(83)


def main():
    keys, blocks = read(Path(sys.argv[sys.argv.index("-ParamFile") + 1]).read_text())
    behaviour = mode(blocks)
    with Path("started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if behaviour != "no_version":
        print(RULE, "\n     Version :", VERSION, "\n" + RULE, flush=True)
    major = int(VERSION.split(".")[0])
    if major >= 3 and int(keys["nel_y"]) < 2:
        fail("Less than two cells are specified in the y - direction")
    if "Cylinder" not in blocks:  # only asked for the version
        return
    if behaviour == "crash":
        fail("Zero pivot in LU factorization")
    if behaviour == "sleep":
        time.sleep(600)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        with Path("started").open("a") as file:
            file.write(f"{child.pid}\n")
        time.sleep(600)
    solver = blocks["SolverOptions"][0] if major >= 3 else keys
    if solver.get("stokes_solver" if major >= 3 else "SolverType") not in (
        "coupled_direct",
        "coupled_mg",
        "direct",
        "multigrid",
    ):
        fail("no solver was chosen")
    if behaviour == "not_converged":
        print("    Linear js_ solve did not converge due to DIVERGED_ITS iterations 1")
    else:
        print("  0 SNES Function norm 1.0e+03")
        print("    Linear js_ solve converged due to CONVERGED_RTOL iterations 2")
    residual = {"residual": "3.0e+06", "residual_nan": "nan"}.get(behaviour, "1.0e-09")
    print(f"      |mRes|_2  = {residual}")
    if behaviour != "no_step":
        write(keys, *solve(keys, blocks, behaviour), behaviour)
    if behaviour != "unfinished":
        print("=========================== SOLUTION IS DONE! ============================")


def solve(keys, blocks, behaviour):
    """Velocity (m/s), pressure (Pa) and means of the media, on nodes."""
    import numpy as np
    import scipy.sparse as sp
    from scipy.sparse.linalg import splu

    def numbers(text):
        return [float(word) for word in text.split()]

    nx, nz = int(keys["nel_x"]), int(keys["nel_z"])
    m = int(keys["nmark_x"])
    (x0, x1), (z0, z1) = ([1e3 * v for v in numbers(keys[f"coord_{a}"])] for a in "xz")
    hx, hz = (x1 - x0) / nx, (z1 - z0) / nz
    materials = {int(b["ID"]): (float(b["rho"]), float(b["eta"])) for b in blocks["Material"]}
    if behaviour == "wrong_density":
        materials[0] = (materials[0][0] + 1.0, materials[0][1])
    if behaviour == "wrong_viscosity":
        materials[1] = (materials[1][0], materials[1][1] * 2)
    gravity = -numbers(keys["gravity"])[2]
    i, k = np.meshgrid(np.arange(nx * m), np.arange(nz * m))
    x, z = x0 + hx * (i + 0.5) / m, z0 + hz * (k + 0.5) / m
    phase = np.zeros(x.shape, dtype=int)
    for block in blocks["Cylinder"]:
        cx, _, cz = (1e3 * v for v in numbers(block["base"]))
        radius = 0.0 if behaviour == "no_radius" else 1e3 * float(block["radius"])
        phase[np.hypot(x - cx, z - cz) <= radius] = int(block["phase"])
    rho, eta = (np.vectorize({p: v[n] for p, v in materials.items()}.get)(phase) for n in (0, 1))

    def mean(values, rows, columns, dx, dz, shape):
        weight = (1 - np.abs(dx) / hx) * (1 - np.abs(dz) / hz)
        total, norm = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (rows, columns), weight * values)
        np.add.at(norm, (rows, columns), weight)
        return total / norm

    ci, ck = i // m, k // m
    to_cell = (ck, ci, x - x0 - hx * (ci + 0.5), z - z0 - hz * (ck + 0.5), (nz, nx))
    ni, nk = np.rint((x - x0) / hx).astype(int), np.rint((z - z0) / hz).astype(int)
    to_node = (nk, ni, x - x0 - hx * ni, z - z0 - hz * nk, (nz + 1, nx + 1))
    eta_cell, rho_cell = mean(eta, *to_cell), mean(rho, *to_cell)
    eta_node = mean(eta, *to_node)

    # Unknowns in units of the magma's viscosity and of the cell size.
    unit = materials[0][1]

    def difference(n, h):
        return sp.diags([np.ones(n - 1), -np.ones(n - 1)], [0, -1], shape=(n, n - 1)) / h

    dx, dz = difference(nx, hx / hz), difference(nz, 1.0)
    eye = sp.identity
    ux, wz = sp.kron(eye(nz), dx), sp.kron(dz, eye(nx))
    uz, wx = sp.kron(-dz.T, eye(nx - 1)), sp.kron(eye(nz - 1), -dx.T)
    normal = sp.diags(2 * eta_cell.ravel() / unit)
    shear = sp.diags(eta_node[1:-1, 1:-1].ravel() / unit)
    matrix = sp.bmat(
        [
            [ux.T @ normal @ ux + uz.T @ shear @ uz, uz.T @ shear @ wx, -ux.T],
            [wx.T @ shear @ uz, wz.T @ normal @ wz + wx.T @ shear @ wx, -wz.T],
            [-ux, -wz, None],
        ],
        format="csc",
    )[:-1, :-1]
    face = 0.5 * (rho_cell[1:] + rho_cell[:-1]) - materials[0][0]
    load = np.concatenate([np.zeros(nz * (nx - 1)), -face.ravel(), np.zeros(nx * nz - 1)])
    factors = splu(matrix)
    found = factors.solve(load)
    found += factors.solve(load - matrix @ found)
    found = np.append(found, 0.0)
    u = np.pad(found[: nz * (nx - 1)].reshape(nz, nx - 1), ((0, 0), (1, 1)))
    w = np.pad(found[u.size - 2 * nz : -nx * nz].reshape(nz - 1, nx), ((1, 1), (0, 0)))
    p = found[-nx * nz :].reshape(nz, nx) * gravity * hz
    p -= p[-1].mean()
    height = z0 + hz * (np.arange(nz) + 0.5)
    p += materials[0][0] * gravity * (height[-1] - height)[:, None]
    speed = gravity * hz**2 / unit
    vx, vz = (np.pad(a, ((1, 1), (0, 0)), "edge") for a in (u * speed, (w * speed).T))
    vx, vz = 0.5 * (vx[1:] + vx[:-1]), 0.5 * (vz[1:] + vz[:-1]).T

    def nodes(cells):
        padded = np.pad(cells, 1, mode="edge")
        return 0.25 * (padded[1:, 1:] + padded[1:, :-1] + padded[:-1, 1:] + padded[:-1, :-1])

    if behaviour == "zero":
        vx, vz = 0 * vx, 0 * vz
    if behaviour == "divergent":
        vx = vx * 1.001
    if behaviour == "nan":
        vz[3, 4] = np.nan
    return vx, vz, nodes(p), nodes(rho_cell), np.log10(nodes(eta_cell))


def write(keys, vx, vz, pressure, density, viscosity, behaviour):
    """Folders of steps 0 and 1, each with its pieces."""
    import numpy as np

    layers = int(keys["nel_y"]) + 1
    velocity = np.stack([vx, 0 * vx, vz], axis=-1) / (0.01 / (365.25 * 86400))
    fields = {
        "density [kg/m^3]": density,
        "visc_total [Pa*s]": viscosity,
        "velocity [cm/yr]": velocity,
        "pressure [MPa]": pressure / 1e6,
    }
    sheets = {name: np.repeat(a[:, None], layers, axis=1) for name, a in fields.items()}
    if layers == 2:  # as 2.2.1 does at the side walls of the back layer
        sheets["velocity [cm/yr]"][:, 1, [0, -1], 2] *= 0.75
    before = {**sheets, "velocity [cm/yr]": 0 * sheets["velocity [cm/yr]"]}
    axes = []
    for axis in "xyz":
        low, high = map(float, keys[f"coord_{axis}"].split())
        axes.append(np.linspace(low, high, int(keys[f"nel_{axis}"]) + 1))
    write_step(Path("Timestep_00000000_0.00000000e+00"), axes, before, "")
    write_step(Path("Timestep_00000001_1.10000000e-06"), axes, sheets, behaviour)


def write_step(folder, axes, fields, behaviour):
    import numpy as np

    folder.mkdir()
    nodes_z = axes[2].size
    cuts = np.linspace(0, nodes_z - 1, PIECES + 1).astype(int)
    pieces, fixed = "", f"1 {axes[0].size} 1 {axes[1].size}"
    for rank, (low, high) in enumerate(itertools.pairwise(cuts)):
        part = {"x": axes[0], "y": axes[1], "z": axes[2][low : high + 1]}
        part |= {name: a[low : high + 1] for name, a in fields.items()}
        extent, source = f"{fixed} {low + 1} {high + 1}", f"output_p{rank:08d}.vtr"
        pieces += f'<Piece Extent="{extent}" Source="{source}"/>\n'
        header, body = "", b""
        for name, values in part.items():
            data = values.astype("<f4").tobytes()
            count = 3 if values.ndim == 4 else 1
            header += (
                f'<DataArray type="Float32" Name="{name}" NumberOfComponents="{count}" '
                f'format="appended" offset="{len(body)}"/>\n'
            )
            body += len(data).to_bytes(8, "little") + data
        content = (
            (
                '<?xml version="1.0"?>\n<VTKFile type="RectilinearGrid" byte_order="LittleEndian" '
                f'header_type="UInt64"><RectilinearGrid><Piece Extent="{extent}">\n{header}</Piece>'
                '</RectilinearGrid>\n<AppendedData encoding="raw">\n_'
            ).encode()
            + body
            + b"\n</AppendedData></VTKFile>\n"
        )
        if behaviour == "cut":
            content = content[: len(content) // 2]
        if not (behaviour == "no_piece" and rank == PIECES - 1):
            (folder / source).write_bytes(content)
    if behaviour != "no_index":
        whole = f"{fixed} 1 {nodes_z}"
        (folder / "output.pvtr").write_text(
            f'<VTKFile><PRectilinearGrid WholeExtent="{whole}">\n{pieces}'
            "</PRectilinearGrid></VTKFile>"
        )


if __name__ == "__main__":
    main()
