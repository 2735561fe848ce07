#!/usr/bin/env bash
# Remakes the weights that the distribution brings along: ./pretrain.sh FOLDER (about 20 minutes).
set -euo pipefail
folder=${1:?where to keep data and weights}
mkdir -p "$folder"
common=(-o "sampler.viscosity_contrast=[10,1e6]" -o sampler.minimum_gap=10)
sample() { # name, seed, samples, cells, crystals, radius
    crystalsim sample -n "$3" --seed "$2" "${common[@]}" -o "sampler.cells=$4" \
        -o "sampler.count=$5" -o "sampler.radius=$6" --output "$folder/$1-cases.nc"
    crystalsim solve "$folder/$1-cases.nc" -o solver.tolerance=1e-3 --output "$folder/$1.nc"
}
sample few 101 1600 64 "[1,4]" "[20,200]"
sample many 102 400 64 "[5,25]" "[20,60]"
sample fine 103 480 128 "[1,6]" "[20,120]"
sample finest 104 64 256 "[1,6]" "[20,80]"
export OMP_NUM_THREADS=1
crystalsim train "$folder"/{few,many,fine,finest}.nc --model polarization --seed 0 \
    -o model.device=cpu -o model.epochs=8 --output "$folder/weights"
