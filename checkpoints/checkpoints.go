// Package checkpoints keeps the files of a run: snapshots (EMA weights, all
// that sampling needs), training states (all that resuming needs), the run's
// folder and its lock, and the log. Every file carries a hash of its contents
// and appears under its name whole or not at all, so a run survives a kill, a
// full disk and a flipped bit.
package checkpoints

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"edm/checkpoints/safetensors"
	"edm/internal/atomicfile"
)

// Kind is the kind of a file; its text is the metadata field "format".
type Kind string

// The kinds of file.
const (
	Snapshot Kind = "edm-snapshot"
	State    Kind = "edm-state"
)

// Version is the "format_version" that Save writes and the newest that Load
// reads.
const Version = 1

// The metadata fields that Save owns.
const (
	formatKey  = "format"
	versionKey = "format_version"
	hashKey    = "content_sha256"
)

// The faults of files, for errors.Is.
var (
	// ErrDamaged: bytes are missing or not those that were written.
	ErrDamaged = errors.New("the file is damaged")
	// ErrNewer: the file is sound, this program is too old for it.
	ErrNewer = errors.New("written by a newer edm")
	// ErrKind: the file is sound but holds something else.
	ErrKind = errors.New("wrong kind of file")
	// ErrNone: there is no such file or folder yet.
	ErrNone = errors.New("none found")
)

// word returns "snapshot" or "state", with which file names begin.
func (k Kind) word() string { return strings.TrimPrefix(string(k), "edm-") }

func (k Kind) check() error {
	if k != Snapshot && k != State {
		return fmt.Errorf("unknown kind %q, want %q or %q", string(k), Snapshot, State)
	}
	return nil
}

// FileName returns the name that Save gives a file of this kind after nimg
// images: snapshot-000030000.safetensors.
func (k Kind) FileName(nimg int64) string {
	return fmt.Sprintf("%s-%09d.safetensors", k.word(), nimg)
}

// Save writes f to dir under kind.FileName(nimg) and returns the path. It adds
// the format, its version and the content hash to a copy of the metadata; f is
// not changed. Equal contents give equal bytes. Tensor data is read twice, to
// hash and to write, and never copied, so it may alias live memory that stays
// as it is meanwhile. A file already there is replaced whole or, on an error,
// stays as it was.
func Save(dir string, kind Kind, nimg int64, f *safetensors.File) (path string, err error) {
	if err := kind.check(); err != nil {
		return "", fmt.Errorf("checkpoints: save: %w", err)
	}
	path = filepath.Join(dir, kind.FileName(nimg))
	if nimg < 0 {
		return "", fmt.Errorf("checkpoints: save %s: nimg is %d, want 0 or more", path, nimg)
	}
	if err := SaveAs(path, kind, f); err != nil {
		return "", err
	}
	return path, nil
}

// SaveAs is Save under a path of the caller's own.
func SaveAs(path string, kind Kind, f *safetensors.File) error {
	if err := kind.check(); err != nil {
		return fmt.Errorf("checkpoints: save %s: %w", path, err)
	}
	sealed, err := seal(kind, f)
	if err != nil {
		return fmt.Errorf("checkpoints: save %s: %w", path, err)
	}
	err = atomicfile.Write(path, 0o644, func(w io.Writer) error { return safetensors.Write(w, sealed) })
	if err != nil {
		return fmt.Errorf("checkpoints: save: %w", err)
	}
	return nil
}

// seal returns f with the metadata fields that Save adds.
func seal(kind Kind, f *safetensors.File) (*safetensors.File, error) {
	meta := make(map[string]string, len(f.Metadata)+3)
	maps.Copy(meta, f.Metadata)
	meta[formatKey] = string(kind)
	meta[versionKey] = strconv.Itoa(Version)
	sealed := &safetensors.File{Metadata: meta, Tensors: f.Tensors}
	sum, err := hashFile(sealed)
	if err != nil {
		return nil, err
	}
	meta[hashKey] = sum
	return sealed, nil
}

// Load reads the file at path, whatever its name, and checks its hash, its
// version and that it is of the given kind. The tensors share one buffer of
// the file's size, the only copy that is made. The error names the path and is
// ErrDamaged, ErrNewer, ErrKind or one of the system.
func Load(path string, kind Kind) (*safetensors.File, error) {
	f, err := load(path, kind)
	if err != nil {
		return nil, fmt.Errorf("checkpoints: load %s: %w", path, bare(err))
	}
	return f, nil
}

func load(path string, kind Kind) (*safetensors.File, error) {
	r, err := openKind(path, kind)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	sum, err := hashFile(f)
	if err != nil {
		return nil, err
	}
	return f, judge(f.Metadata, kind, sum)
}

// Verify makes the checks of Load without keeping the tensors in memory.
func Verify(path string, kind Kind) error {
	err := verify(path, kind)
	if err != nil {
		return fmt.Errorf("checkpoints: verify %s: %w", path, bare(err))
	}
	return nil
}

func verify(path string, kind Kind) error {
	r, err := openKind(path, kind)
	if err != nil {
		return err
	}
	defer r.Close()
	sum, err := hashReader(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return judge(r.Metadata, kind, sum)
}

// openKind opens the file and refuses it at once if its header shows another kind.
func openKind(path string, kind Kind) (*safetensors.Reader, error) {
	if err := kind.check(); err != nil {
		return nil, err
	}
	r, err := safetensors.Open(path)
	var format *safetensors.FormatError
	if errors.As(err, &format) {
		return nil, fmt.Errorf("%w, or not a safetensors file: %w", ErrDamaged, format.Err)
	}
	if err != nil {
		return nil, err
	}
	if err := foreign(r.Metadata, kind); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// foreign reports a file that another program wrote or that is of another
// kind. The hash finds faults that a flipped bit could have caused.
func foreign(meta map[string]string, kind Kind) error {
	format := meta[formatKey]
	if _, ok := meta[hashKey]; !ok && !strings.HasPrefix(format, "edm-") {
		return fmt.Errorf("%w: not written by edm (no %q in its metadata), want %q", ErrKind, hashKey, kind)
	}
	if other := Kind(format); other != kind && other.check() == nil {
		return fmt.Errorf("%w: it is %q, want %q (a file named %s)", ErrKind, other, kind, kind.FileName(0))
	}
	return nil
}

// judge compares the hash of the contents with the one in the metadata, and only then
// trusts the rest of the metadata. The hash is defined alike in
// every version.
func judge(meta map[string]string, kind Kind, sum string) error {
	want, ok := meta[hashKey]
	newer := newerThanThis(meta[versionKey])
	switch {
	case !ok && newer != nil:
		return newer
	case !ok:
		return fmt.Errorf("%w: no %q in its metadata", ErrDamaged, hashKey)
	case want != sum && newer != nil:
		return fmt.Errorf("%w (its contents do not match its hash), or %w", ErrDamaged, newer)
	case want != sum:
		return fmt.Errorf("%w: its contents do not match its hash", ErrDamaged)
	case newer != nil:
		return newer
	}
	if v := meta[versionKey]; v != strconv.Itoa(Version) {
		return fmt.Errorf("%w: format version %q, this program reads %d", ErrKind, v, Version)
	}
	if format := meta[formatKey]; format != string(kind) {
		return fmt.Errorf("%w: it is %q, want %q", ErrKind, format, kind)
	}
	return nil
}

// newerThanThis returns the error for a version above Version, else nil.
func newerThanThis(version string) error {
	if v, err := strconv.ParseUint(version, 10, 63); err != nil || v <= Version {
		return nil
	}
	return fmt.Errorf("%w: format %s, this program reads %d; update", ErrNewer, version, Version)
}

// bare drops a path that the caller is about to name anyway.
func bare(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}
