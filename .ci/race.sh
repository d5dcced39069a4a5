#!/usr/bin/env bash
# The race detector on the packages that start goroutines or share files. It is
# the only step that uses cgo. Tests that compare kernels with their slow
# definitions, or train for long, take minutes under it and start no goroutine
# that the others do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

slow='^(TestConv|TestOps|TestBitsDoNotDependOnBatch|TestReferenceTrain|TestTrainingLearns|TestMicrobatchesAgree|TestDemo.*)$'
CGO_ENABLED=1 go test -race -short -skip "$slow" ./internal/cpu ./internal/atomicfile ./data/... ./checkpoints ./sample ./sample/guide ./train
