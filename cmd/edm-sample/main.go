// Command edm-sample draws images from a trained network: sampling by Algorithms
// 1 and 2 of the EDM paper (Karras et al. 2022), one PNG file a seed.
package main

import (
	"os"

	"edm/internal/cli"
)

func main() { os.Exit(cli.Main(newCommand())) }
