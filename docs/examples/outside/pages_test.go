package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	// What the page's programs import.
	_ "edm/checkpoints"
	_ "edm/data"
	_ "edm/sample/generate"
	_ "edm/train"
)

// TestPages compiles every program on the library's page.
func TestPages(t *testing.T) {
	page, err := os.ReadFile("../../library.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	if len(programs) < 3 {
		t.Fatalf("%d programs, want three or more", len(programs))
	}
	for i, p := range programs {
		file := filepath.Join(t.TempDir(), "program"+strconv.Itoa(i)+".go")
		if err := os.WriteFile(file, p[1], 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("program %d: %v\n%s", i, err, said)
		}
		if said, err := exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("program %d is not formatted: %v\n%s", i, err, said)
		}
	}
}
