# The commands a developer repeats. CI runs .ci/run, which calls the same tools.
GO ?= go
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

# Tests outside of internal/cuda that run programs on a GPU. What they run on the
# processor alone, make test runs.
CUDA_TESTS = Reference|GPU|CoarsePrecision|LossCurves|OtherDevice|MissingDevices

# Tests of operations that are quick and meet every kind of kernel.
CUDA_QUICK_TESTS = Bits|Over|Alone|Turns|Linear|Programs

.PHONY: all build test lint generate ptx cuda cuda-test cuda-emulated cuda-emulator cuda-commands cuda-first emulator-test cuda-races cuda-sums cuda-binding gpu-bundle-small bench ci clean

all: build lint test

build: ## the two commands, in bin/
	CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/...

test:
	$(GO) test ./...

lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -C tools ./...
	$(STATICCHECK) ./...

generate: ## assembly and other generated files
	$(GO) generate ./...

ptx: ## the CUDA kernels as PTX; wants clang-19, no CUDA toolkit
	$(GO) run -C tools ./ptxgen -kernels ../internal/cuda/kernels -out ../internal/cuda/ptx

cuda: cuda-binding ## the two commands for NVIDIA GPUs, in bin/; wants a C compiler, no CUDA toolkit
	. build/cuda/env.sh && $(GO) build -tags gpu -o bin/ ./cmd/...

# With -j2 they share the cores, the longest first: with every access checked one
# thread computes.
cuda-test: cuda-emulated cuda-commands cuda-races cuda-sums emulator-test ## the CUDA tests on an emulated driver; wants g++, no GPU

cuda-sums: cuda-emulator # products whose sums are cut off as tensor cores may do it
	. build/cuda/env.sh && export EDM_CUDA_DRIVER="$(CURDIR)/build/cuda/emulator/libcuda.so.1" && \
		EDM_EMULATOR_SUMS=truncate EDM_EMULATOR_CAPABILITY=9.0 $(GO) test -count=1 -tags gpu \
		-run 'TestConv$$/.*/_130,_28|TestConvRounds|TestLinear$$|TestProductSums|TestLastPlaceOfSums|TestAttention$$/.*/_(40|70|130)|TestAttentionRounds' ./internal/cuda

emulator-test: # tests of the emulated driver, and of what kernels compute numbers by
	bash internal/cuda/kernels/test/run.sh
	bash tools/cudaemu/test.sh build/cuda/emulator-test

cuda-emulator: # the emulated driver
	bash tools/cudaemu/build.sh build/cuda/emulator

# The CI runs the same tests by internal/cuda/ongpu/first.sh instead (cuda-first).
cuda-emulated: cuda-binding cuda-emulator
	. build/cuda/env.sh && export EDM_CUDA_DRIVER="$(CURDIR)/build/cuda/emulator/libcuda.so.1" EDM_EMULATOR_CAPABILITY=9.0 && \
		$(GO) test -count=1 -tags gpu ./internal/cuda/... && \
		$(GO) test -count=1 -tags gpu -run '$(CUDA_TESTS)' -skip 'Reference.*/portable' ./model ./train && \
		EDM_CUDA_WGMMA=1 $(GO) test -count=1 -tags gpu -run 'TestReferenceInCoarsePrecision/bf16/edm|TestDenoiserOnTheGPU' ./model

cuda-commands: cuda-binding cuda-emulator # the commands' tests, and the quick ones of the operations on an older device whose copies land at once
	. build/cuda/env.sh && export EDM_CUDA_DRIVER="$(CURDIR)/build/cuda/emulator/libcuda.so.1" && \
		$(GO) test -count=1 -tags gpu -run '$(CUDA_TESTS)' ./cmd/... && \
		EDM_EMULATOR_SEED=3 EDM_EMULATOR_COPIES=eager $(GO) test -count=1 -tags gpu -run '$(CUDA_QUICK_TESTS)' ./internal/cuda

cuda-first: gpu-bundle-small cuda-emulator ## the first run on a GPU, rehearsed on the emulated driver in a folder without Go
	bash internal/cuda/ongpu/rehearse.sh build/gpu/edm-small.tar.xz build/cuda/emulator/libcuda.so.1

# Left out with every access checked, and run without: what takes longest of a
# kernel that other tests meet, the largest images and what compares bits.
CUDA_RACES_SKIP = AttentionBits|ConvBits|ChangesNoBit|TestAttention$$/./_32,_32|TestConv$$/./(_28,_28|_12,_32)

cuda-races: cuda-binding ## the tests of the operations with every access of the kernels checked
	EDM_EMULATOR_RACES=1 bash tools/cudaemu/build.sh build/cuda/emulator-races
	rm -f build/cuda/emulator-races/launched
	. build/cuda/env.sh && export EDM_CUDA_DRIVER="$(CURDIR)/build/cuda/emulator-races/libcuda.so.1" && \
		export EDM_EMULATOR_SEED=2 EDM_EMULATOR_LAUNCHED="$(CURDIR)/build/cuda/emulator-races/launched" && \
		EDM_EMULATOR_COPIES=late $(GO) test -count=1 -tags gpu -skip '$(CUDA_RACES_SKIP)' ./internal/cuda && \
		EDM_EMULATOR_CAPABILITY=9.0 $(GO) test -count=1 -tags gpu -run 'TestConv$$/bf16-wgmma/_9,_18' ./internal/cuda
	bash tools/cudaemu/launched.sh build/cuda/emulator-races/launched

cuda-binding: # a header and a library for gorgonia.org/cu, and the flags to build with them
	$(GO) mod download gorgonia.org/cu
	$(GO) run -C tools ./cudabind -cu "$$($(GO) list -m -f '{{.Dir}}' gorgonia.org/cu)" \
		-calls "$(CURDIR)/internal/cuda/driver" -out "$(CURDIR)/build/cuda"

gpu-bundle-small: cuda-binding ## build/gpu/edm-small.tar.xz: what internal/cuda/ongpu/first.sh runs on a machine with a GPU and without Go
	. build/cuda/env.sh && bash internal/cuda/ongpu/bundle.sh build/gpu/edm-small.tar.xz

bench: ## Go benchmarks; comparisons with other projects are in bench/
	$(GO) test -run '^$$' -bench . -benchmem ./...

ci: ## what CI runs: installs Debian packages where it may, about 20 minutes
	bash .ci/run

clean:
	rm -rf bin build
