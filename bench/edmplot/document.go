package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"edm/internal/atomicfile"
)

// document is a Markdown file with places for measured sections.
type document struct{ path string }

// openDocument returns a document that has a place for each of the names.
func openDocument(path string, names []string) (*document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: run this in the root of the project, or name the document with -doc", err)
	}
	for _, name := range names {
		if _, err := replaceSection(string(text), name, ""); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return &document{path}, nil
}

// write puts a section in its place and its figure into the document's folder.
// The file is read again: others may have changed it during the measurement.
func (d *document) write(name string, c content) error {
	text, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	body := "\n" + c.table + "\n"
	if len(c.plots) > 0 {
		folder := strings.TrimSuffix(d.path, filepath.Ext(d.path))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		err := atomicfile.Write(filepath.Join(folder, name+".svg"), 0o644, func(w io.Writer) error { return writeSVG(w, c.plots) })
		if err != nil {
			return err
		}
		body = fmt.Sprintf("\n![%s](%s/%s.svg)\n", c.alt, filepath.Base(folder), name) + body
	}
	replaced, err := replaceSection(string(text), name, body)
	if err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	return atomicfile.Write(d.path, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader([]byte(replaced)))
		return err
	})
}

// replaceSection returns the document with the text between the markers of a section
// replaced.
func replaceSection(text, name, body string) (string, error) {
	begin, end := fmt.Sprintf("<!-- measured: %s -->", name), fmt.Sprintf("<!-- end: %s -->", name)
	if strings.Count(text, begin) != 1 || strings.Count(text, end) != 1 || strings.Index(text, end) < strings.Index(text, begin) {
		return "", fmt.Errorf("no place for %s: want one line %s and one line %s behind it", name, begin, end)
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, _ := strings.Cut(rest, end)
	return before + begin + "\n" + body + end + after, nil
}
