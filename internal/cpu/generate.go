package cpu

//go:generate go run -C ../../tools ./asmgen -out ../internal/cpu/kernels_amd64.s -stubs ../internal/cpu/kernels_amd64.go -pkg cpu
