package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"edm/checkpoints"
	"edm/data"
	"edm/model"
	"edm/train"
)

// discs is a dataset of one's own: grey discs of eight sizes, whose size is the
// class. Implementing data.Dataset is all that training asks for.
type discs struct{}

func (discs) Name() string         { return "discs" }
func (discs) Len() int             { return 64 }
func (discs) Shape() data.Shape    { return data.Shape{Channels: 1, Height: 8, Width: 8} }
func (discs) NumClasses() int      { return 8 }
func (discs) ClassNames() []string { return nil }
func (discs) Label(i int) int      { return i % 8 }

func (d discs) Image(i int, dst []uint8) error {
	clear(dst)
	for p := range dst {
		x, y := p%8-4+i/32, p/8-4+i/16%2
		if x*x+y*y <= 2*d.Label(i) {
			dst[p] = 200
		}
	}
	return nil
}

// Training on a dataset of one's own: 64 images through a network of two levels,
// class-conditional, into a folder with everything that a run leaves.
func ExampleRun() {
	config, err := train.Preset("demo")
	if err != nil {
		log.Fatal(err)
	}
	config.Data, config.Cond = "discs", true
	config.SetData(discs{})
	config.ModelChannels, config.ChannelMult, config.AttnResolutions = 16, []int{1, 2}, nil
	config.Duration, config.Validation = 64e-6, 0 // in millions of images

	device, err := model.OpenCPU(0)
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	runs, err := os.MkdirTemp("", "runs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(runs)
	steps := 0
	result, err := train.Run(context.Background(), config, train.Options{
		OutDir: runs, Dataset: discs{}, Device: device,
		Hooks: train.Hooks{Step: func(train.Step) { steps++ }},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(result.Dir), "took", steps, "steps")

	// The snapshot holds the averaged weights and what they mean.
	file, err := checkpoints.Load(result.Snapshot, checkpoints.Snapshot)
	if err != nil {
		log.Fatal(err)
	}
	trained, _, err := model.FromSnapshot(file, device)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(result.Snapshot), "holds", trained.Layout().Count, "parameters")
	// Output:
	// 00000-discs-cond-ddpmpp-edm-batch8 took 8 steps
	// snapshot-000000064.safetensors holds 180337 parameters
}
