package netpkl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
)

// sourceKey is the metadata field of a converted snapshot that holds the
// SHA-256 of its pickle.
const sourceKey = "source_sha256"

// converterKey is the field that holds the version of the conversion. A snapshot
// of another version is made anew: raise it when a conversion changes.
const (
	converterKey = "source_converter"
	converter    = "1"
)

// licence is the licence of the published networks, for their users.
const licence = "licence: the networks published with the EDM paper, and snapshots made of them, are CC BY-NC-SA 4.0: " +
	"name the authors, no commercial use, share alike"

// Snapshot returns the path of a snapshot of the network pickle at path. It is
// converted once: beside the pickle as <name>.safetensors, or, where that cannot
// be written, in the user's cache folder. A snapshot made earlier of the same
// contents is used again. No other file is replaced; a name that is taken makes
// it choose another. warn, which may be nil, is told where the snapshot is and
// the licence of the published weights. On an error nothing is left behind.
func Snapshot(path string, warn func(string)) (string, error) {
	if warn == nil {
		warn = func(string) {}
	}
	sum, err := digest(path)
	if err != nil {
		return "", fmt.Errorf("netpkl: %w", err)
	}
	places := candidates(path, sum)
	for _, p := range places {
		if state(p, sum) == current {
			warn(fmt.Sprintf("%s: using its snapshot %s", path, p))
			warn(licence)
			return p, nil
		}
	}
	n, err := Read(path)
	if err != nil {
		return "", err
	}
	f, err := n.File()
	if err != nil {
		return "", err
	}
	f.Metadata[sourceKey], f.Metadata[converterKey] = sum, converter
	written, err := save(f, places, sum)
	if err != nil {
		return "", fmt.Errorf("netpkl: convert %s: %w", path, err)
	}
	warn(fmt.Sprintf("%s: converted to the snapshot %s, which is used from now on", path, written))
	warn(licence)
	return written, nil
}

// digest returns the hexadecimal SHA-256 of a file.
func digest(path string) (string, error) {
	f, size, err := open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if size > maxFile {
		return "", fmt.Errorf("read %s: %d bytes, want at most %d", path, size, int64(maxFile))
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// candidates returns where a snapshot of the pickle may be, best first.
func candidates(path, sum string) []string {
	name := strings.TrimSuffix(path, filepath.Ext(path))
	unique := "-" + sum[:8] + ".safetensors"
	places := []string{name + ".safetensors", name + unique}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "edm", "networks", filepath.Base(name)+unique))
	}
	return places
}

// status is the kind of file at a candidate's path.
type status int

const (
	free    status = iota // nothing
	current               // the snapshot that is wanted
	damaged               // it, but of another version or with contents that do not match its hash
	foreign               // something else, which stays
)

func state(path, sum string) status {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return free
	}
	r, err := safetensors.Open(path)
	if err != nil {
		return foreign
	}
	source, version := r.Metadata[sourceKey], r.Metadata[converterKey]
	r.Close()
	switch {
	case source != sum:
		return foreign
	case version != converter:
		return damaged
	}
	err = checkpoints.Verify(path, checkpoints.Snapshot)
	switch {
	case err == nil:
		return current
	case errors.Is(err, checkpoints.ErrDamaged):
		return damaged
	}
	return foreign
}

// save writes the snapshot to the first candidate that is neither taken nor in a
// folder that cannot be written, and returns its path.
func save(f *safetensors.File, places []string, sum string) (string, error) {
	var errs []error
	for i, p := range places {
		if state(p, sum) == foreign {
			errs = append(errs, fmt.Errorf("%s is another file", p))
			continue
		}
		if i == len(places)-1 { // the cache folder is this program's to make
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		err := checkpoints.SaveAs(p, checkpoints.Snapshot, f)
		if err == nil {
			return p, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}
