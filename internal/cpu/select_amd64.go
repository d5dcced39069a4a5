package cpu

import "golang.org/x/sys/cpu"

// implementations returns the sets of kernels that this processor can run, the
// fastest first. AVX2 and AVX512 differ in the width of the matrix multiply
// alone and give equal bits.
func implementations() []*kernels {
	var all []*kernels
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return []*kernels{portable()}
	}
	if cpu.X86.HasAVX512F {
		k := vectorised()
		k.name, k.rows, k.lanes = "avx512", 8, 16
		k.gemm = [4]gemmFunc{nil, gemm8x16AVX512, gemm8x32AVX512, gemm8x48AVX512}
		k.winograd = winogradAVX512()
		all = append(all, k)
	}
	return append(all, vectorised(), portable())
}

// vectorised returns the AVX2 kernels.
func vectorised() *kernels {
	return &kernels{
		name: "avx2", rows: 4, lanes: 8,
		gemm:        [4]gemmFunc{nil, gemm4x8AVX2, gemm4x16AVX2, gemm4x24AVX2},
		winograd:    winogradAVX2(),
		interleave4: interleave4AVX2, interleave8: interleave8AVX2,
		axpby: axpbyAVX2, affine: affineAVX2, affineSiLU: affineSiLUAVX2,
		siluGrad: siluGradAVX2, expAffine: expAffineAVX2, mul: mulAVX2, mulAdd: mulAddAVX2,
		repeat: repeatAVX2, pairSum: pairSumAVX2,
		sum: sumAVX2, dot: dotAVX2, sumDev: sumDevAVX2,
		sumSquares: sumSquaresAVX2,
		normSums:   normSumsAVX2, normSumsSiLU: normSumsSiLUAVX2,
		normGrad: normGradAVX2, normGradSiLU: normGradSiLUAVX2,
		colMax: colMaxAVX2, colExpSum: colExpSumAVX2,
		dropout: dropoutAVX2, adam: adamAVX2,
	}
}
