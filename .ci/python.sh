#!/usr/bin/env bash
# The official safetensors package for Python reads what checkpoints writes; the
# comparison's scripts and those of the first run on a GPU do what they say, with
# programs that only pretend to work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r .ci/requirements.txt
EDM_PYTHON=$venv/bin/python CGO_ENABLED=0 go test -count=1 -v -run '^TestOthersCanRead$' ./checkpoints

# They mostly wait for each other's programs.
jobs=()
for folder in bench internal/cuda/ongpu; do
	python3 -m unittest discover -s "$folder" &
	jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
