package engine

// Peaks are the measured peaks of a device. Operations count a multiply and an add as
// two.
type Peaks struct {
	Product  float64            // operations a second of products in the backend's precision
	Products map[string]float64 // the same for every precision, by name
	Copy     float64            // bytes a second that a copy within the device's memory reads and writes
}

// Meter is implemented by a Backend that measures the peaks of its device.
type Meter interface {
	// Peaks takes a few milliseconds for each number, alone on the device.
	Peaks() (Peaks, error)
}
