package data

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// imageSource opens the image files of a folder or zip by their slash-separated
// names. It is safe for concurrent use.
type imageSource interface {
	io.Closer
	// open returns the file and its declared size.
	open(name string) (io.ReadCloser, int64, error)
}

// images is a dataset of image files, decoded at their first use.
type images struct {
	source     imageSource
	path       string // for messages
	name       string
	files      []string
	headers    []header
	shape      Shape
	resolution int
	classes    int
	classNames []string
	labels     []int32 // nil: none

	// cache holds the decoded images; a slot is written once and its content
	// never changes.
	cache  []atomic.Pointer[[]uint8]
	unused atomic.Int64 // bytes left of the budget
}

func (m *images) Name() string         { return m.name }
func (m *images) Len() int             { return len(m.files) }
func (m *images) Shape() Shape         { return m.shape }
func (m *images) NumClasses() int      { return m.classes }
func (m *images) ClassNames() []string { return m.classNames }
func (m *images) Close() error         { return m.source.Close() }

func (m *images) Label(i int) int {
	if m.labels == nil {
		return -1
	}
	return int(m.labels[i])
}

func (m *images) Image(i int, dst []uint8) error {
	if err := checkImage(m, i, dst); err != nil {
		return err
	}
	if kept := m.cache[i].Load(); kept != nil {
		copy(dst, *kept)
		return nil
	}
	if err := m.decode(i, dst); err != nil {
		return fmt.Errorf("data: read %s: %s: %w", m.path, m.files[i], err)
	}
	m.keep(i, dst)
	return nil
}

// keep stores a copy of a decoded image while the budget lasts.
func (m *images) keep(i int, pixels []uint8) {
	size := int64(len(pixels))
	if m.unused.Add(-size) >= 0 {
		kept := append([]uint8(nil), pixels...)
		if m.cache[i].CompareAndSwap(nil, &kept) {
			return
		}
	}
	m.unused.Add(size)
}

func (m *images) decode(i int, dst []uint8) error {
	file, err := readImageFile(m.source, m.files[i])
	if err != nil {
		return err
	}
	img, err := decodeImage(file, m.headers[i], m.resolution)
	if err != nil {
		return err
	}
	planes(dst, img, m.shape.Channels)
	return nil
}

// readImageFile reads a whole file, through its end: that is where a zip
// checks its checksum.
func readImageFile(source imageSource, name string) (file []byte, err error) {
	r, size, err := source.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > maxImageBytes {
		return nil, tooLarge(size)
	}
	if file, err = readExactly(r, size); err != nil {
		return nil, err
	}
	return file, expectEnd(r)
}

func tooLarge(size int64) error {
	return fmt.Errorf("%d bytes: expected at most %d for an image file", size, maxImageBytes)
}

// newImages checks the headers of all files, decodes those with an alpha channel, and
// decides the shape.
func newImages(path string, source imageSource, files []string, o Options) (*images, error) {
	m := &images{
		source: source, path: path, files: files, resolution: o.Resolution,
		headers: make([]header, len(files)),
		cache:   make([]atomic.Pointer[[]uint8], len(files)),
	}
	m.unused.Store(o.CacheBytes)
	err := eachRange(len(files), func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			var err error
			if m.headers[i], err = readFileHeader(source, files[i]); err != nil {
				return fmt.Errorf("%s: %w", files[i], err)
			}
		}
		return nil
	})
	if err == nil {
		err = m.settleShape(o)
	}
	if err == nil {
		err = m.checkOpaque()
	}
	return m, err
}

func readFileHeader(source imageSource, name string) (header, error) {
	r, size, err := source.open(name)
	if err != nil {
		return header{}, err
	}
	defer r.Close()
	if size > maxImageBytes {
		return header{}, tooLarge(size)
	}
	return readHeader(&capped{r, maxImageBytes})
}

// settleShape finds the shape that all files have.
func (m *images) settleShape(o Options) error {
	first := m.headers[0]
	for i, h := range m.headers {
		if h.grey != first.grey && !o.RGB {
			return fmt.Errorf("%s is %v but %s is %v: expected all greyscale or all colour; convert them, or ask for RGB",
				m.files[i], h, m.files[0], first)
		}
		if o.Resolution > 0 {
			continue
		}
		if h.width != h.height {
			return fmt.Errorf("%s is %v: expected square images; ask for a resolution to crop and scale them", m.files[i], h)
		}
		if h.width != first.width {
			return fmt.Errorf("%s is %v but %s is %v: expected images of one size; ask for a resolution to scale them",
				m.files[i], h, m.files[0], first)
		}
	}
	side := cmp.Or(o.Resolution, first.width)
	m.shape = Shape{first.channels(), side, side}
	if o.RGB {
		m.shape.Channels = 3
	}
	return nil
}

// checkOpaque decodes the files whose header leaves open whether they are.
func (m *images) checkOpaque() error {
	return eachRange(len(m.files), func(lo, hi int) error {
		var pixels []uint8
		for i := lo; i < hi; i++ {
			if !m.headers[i].mayBeClear {
				continue
			}
			if pixels == nil {
				pixels = make([]uint8, m.shape.Len())
			}
			if err := m.decode(i, pixels); err != nil {
				return fmt.Errorf("%s: %w", m.files[i], err)
			}
			m.keep(i, pixels)
		}
		return nil
	})
}
