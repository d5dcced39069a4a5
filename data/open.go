package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const supported = "the demo set (demo), an IDX images file, a CIFAR-10 batch (.bin) or archive (.tar.gz), " +
	"a zip of PNG or JPEG files, or a folder of any of these but zips"

// Open opens the dataset at path. The content decides its kind:
//
//   - "" or "demo": Demo (a folder of that name is "./demo")
//   - an IDX images file, gzip or not, with its labels file beside it if there
//     is one, or a folder holding train-images-idx3-ubyte
//   - the binary version of CIFAR-10, as a folder or a .tar.gz: the training
//     batches; or one batch file
//   - a zip of PNG or JPEG files; labels are in its dataset.json (StyleGAN
//     layout): {"labels": [["00000/img00000000.png", 3], …]} or null
//   - a folder of PNG or JPEG files, searched recursively in the order of their
//     names; labels are in its dataset.json or else the first-level sub-folders
//     are the classes, in the order of their names
//
// The number of classes is the largest label plus one. Image files must be
// square and of one size (unless o.Resolution is set), all greyscale or all
// colour (unless o.RGB is set), 8 bits a channel and opaque. The orientation
// tag of JPEG files is not obeyed.
func Open(path string, o Options) (Dataset, error) {
	if path == "" {
		path = "demo"
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("data: open %s: %w", path, err)
	}
	ds, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("data: open %s: %w", path, err)
	}
	if o.MaxSize > 0 && o.MaxSize < ds.Len() {
		return Subset(ds, o.MaxSize)
	}
	return ds, nil
}

// open returns either a dataset or an error: openers return typed pointers.
func open(path string, o Options) (ds Dataset, err error) {
	kind, where, files, err := detect(path)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindDemo:
		ds, err = openDemo(o)
	case kindIDX:
		ds, err = openIDX(where, o)
	case kindCIFARFolder:
		ds, err = openCIFARFolder(where, files, o)
	case kindCIFARFile:
		ds, err = openCIFARFile(where, o)
	case kindCIFARTar:
		ds, err = openCIFARTar(where, o)
	case kindZip:
		ds, err = openImageZip(where, o)
	default:
		ds, err = openImageFolder(where, o)
	}
	if err != nil {
		return nil, err
	}
	return ds, check(ds)
}

type kind int

const (
	kindDemo kind = iota
	kindIDX
	kindCIFARFolder
	kindCIFARFile
	kindCIFARTar
	kindZip
	kindImageFolder
)

// detect returns the kind of the data at path; where is the file or folder to open,
// and files the names in it if it is a folder.
func detect(path string) (k kind, where string, files []string, err error) {
	if path == "demo" {
		return kindDemo, path, nil, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, "", nil, fmt.Errorf("%w: expected %s", withoutPath(err), supported)
	case info.IsDir():
		return detectFolder(path)
	case !info.Mode().IsRegular():
		return 0, "", nil, fmt.Errorf("not a regular file: expected %s", supported)
	}
	k, err = detectFile(path, info.Size())
	return k, path, nil, err
}

func detectFolder(path string) (k kind, where string, files []string, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return 0, "", nil, withoutPath(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, e.Name())
		} else if e.Name() == cifarFolder {
			return detectFolder(filepath.Join(path, cifarFolder))
		}
	}
	if len(entries) == 0 {
		return 0, "", nil, fmt.Errorf("the folder is empty: expected %s", supported)
	}
	idx, err := findIDX(files)
	switch {
	case err != nil:
		return 0, "", nil, err
	case idx != "":
		return kindIDX, filepath.Join(path, idx), nil, nil
	case slices.ContainsFunc(files, isCIFARBatch):
		return kindCIFARFolder, path, files, nil
	}
	return kindImageFolder, path, files, nil
}

func detectFile(path string, size int64) (kind, error) {
	s, err := openStream(path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(s, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	head = head[:n]
	if n == 0 {
		return 0, fmt.Errorf("the file is empty or truncated: expected %s", supported)
	}
	switch {
	// A batch has no signature: it may well start like another kind.
	case strings.EqualFold(filepath.Ext(path), ".bin"):
		return kindCIFARFile, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return kindZip, nil
	case n == len(head) && n >= 263 && string(head[257:262]) == "ustar":
		return kindCIFARTar, nil
	case isIDX(head):
		return kindIDX, nil
	}
	if _, ok := imageKind(head); ok {
		return 0, errors.New("one image file: give the folder that holds the images")
	}
	return 0, fmt.Errorf("unsupported file type (%d bytes): expected %s", size, supported)
}

// absolute returns path with its folders spelled out, as well as can be.
func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// baseName returns the last element of path as a Dataset name.
func baseName(path string) string { return safeName(filepath.Base(absolute(path))) }

// safeName keeps letters, digits, '_', '.' and '-', and turns all else into
// '-'.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	if s = strings.Trim(s, "-."); s == "" {
		return "images"
	}
	return s
}
