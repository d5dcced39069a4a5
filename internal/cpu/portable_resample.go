package cpu

func repeatGo(dst, x []float32, a float32) {
	dst = dst[:2*len(x)]
	for i, v := range x {
		dst[2*i], dst[2*i+1] = a*v, a*v
	}
}

func pairSumGo(dst, x, y []float32, a float32) {
	x, y = x[:2*len(dst)], y[:2*len(dst)]
	for i := range dst {
		dst[i] = a * ((x[2*i] + x[2*i+1]) + (y[2*i] + y[2*i+1]))
	}
}

func weightedRowsGo(dst, x, taps []float32, stride int) {
	for i := range dst {
		var sum float32
		for j, t := range taps {
			sum += t * x[j*stride+i]
		}
		dst[i] = sum
	}
}

func upsampleGo(dst, x, even, odd []float32) {
	odd = odd[:len(even)]
	for i := range len(dst) / 2 {
		var e, o float32
		for j, v := range x[i : i+len(even)] {
			e += even[j] * v
			o += odd[j] * v
		}
		dst[2*i], dst[2*i+1] = e, o
	}
}

func downsampleGo(dst, x, taps []float32) {
	for i := range dst {
		var sum float32
		for j, v := range x[2*i : 2*i+len(taps)] {
			sum += taps[j] * v
		}
		dst[i] = sum
	}
}
