#!/usr/bin/env bash
# Checks the project on a machine with a GPU and measures it, in a given time:
#   bash internal/cuda/ongpu/first.sh [-t SECONDS] [-o DIR] [-a ARCHIVE]
# It wants this checkout, the archive of `make gpu-bundle-small`, an NVIDIA driver and
# Python 3 (for the comparison with PyTorch; no other package, no Go, no network).
# first.py has the rest: bash internal/cuda/ongpu/first.sh --help.
set -euo pipefail
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/first.py" "$@"
