package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"edm/checkpoints"
	"edm/internal/cli"
	"edm/train"
)

// remark says what the user may not expect of a sound configuration: attention
// that no level of the network reaches, and a newer run that --resume latest
// passed over. What was asked for by a flag is refused.
func (r *request) remark(stderr io.Writer, c train.Config) error {
	levels := c.Network().Levels()
	for _, res := range c.AttnResolutions {
		if slices.Contains(levels, res) {
			continue
		}
		text := fmt.Sprintf("attention at resolution %d: the network's levels are %s", res,
			strings.Trim(fmt.Sprint(levels), "[]"))
		if r.changed("attn-resolutions") {
			return cli.Usagef("--attn-resolutions: %s", text)
		}
		fmt.Fprintf(stderr, "warning: %s; no level has it (choose with --attn-resolutions or --resolution)\n", text)
	}
	if !r.latest {
		return nil
	}
	if newest, err := checkpoints.LatestRun(r.outdir); err == nil && newest != r.resume {
		fmt.Fprintf(stderr, "warning: %s is newer but holds no state; resuming %s\n", newest, r.resume)
	}
	return nil
}
