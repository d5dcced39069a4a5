package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folderSource opens the files of a folder.
type folderSource string

func (s folderSource) Close() error { return nil }

func (s folderSource) open(name string) (io.ReadCloser, int64, error) {
	f, err := os.Open(filepath.Join(string(s), filepath.FromSlash(name)))
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, 0, errors.Join(withoutPath(err), f.Close())
	}
	return f, info.Size(), nil
}

// openImageFolder opens a folder of image files.
func openImageFolder(path string, o Options) (*images, error) {
	list, err := listFolder(path)
	if err != nil {
		return nil, err
	}
	files, err := list.sorted()
	if err != nil {
		return nil, err
	}
	source := folderSource(path)
	// Labels first: they cost little and fail at once.
	var labels []int32
	var names []string
	if list.hasLabels {
		labels, err = readLabels(source, files)
	} else {
		labels, names, err = folderLabels(files)
	}
	if err != nil {
		return nil, err
	}
	m, err := newImages(path, source, files, o)
	if err != nil {
		return nil, err
	}
	m.name = baseName(path)
	m.setLabels(labels, names)
	return m, nil
}

// listFolder walks a folder. Links to files are followed, links to folders are
// an error.
func listFolder(root string) (*imageList, error) {
	list := &imageList{}
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, withoutPath(err))
		case name == ".":
			return nil
		case d.IsDir() && isHidden(d.Name()):
			return fs.SkipDir
		case d.IsDir() || isHidden(name):
			return nil
		}
		mode := d.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := fs.Stat(tree, name)
			if err != nil {
				return fmt.Errorf("%s: broken link: %w", name, withoutPath(err))
			}
			mode = info.Mode()
		}
		if mode.IsDir() {
			return fmt.Errorf("%s is a link to a folder, which is not followed: put the folder itself there", name)
		}
		if !mode.IsRegular() {
			return fmt.Errorf("%s: not a regular file", name)
		}
		return list.add(name)
	})
	return list, err
}

// folderLabels makes the first-level sub-folders the classes. Images in the
// folder itself have no class; then none may have one.
func folderLabels(files []string) (labels []int32, names []string, err error) {
	var loose string
	for _, f := range files {
		class, _, found := strings.Cut(f, "/")
		switch {
		case !found:
			loose = f
		// Names are sorted as whole paths, where "a-b/" comes before "a/": so
		// the classes are not yet in the order of their own names.
		case len(names) == 0 || names[len(names)-1] != class:
			names = append(names, class)
		}
	}
	if loose != "" && len(names) > 0 {
		return nil, nil, fmt.Errorf(`%s is in no class, but there are sub-folders (%s): expected all images in sub-folders or none; for no labels at all, add a %s that says {"labels": null}`,
			loose, names[0], labelsFile)
	}
	if len(names) == 0 {
		return nil, nil, nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxClasses {
		return nil, nil, fmt.Errorf("%d sub-folders: expected at most %d classes", len(names), maxClasses)
	}
	for _, f := range files {
		class, _, _ := strings.Cut(f, "/")
		k, _ := slices.BinarySearch(names, class)
		labels = append(labels, int32(k))
	}
	return labels, names, nil
}

// setLabels attaches labels (nil: none) and the names of their classes (nil:
// not known; the largest label tells how many there are).
func (m *images) setLabels(labels []int32, names []string) {
	m.labels, m.classNames, m.classes = labels, names, len(names)
	for _, l := range labels {
		m.classes = max(m.classes, int(l)+1)
	}
}
