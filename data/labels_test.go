package data

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLabels(t *testing.T) {
	files := []string{"a.png", "b/c.png"}
	for text, want := range map[string][]int32{
		`{"labels": [["b/c.png", 2], ["a.png", 0]]}`:             {0, 2},
		`{"labels": [["b\\c.png", 65535], ["a.png", 1]]}`:        {1, 65535},
		`{"other": 1, "labels": [["a.png", 0], ["b/c.png", 0]]}`: {0, 0},
		`{"labels": null}`: nil,
		`{}`:               nil,
	} {
		got, err := parseLabels([]byte(text), files)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, error %v, want %v", text, got, err, want)
		}
	}
}

func TestParseLabelsFaults(t *testing.T) {
	files := []string{"a.png", "b.png"}
	for text, word := range map[string]string{
		``:                          "unexpected end of JSON",
		`[]`:                        `{"labels"`,
		`{"labels": 7}`:             `{"labels"`,
		`{"labels": [["a.png", 0]]`: "unexpected end of JSON",
		`{"labels": [["a.png", 0], ["b.png", 1]]} x`:             "invalid character",
		`{"labels": [["a.png", 0]]}`:                             "no label for b.png (1 labels for 2 images)",
		`{"labels": []}`:                                         "no label for a.png",
		`{"labels": [["a.png", 0], ["a.png", 0], ["b.png", 1]]}`: "labels a.png twice",
		`{"labels": [["a.png", 0], ["b.png", 1], ["c.png", 1]]}`: "labels c.png, which is not among",
		`{"labels": [["a.png", -1], ["b.png", 1]]}`:              `["a.png", -1]: expected a class number from 0 to 65535`,
		`{"labels": [["a.png", 65536], ["b.png", 1]]}`:           "class number",
		`{"labels": [["a.png", 1e30], ["b.png", 1]]}`:            "class number",
		`{"labels": [["a.png", 0.5], ["b.png", 1]]}`:             "class number",
		`{"labels": [["a.png", null], ["b.png", 1]]}`:            "class number",
		`{"labels": [["a.png", "1"], ["b.png", 1]]}`:             "class number",
		`{"labels": [["a.png", [0, 1]], ["b.png", [1, 0]]]}`:     "class number",
		`{"labels": [[1, "a.png"], ["b.png", 1]]}`:               "name first",
		`{"labels": [["a.png", 1, 2], ["b.png", 1]]}`:            "expected a pair",
		`{"labels": [{"a.png": 1}, ["b.png", 1]]}`:               "expected a pair",
		`{"labels": [["a.png", 1], null]}`:                       "expected a pair",
	} {
		labels, err := parseLabels([]byte(text), files)
		if err == nil {
			t.Errorf("%s: %v, want an error about %q", text, labels, word)
			continue
		}
		wantError(t, err, word)
	}
}
