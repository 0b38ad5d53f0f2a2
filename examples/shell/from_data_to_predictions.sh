#!/bin/sh
# From a file to predictions: train on part of the rows, look at the model, score new rows.
# Usage: from_data_to_predictions.sh DATA.csv TARGET   (tandem is on PATH: ./dev shell, ./dev install)
set -eu
data=$1
target=$2

tandem train decision-tree --data "$data" --target "$target" --test-fraction 0.3 --model example.tandem
tandem inspect example.tandem
tandem evaluate example.tandem --data "$data"
tandem predict example.tandem --data "$data" --out predictions.csv
head -n 5 predictions.csv
