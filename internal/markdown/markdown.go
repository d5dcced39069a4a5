// Package markdown writes the tables of the project's documents.
package markdown

import (
	"fmt"
	"strings"
)

// Table returns rows of equally many cells, the first of which are headings, as
// a Markdown table in columns that line up. A bar in a cell is escaped.
func Table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	cells := make([][]string, len(rows))
	for i, row := range rows {
		for k, cell := range row {
			cell = strings.ReplaceAll(cell, "|", `\|`)
			cells[i] = append(cells[i], cell)
			widths[k] = max(widths[k], len(cell))
		}
	}
	var b strings.Builder
	for i, row := range cells {
		for k, cell := range row {
			fmt.Fprintf(&b, "| %-*s ", widths[k], cell)
		}
		b.WriteString("|\n")
		if i == 0 {
			for _, n := range widths {
				b.WriteString("|" + strings.Repeat("-", n+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}
