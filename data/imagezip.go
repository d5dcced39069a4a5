package data

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
)

// zipSource opens the entries of a zip. Nothing is ever unpacked to disk.
type zipSource struct {
	archive *zip.ReadCloser
	entries map[string]*zip.File
}

func (s *zipSource) Close() error { return s.archive.Close() }

func (s *zipSource) open(name string) (io.ReadCloser, int64, error) {
	e, ok := s.entries[name]
	if !ok {
		return nil, 0, errors.New("no such entry")
	}
	if e.Flags&1 != 0 {
		return nil, 0, errors.New("the zip entry is encrypted: expected a zip without password")
	}
	if e.UncompressedSize64 > math.MaxInt64 {
		return nil, 0, fmt.Errorf("the zip entry declares %d bytes: damaged", e.UncompressedSize64)
	}
	r, err := e.Open()
	if err != nil {
		return nil, 0, fmt.Errorf("damaged zip entry: %w", whole(err))
	}
	return r, int64(e.UncompressedSize64), nil
}

// openImageZip opens a zip of image files. The dataset keeps the file open.
func openImageZip(path string, o Options) (*images, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("truncated or damaged zip: %w", withoutPath(whole(err)))
	}
	m, err := newImageZip(path, archive, o)
	if err != nil {
		return nil, errors.Join(err, archive.Close())
	}
	return m, nil
}

func newImageZip(path string, archive *zip.ReadCloser, o Options) (*images, error) {
	source := &zipSource{archive, map[string]*zip.File{}}
	list := &imageList{}
	for _, e := range archive.File {
		if err := checkEntryName(e.Name); err != nil {
			return nil, err
		}
		if strings.HasSuffix(e.Name, "/") {
			continue
		}
		if source.entries[e.Name] != nil {
			return nil, fmt.Errorf("zip entry %s occurs twice", e.Name)
		}
		source.entries[e.Name] = e
		if err := list.add(e.Name); err != nil {
			return nil, err
		}
	}
	files, err := list.sorted()
	if err != nil {
		return nil, err
	}
	var labels []int32
	if list.hasLabels {
		if labels, err = readLabels(source, files); err != nil {
			return nil, err
		}
	}
	m, err := newImages(path, source, files, o)
	if err != nil {
		return nil, err
	}
	m.name = safeName(strings.TrimSuffix(filepath.Base(absolute(path)), filepath.Ext(path)))
	m.setLabels(labels, nil)
	return m, nil
}

// checkEntryName refuses names that would lead out of a folder on any system,
// although nothing is unpacked: an honest tool does not write them.
func checkEntryName(name string) error {
	trimmed := strings.TrimSuffix(name, "/")
	drive := len(name) > 1 && name[1] == ':'
	if drive || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") ||
		!filepath.IsLocal(filepath.FromSlash(trimmed)) {
		return fmt.Errorf("zip entry %q: expected a relative path that stays inside the archive", name)
	}
	return nil
}
