//go:build ignore

// Checkpng checks that each file named is a PNG that decodes and shows
// something: it fails for an image of one colour.
package main

import (
	"fmt"
	"image/png"
	"os"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d PNG files decode\n", len(os.Args)-1)
}

func check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return err
	}
	b := img.Bounds()
	low, high := uint32(0xffff), uint32(0)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, _, _, _ := img.At(x, y).RGBA()
			low, high = min(low, r), max(high, r)
		}
	}
	if high-low < 0x2000 {
		return fmt.Errorf("%v, values from %d to %d: nothing to see", b, low, high)
	}
	return nil
}
