#!/bin/sh
# Trains one model with one thread, with two, and with CUDA kernels on the software GPU, and compares
# what they predict, byte by byte.
# Usage: same_bits.sh DATA.csv TARGET   (tandem is on PATH: ./dev shell, ./dev install)
set -eu
data=$1
target=$2

for run in "one cpu 1" "two cpu 2" "gpu softgpu 2"; do
  set -- $run
  tandem train mlp --data "$data" --target "$target" --epochs 5 --device "$2" --threads "$3" \
    --model "$1.tandem"
  tandem predict "$1.tandem" --data "$data" --out "$1.csv"
done
cmp one.csv two.csv
cmp one.csv gpu.csv
echo "the same bits"
