package data

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const labelsFile = "dataset.json"

// imageList gathers the names, slash-separated, of a folder's or zip's files.
type imageList struct {
	images    []string
	hasLabels bool
	ignored   int
}

// add adds a file. It ignores files that are neither images nor dataset.json. An image
// format that cannot be read is an error.
func (l *imageList) add(name string) error {
	if isHidden(name) {
		return nil
	}
	if path.Base(name) == labelsFile {
		if name != labelsFile {
			return fmt.Errorf("%s: expected %s at the top, not in a sub-folder; open that sub-folder, or remove the file", name, labelsFile)
		}
		l.hasLabels = true
		return nil
	}
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".png", ".jpg", ".jpeg":
		if len(l.images) == maxImages {
			return fmt.Errorf("more than %d images", maxImages)
		}
		l.images = append(l.images, name)
	case ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".heic", ".jp2", ".jxl", ".ppm", ".pgm", ".npy":
		return fmt.Errorf("%s: unsupported file type %s: expected PNG or JPEG; convert it", name, ext)
	default:
		l.ignored++
	}
	return nil
}

// isHidden reports whether an element of the path starts with a dot or is a folder
// that macOS adds to zips.
func isHidden(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool {
		return strings.HasPrefix(s, ".") || s == "__MACOSX"
	})
}

// sorted returns the images by name.
func (l *imageList) sorted() ([]string, error) {
	if len(l.images) == 0 {
		return nil, fmt.Errorf("holds no PNG or JPEG images (and %d other files): expected %s", l.ignored, supported)
	}
	slices.Sort(l.images)
	for i, name := range l.images[1:] {
		if name == l.images[i] {
			return nil, fmt.Errorf("%s occurs twice", name)
		}
	}
	return l.images, nil
}
