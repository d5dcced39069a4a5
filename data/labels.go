package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// imageLabel is one pair of dataset.json: [file name, class].
type imageLabel struct {
	file  string
	class int32
}

func (l *imageLabel) UnmarshalJSON(text []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(text, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("label %.80s: expected a pair [file name, class number]", text)
	}
	if err := json.Unmarshal(pair[0], &l.file); err != nil || l.file == "" {
		return fmt.Errorf("label %.80s: expected the file's name first", text)
	}
	var class int64
	if err := json.Unmarshal(pair[1], &class); err != nil || string(pair[1]) == "null" || class < 0 || class >= maxClasses {
		return fmt.Errorf("label %.80s: expected a class number from 0 to %d after the name", text, maxClasses-1)
	}
	l.class = int32(class)
	return nil
}

// readLabels reads dataset.json of source: one label for each of files, or nil
// if it says that there are none.
func readLabels(source imageSource, files []string) (labels []int32, err error) {
	text, err := readLabelsFile(source)
	if err == nil {
		labels, err = parseLabels(text, files)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", labelsFile, err)
	}
	return labels, nil
}

func readLabelsFile(source imageSource) (text []byte, err error) {
	r, size, err := source.open(labelsFile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > maxLabelsBytes {
		return nil, fmt.Errorf("%d bytes: expected at most %d", size, maxLabelsBytes)
	}
	return io.ReadAll(&capped{r, maxLabelsBytes})
}

func parseLabels(text []byte, files []string) ([]int32, error) {
	var content struct {
		Labels []imageLabel `json:"labels"`
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, fmt.Errorf(`expected {"labels": [["file.png", 0], …]} or {"labels": null}: %w`, err)
	}
	if content.Labels == nil {
		return nil, nil
	}
	index := make(map[string]int, len(files))
	labels := make([]int32, len(files))
	for i, f := range files {
		index[f] = i
		labels[i] = -1
	}
	for _, l := range content.Labels {
		i, ok := index[strings.ReplaceAll(l.file, `\`, "/")]
		if !ok {
			return nil, fmt.Errorf("labels %s, which is not among the images", l.file)
		}
		if labels[i] >= 0 {
			return nil, fmt.Errorf("labels %s twice", l.file)
		}
		labels[i] = l.class
	}
	for i, l := range labels {
		if l < 0 {
			return nil, fmt.Errorf("has no label for %s (%d labels for %d images)", files[i], len(content.Labels), len(files))
		}
	}
	return labels, nil
}
