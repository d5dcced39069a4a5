package cpu

import "golang.org/x/sys/cpu"

// implementations returns the sets of kernels that this processor can run, the
// fastest first. AVX2 and AVX512 give equal bits.
func implementations() []*kernels {
	var all []*kernels
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return []*kernels{portable()}
	}
	if cpu.X86.HasAVX512F {
		all = append(all, avx512())
	}
	return append(all, avx2(), portable())
}

func avx2() *kernels {
	return &kernels{
		name: "avx2", rows: 4, lanes: 8,
		gemm:        [4]gemmFunc{nil, gemm4x8AVX2, gemm4x16AVX2, gemm4x24AVX2},
		tile:        [4]tileFunc{nil, tile4x8AVX2, tile4x16AVX2, tile4x24AVX2},
		winograd:    winogradAVX2(),
		interleave4: interleave4AVX2, interleave8: interleave8AVX2,
		axpby: axpbyAVX2, affine: affineAVX2, affineSiLU: affineSiLUAVX2,
		siluGrad: siluGradAVX2, expAffine: expAffineAVX2, mul: mulAVX2, mulAdd: mulAddAVX2,
		repeat: repeatAVX2, pairSum: pairSumAVX2,
		weightedRows: weightedRowsAVX2, upsample: upsampleAVX2, downsample: downsampleAVX2,
		sum: sumAVX2, dot: dotAVX2, sumDev: sumDevAVX2,
		sumSquares: sumSquaresAVX2,
		normSums:   normSumsAVX2, normSumsSiLU: normSumsSiLUAVX2,
		colMax: colMaxAVX2, colExpSum: colExpSumAVX2,
		dropout: dropoutAVX2, adam: adamAVX2,
	}
}

// avx512 returns the AVX2 kernels with wider forms of most.
func avx512() *kernels {
	k := avx2()
	k.name, k.rows, k.lanes = "avx512", 8, 16
	k.gemm = [4]gemmFunc{nil, gemm8x16AVX512, gemm8x32AVX512, gemm8x48AVX512}
	k.tile = [4]tileFunc{nil, tile8x16AVX512, tile8x32AVX512, tile8x48AVX512}
	k.winograd = winogradAVX512()
	k.axpby, k.affine, k.affineSiLU = axpbyAVX512, affineAVX512, affineSiLUAVX512
	k.siluGrad, k.expAffine, k.mul, k.mulAdd = siluGradAVX512, expAffineAVX512, mulAVX512, mulAddAVX512
	k.sum, k.dot, k.sumDev = sumAVX512, dotAVX512, sumDevAVX512
	k.normSums, k.normSumsSiLU = normSumsAVX512, normSumsSiLUAVX512
	k.colExpSum, k.dropout = colExpSumAVX512, dropoutAVX512
	return k
}
