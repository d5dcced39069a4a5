package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"edm/train"
)

// Every key of the configuration has a flag of the same name, and every flag
// sets its own key and nothing else.
func TestSettingsCoverConfig(t *testing.T) {
	elsewhere := map[string]bool{"preset": true, "resolution": true, "channels": true, "classes": true, "transfer": true}
	known := map[string]setting{}
	for _, s := range settings() {
		known[s.name] = s
	}
	fields := reflect.TypeFor[train.Config]()
	for i := range fields.NumField() {
		key := fields.Field(i).Tag.Get("yaml")
		s, ok := known[spell(key)]
		if ok == elsewhere[key] {
			t.Errorf("key %s has a setting: %v, want %v", key, ok, !ok)
			continue
		}
		delete(known, spell(key))
		if ok {
			checkSetting(t, s, i)
		}
	}
	if len(known) > 0 {
		t.Errorf("settings without a key: %v", known)
	}
}

func checkSetting(t *testing.T, s setting, field int) {
	t.Helper()
	var from, got, want train.Config
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.bind(f, &from)
	text := map[string]string{"string": "x", "bool": "true", "int": "3", "uint64": "3", "float64": "0.5", "numbers": "1,2", "name=number": "M=5"}[f.Lookup(s.name).Value.Type()]
	if err := f.Set(s.name, text); err != nil {
		t.Fatal(err)
	}
	s.copy(&got, &from)
	reflect.ValueOf(&want).Elem().Field(field).Set(reflect.ValueOf(from).Field(field))
	if reflect.ValueOf(want).Field(field).IsZero() {
		t.Errorf("--%s %s sets nothing", s.name, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("--%s:\n%s", s.name, diff)
	}
}

// The help has every preset's default and the units.
func TestHelp(t *testing.T) {
	code, help, _ := execute("--help")
	if code != 0 {
		t.Fatalf("exit status %d", code)
	}
	for _, want := range []string{
		"--duration Mimg", "(default: demo 0.05; small 2; afhqv2-64, cifar10, ffhq64 200; imagenet64 2500)", "--tick kimg", "(default: demo, small 1,2,2; afhqv2-64, ffhq64 1,2,2,2; cifar10 2,2,2; imagenet64 1,2,3,4)",
		"Adam beta1, a fraction (default 0.9)", "--resume run", "edm-train completion --help",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q", want)
		}
	}
	if strings.Contains(help, "default false") || strings.Contains(help, "default )") {
		t.Error("help has an empty default")
	}
}

func TestIntList(t *testing.T) {
	for text, want := range map[string]intList{"": {}, "16": {16}, "1,2, 2": {1, 2, 2}} {
		var l intList
		if err := l.Set(text); err != nil || !cmp.Equal(l, want) {
			t.Errorf("%q: %v (%v), want %v", text, l, err, want)
		}
	}
	for _, text := range []string{"x", "1,", ",", "1.5"} {
		l := intList{7}
		if err := l.Set(text); err == nil || !cmp.Equal(l, intList{7}) {
			t.Errorf("%q: %v and error %v, want an error and no change", text, l, err)
		}
	}
}

func TestConstants(t *testing.T) {
	var c constants
	for _, text := range []string{"", "M=1000, epsilon_t=1e-5", "M=20"} {
		if err := c.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if !cmp.Equal(c, constants{"M": 20, "epsilon_t": 1e-5}) || c.String() != "M=20,epsilon_t=1e-05" {
		t.Errorf("constants %v", c)
	}
	for _, text := range []string{"M", "M=x", "M=1,", "=,"} {
		if err := c.Set(text); err == nil || len(c) != 2 {
			t.Errorf("%q: %v and error %v, want an error and no change", text, c, err)
		}
	}
}

func TestCompletion(t *testing.T) {
	code, script, _ := execute("completion", "bash")
	if code != 0 || !strings.Contains(script, "edm-train") {
		t.Errorf("completion bash: exit status %d, %d bytes", code, len(script))
	}
	if _, words, _ := execute("__complete", "--preset", ""); !strings.Contains(words, "cifar10\ndemo\nffhq64\n") {
		t.Errorf("--preset completes to %q", words)
	}
}
