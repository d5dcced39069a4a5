package ptx

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	comment    = regexp.MustCompile(`//.*`)
	definition = regexp.MustCompile(`(?m)^#define (\w+)\(([^)]*)\)(.*)$`)
	call       = regexp.MustCompile(`\b(\w+)\(([^()]*)\)`)
)

// macro is a macro with parameters.
type macro struct {
	parameters []string
	body       string
}

// exports returns the names that a source gives to EXPORT, by itself or through
// its macros, sorted.
func exports(source string) []string {
	source = strings.ReplaceAll(comment.ReplaceAllString(source, ""), "\\\n", " ")
	macros := map[string]macro{}
	for _, m := range definition.FindAllStringSubmatch(source, -1) {
		macros[m[1]] = macro{arguments(m[2]), m[3]}
	}
	names := expand(macros, definition.ReplaceAllString(source, ""))
	slices.Sort(names)
	return names
}

// expand returns the names that text exports.
func expand(macros map[string]macro, text string) []string {
	var names []string
	for _, m := range call.FindAllStringSubmatch(text, -1) {
		if m[1] == "EXPORT" {
			names = append(names, m[2])
		} else if known, ok := macros[m[1]]; ok {
			names = append(names, expand(macros, known.replace(arguments(m[2])))...)
		}
	}
	return names
}

// replace returns the body with arguments in place of the parameters.
func (m macro) replace(with []string) string {
	body := m.body
	for i, p := range m.parameters {
		if i < len(with) {
			body = regexp.MustCompile(`\b`+p+`\b`).ReplaceAllString(body, with[i])
		}
	}
	return regexp.MustCompile(`\s*##\s*`).ReplaceAllString(body, "")
}

// arguments splits a list at its commas.
func arguments(list string) []string {
	all := strings.Split(list, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

func TestExportsSeesMacros(t *testing.T) {
	source := "// EXPORT(none)\nKERNEL void one(int n) {}\nEXPORT(one)\n" +
		"#define MAKE(name, n) \\\n  KERNEL void name##n(float* y) { f<n>(y); } \\\n  EXPORT(name##n)\n" +
		"#define BOTH(name) MAKE(name, 2) MAKE(name, 3)\n" +
		"MAKE(up, 4)\nBOTH(down)\n"
	want := []string{"down2", "down3", "one", "up4"}
	if got := exports(source); !slices.Equal(got, want) {
		t.Errorf("exports %v, want %v", got, want)
	}
}
