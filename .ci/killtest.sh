#!/usr/bin/env bash
# Runs killed with SIGKILL at random moments, again and again, all come back and
# end with the bytes of a run that nobody disturbed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CGO_ENABLED=0 go test -count=1 -v -run '^TestKilledRunsResume$' ./cmd/edm-train
