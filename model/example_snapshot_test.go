package model_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"edm/checkpoints"
	"edm/data"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// saved writes the snapshot of an untrained network, as a training run would,
// and returns its path.
func saved(dir string, device *model.Device) (string, error) {
	network, err := unet.Preset("demo")
	if err != nil {
		return "", err
	}
	m, err := model.New(model.Config{Network: network, Precond: precond.DefaultEDM()}, device)
	if err != nil {
		return "", err
	}
	weights := make([]float32, m.Layout().Size)
	if err := m.Layout().Init(weights, 1); err != nil {
		return "", err
	}
	file, err := m.Snapshot(weights)
	if err != nil {
		return "", err
	}
	return checkpoints.Save(dir, checkpoints.Snapshot, 0, file)
}

// Loading a snapshot and denoising an image of the demo set: D(x; sigma) is the
// network's estimate of the clean image. This network has not been trained, so
// what it returns is c_skip x (EDM Eq. 7) but for the little that its last
// layer starts with.
func ExampleFromSnapshot() {
	device, err := model.OpenCPU(0)
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	dir, err := os.MkdirTemp("", "snapshots")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, err := saved(dir, device)
	if err != nil {
		log.Fatal(err)
	}

	file, err := checkpoints.Load(path, checkpoints.Snapshot)
	if err != nil {
		log.Fatal(err)
	}
	m, weights, err := model.FromSnapshot(file, device)
	if err != nil {
		log.Fatal(err)
	}
	denoiser, err := m.Denoiser(weights, 1)
	if err != nil {
		log.Fatal(err)
	}

	garments, err := data.Demo()
	if err != nil {
		log.Fatal(err)
	}
	bytes := make([]uint8, garments.Shape().Len())
	if err := garments.Image(0, bytes); err != nil {
		log.Fatal(err)
	}
	const sigma = 0.5
	x, d := make([]float64, len(bytes)), make([]float64, len(bytes))
	for i, v := range bytes {
		x[i] = float64(v)/127.5 - 1 // data.Normalize does the same in float32
	}
	if err := denoiser.Denoise(context.Background(), d, x, sigma, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("D/x is %.3f at the first pixel\n", d[0]/x[0])
	// Output: D/x is 0.500 at the first pixel
}
