#!/usr/bin/env bash
# Fails unless every kernel of the committed PTX is in FILE, which tests on the
# emulated driver wrote with EDM_EMULATOR_LAUNCHED=FILE:
#   bash launched.sh FILE
set -euo pipefail
launched=${1:?usage: launched.sh FILE}
ptx=$(dirname "${BASH_SOURCE[0]}")/../../internal/cuda/ptx

kernels=$(sed -n 's/^\.visible \.entry \([A-Za-z0-9_]*\).*/\1/p' "$ptx"/*.ptx | sort -u)
[[ -n $kernels ]] || { echo "no kernels in $ptx"; exit 1; }
missing=$(comm -23 - <(sort -u "$launched") <<<"$kernels")
if [[ -n $missing ]]; then
  printf 'no test ran these kernels:\n%s\n' "$missing"
  exit 1
fi
printf 'all %d kernels ran\n' "$(wc -l <<<"$kernels")"
