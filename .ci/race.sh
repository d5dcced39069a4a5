#!/usr/bin/env bash
# The race detector on the packages that start goroutines or share files. It is
# the only step that uses cgo. Tests that compare kernels with their slow
# definitions, or train for long, take minutes under it and start no goroutine
# that the others do not; of the kernels' tests those are run that share work or
# compare threads, of sample's those that draw ahead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=1

slow='^(TestReferenceTrain|TestTrainingLearns|TestMicrobatchesAgree|TestEveryKindTrains|TestResumeFromAnOlderStateTakesOver|TestLongStepsStillDump|TestTransferFromIDDPM|TestConfigurationsOfTheFirstVersion|TestDemo.*)$'
go test -race -run '^(TestParallel|TestClose|TestIdle|TestKept|TestBitsDoNotDependOnThreads)' ./internal/cpu
go test -race -short -skip "$slow" ./internal/atomicfile ./data/... ./checkpoints ./sample/guide ./train
go test -race -run '^(TestImages|TestChurnRange|TestFailures|TestCancellation|TestSamplerIsReusable|TestDrawsAhead|TestAdaptiveRows)' ./sample
