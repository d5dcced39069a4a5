// Package netpkl reads the network pickles that were published with the EDM
// paper (Karras et al. 2022) and those that its training code writes, and
// converts them to snapshots.
//
// A pickle is a program. Here it runs on github.com/nlpodyssey/gopickle, which
// executes no Python, and every global that it names is either on a short list
// of data holders or an error. That machine allocates by the lengths it is
// told, so it never sees the file: the file is first walked instruction by
// instruction, within limits, and copied into a skeleton whose long strings are
// references to places in the file. Weights are read last, straight from their
// places, when names, shapes and attributes are known to fit the configuration.
package netpkl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"edm/checkpoints/safetensors"
	"edm/model"
)

// maxFile bounds the files that are looked at. The published ones have 0.1 to
// 1.2 GB.
const maxFile = 16 << 30

// Network is a network as a pickle holds it.
type Network struct {
	// Config says which network it is and how it is preconditioned.
	Config model.Config
	// Tensors are the parameters and the buffers that belong to them, under
	// their published names ("model.enc.32x32_block0.norm0.weight"), in
	// float32. They are those that Config asks for, no more and no fewer.
	Tensors map[string]safetensors.Tensor
}

// Read reads the network pickle at path: the averaged weights, which it calls
// "ema". Halves and doubles become float32. Besides the weights it allocates a
// few megabytes for a published network and at most 512 MiB whatever the file
// says, most of it in the texts of errors. The error names the path and
// what is wrong: a damaged or hostile file, a global that is not allowed, a
// network that package unet does not build, attributes or tensors that
// contradict each other.
func Read(path string) (*Network, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("netpkl: %w", err)
	}
	defer f.Close()
	n, err := read(f, size)
	if err != nil {
		return nil, fmt.Errorf("netpkl: read %s: %w", path, err)
	}
	return n, nil
}

// File returns the contents of a snapshot of the network, as Model.Snapshot of
// package model makes them. The tensors are shared.
func (n *Network) File() (*safetensors.File, error) {
	c, err := json.Marshal(n.Config)
	if err != nil {
		return nil, fmt.Errorf("netpkl: %w", err)
	}
	return &safetensors.File{
		Metadata: map[string]string{model.MetadataKey: string(c)},
		Tensors:  n.Tensors,
	}, nil
}

// open opens a regular file and returns its size.
func open(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("open %s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// read reads the network pickle in the first size bytes of r.
func read(r io.ReaderAt, size int64) (*Network, error) {
	if size > maxFile {
		return nil, fmt.Errorf("the file has %d bytes, want at most %d", size, int64(maxFile))
	}
	root, err := unpickle(r, size)
	if err != nil {
		return nil, err
	}
	ema, err := averaged(root)
	if err != nil {
		return nil, err
	}
	tree, err := walk(ema)
	if err != nil {
		return nil, err
	}
	c, err := configure(tree)
	if err != nil {
		return nil, err
	}
	if err := tree.check(c.Network); err != nil {
		return nil, err
	}
	headers, err := tree.tensors(c)
	if err != nil {
		return nil, err
	}
	if err := tree.checkFilters(r, c.Network); err != nil {
		return nil, err
	}
	tensors, err := readTensors(r, size, headers)
	if err != nil {
		return nil, err
	}
	if c.Precond, err = withTable(c.Precond, tensors); err != nil {
		return nil, err
	}
	return &Network{Config: c, Tensors: tensors}, nil
}

// averaged returns the network among the members of the pickled dict.
func averaged(root any) (*object, error) {
	members, err := fieldsOf(root)
	if err != nil {
		return nil, fmt.Errorf("the pickle holds no dict: %w", err)
	}
	v, ok := members["ema"]
	if !ok {
		return nil, errors.New(`no member "ema": want a network pickle such as network-snapshot-000000.pkl`)
	}
	ema, ok := v.(*object)
	if !ok {
		return nil, fmt.Errorf(`member "ema" is %s, want a network`, kindOf(v))
	}
	return ema, nil
}
