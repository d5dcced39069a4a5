// Command edm-train trains a diffusion model as the EDM paper does (Karras et
// al. 2022, Sec. 5).
package main

import (
	"os"

	"edm/internal/cli"
)

func main() { os.Exit(cli.Main(newCommand())) }
