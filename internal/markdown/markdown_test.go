package markdown_test

import (
	"testing"

	"edm/internal/markdown"
)

func TestTable(t *testing.T) {
	rows := [][]string{{"a", "b|"}, {"ccc", ""}}
	if got, want := markdown.Table(rows), "| a   | b\\| |\n|-----|-----|\n| ccc |     |\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if rows[0][1] != "b|" {
		t.Error("the caller's rows were changed")
	}
}
