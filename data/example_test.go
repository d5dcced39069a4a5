package data_test

import (
	"context"
	"fmt"
	"log"

	"edm/data"
)

// gradients is a dataset of one's own: it needs no file. Class 0 gets brighter
// from left to right, class 1 from top to bottom.
type gradients struct{ size int }

func (g gradients) Name() string         { return "gradients" }
func (g gradients) Len() int             { return 100 }
func (g gradients) Shape() data.Shape    { return data.Shape{Channels: 1, Height: g.size, Width: g.size} }
func (g gradients) NumClasses() int      { return 2 }
func (g gradients) ClassNames() []string { return []string{"across", "down"} }
func (g gradients) Label(i int) int      { return i % 2 }

func (g gradients) Image(i int, dst []uint8) error {
	for k := range dst {
		along := k % g.size
		if i%2 == 1 {
			along = k / g.size
		}
		dst[k] = uint8(255 * along / (g.size - 1))
	}
	return nil
}

// Any type that implements Dataset can be trained on.
func Example_ownDataset() {
	o := data.DefaultLoaderOptions()
	o.Batch = 4
	loader, err := data.NewLoader(gradients{size: 2}, o)
	if err != nil {
		log.Fatal(err)
	}
	defer loader.Close()
	batch, err := loader.Next(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for k, label := range batch.Labels {
		fmt.Println(batch.Start+int64(k), label, batch.Pixels[4*k:4*k+4])
	}
	// Output:
	// 0 0 [0 255 0 255]
	// 1 0 [0 255 0 255]
	// 2 1 [0 0 255 255]
	// 3 0 [0 255 0 255]
}

func ExampleOpen() {
	ds, err := data.Open("demo", data.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close(ds)
	mean, std, err := data.Stats(ds)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ds.Name(), ds.Len(), ds.Shape(), ds.ClassNames()[ds.Label(0)])
	fmt.Printf("mean %.2f, sigma_data %.2f\n", mean, std)
	// Output:
	// fashion-mnist 10000 1x32x32 Ankle boot
	// mean -0.56, sigma_data 0.66
}

// What a dataset holds, and the noise levels that it suggests.
func ExampleInspect() {
	r, err := data.Inspect(context.Background(), gradients{size: 8}, data.DefaultInspectOptions())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images, "images", r.Shape, "classes", r.ClassSizes)
	fmt.Println(r.Duplicates, "are equal to an earlier one")
	fmt.Printf("sigma_data %.2f, sigma_max %.2f\n", r.SigmaData, r.SigmaMax())
	// Output:
	// 100 images 1x8x8 classes [50 50]
	// 98 are equal to an earlier one
	// sigma_data 0.65, sigma_max 7.41
}
