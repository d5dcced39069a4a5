package unet_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/unet"
)

// Every block drops what its second convolution reads, at a site of its own: two
// sites with one number would have one mask. Graphs for evaluation have none.
func TestDropoutSites(t *testing.T) {
	for _, arch := range unet.ArchNames() {
		c := preset(t, "small", arch)
		if n := len(dropoutSites(t, c, inputs(c, 2))); n != 0 {
			t.Errorf("%s: %d dropout sites in a graph for evaluation", arch, n)
		}
		in := inputs(c, 2)
		g := in.X.Graph()
		in.Dropout = &unet.Dropout{
			P:       gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(1), gorgonia.WithName("p")),
			Key:     gorgonia.NewTensor(g, tensor.Int64, 1, gorgonia.WithShape(1), gorgonia.WithName("key")),
			Counter: gorgonia.NewTensor(g, tensor.Int64, 1, gorgonia.WithShape(2), gorgonia.WithName("counter")),
		}
		levels := len(c.ChannelMult)
		// An encoder level has a block less than a decoder level; between levels
		// there is one more each way, and two in the middle.
		blocks := levels*(2*c.NumBlocks+1) + 2*(levels-1) + 2
		sites := dropoutSites(t, c, in)
		slices.Sort(sites)
		for i, site := range sites {
			if site != i {
				t.Fatalf("%s: dropout sites %v, want each number once", arch, sites)
			}
		}
		if len(sites) != blocks {
			t.Errorf("%s: %d dropout sites, want one for each of %d blocks", arch, len(sites), blocks)
		}
	}
}

// dropoutSites builds the network and returns the numbers of its dropout sites,
// each of which must feed a convolution that a skip is added to.
func dropoutSites(t *testing.T, c unet.Config, in unet.Inputs) (sites []int) {
	t.Helper()
	if _, _, err := c.Build(in); err != nil {
		t.Fatal(err)
	}
	for _, n := range in.X.Graph().AllNodes() {
		site, ok := spec(n).(op.Dropout)
		if !ok {
			continue
		}
		sites = append(sites, site.Site)
		readers := in.X.Graph().To(n.ID())
		if readers.Len() != 1 {
			t.Errorf("%s: %d nodes read dropout site %d, want one", c.Arch, readers.Len(), site.Site)
		}
		for readers.Next() {
			if conv, ok := spec(readers.Node().(*gorgonia.Node)).(op.Conv2D); !ok || !conv.Residual {
				t.Errorf("%s: dropout site %d is not before a block's second convolution", c.Arch, site.Site)
			}
		}
	}
	return sites
}

// spec returns what a node computes, or nil.
func spec(n *gorgonia.Node) op.Spec {
	if o, ok := n.Op().(op.Op); ok {
		return o.Spec
	}
	return nil
}
