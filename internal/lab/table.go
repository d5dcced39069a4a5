package lab

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"edm/internal/markdown"
)

// columns are the headings of the table.
func columns() []string {
	return []string{"sampler", "budget", "steps", "NFE", "RMS error", "s/image", "mean", "std", "note"}
}

// rows returns the table's lines: the references, then the trials.
func (c *Comparison) rows() [][]string {
	var rows [][]string
	for _, r := range c.References {
		rows = append(rows, []string{
			"reference (Heun)", "", strconv.Itoa(r.Steps), strconv.Itoa(r.NFE), number(r.Accuracy), number(r.Seconds),
			decimals(r.Mean), decimals(r.Std), fmt.Sprintf("sigma %.4g to %.4g; its own error by halving the steps", r.SigmaMax, r.SigmaMin),
		})
	}
	for _, t := range c.Trials {
		if t.Note != "" {
			rows = append(rows, []string{t.Entry, t.allowed(), "", "", "", "", "", "", t.Note})
			continue
		}
		rows = append(rows, []string{
			t.Entry, t.allowed(), t.steps(), strconv.Itoa(t.NFE), number(t.RMS), number(t.Seconds),
			decimals(t.Mean), decimals(t.Std), t.remark(),
		})
	}
	return rows
}

// allowed returns the budget of a trial.
func (t Trial) allowed() string {
	if t.Tolerance > 0 {
		return fmt.Sprintf("rtol %g", t.Tolerance)
	}
	return strconv.Itoa(t.Budget)
}

func (t Trial) steps() string {
	if t.Steps == 0 {
		return ""
	}
	return strconv.Itoa(t.Steps)
}

func (t Trial) remark() string {
	if t.Stochastic {
		return "stochastic: compare mean and std alone"
	}
	return ""
}

// number returns three digits, nothing for NaN.
func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func decimals(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// WriteCSV writes the table with a line of headings.
func (c *Comparison) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns()); err != nil {
		return err
	}
	return out.WriteAll(c.rows())
}

// WriteMarkdown writes the table in columns that line up.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	_, err := io.WriteString(w, markdown.Table(append([][]string{columns()}, c.rows()...)))
	return err
}
