package netpkl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/nlpodyssey/gopickle/pickle"
)

// unpickle returns the value that a network pickle stands for.
func unpickle(r io.ReaderAt, size int64) (any, error) {
	if err := sniff(r, size); err != nil {
		return nil, err
	}
	sk, err := scan(newSource(r, 0, size), outerLimits(), false)
	if err != nil {
		return nil, err
	}
	if sk.end != size {
		return nil, fmt.Errorf("%d bytes after the end of the pickle", size-sk.end)
	}
	globals := outerGlobals(&storages{r: r, known: map[*blob]*storage{}})
	return sk.load(globals, nil)
}

// load runs the skeleton on gopickle's machine. globals are the names it may
// use; resolve, which may be nil, turns the pickle's own references into
// values. A panic of the machine is an error.
func (sk *skeleton) load(globals map[string]any, resolve func(any) (any, error)) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("malformed pickle: %s", shorten(fmt.Sprint(r)))
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(sk.code))
	u.FindClass = func(module, name string) (any, error) {
		if g, ok := globals[module+"."+name]; ok {
			return g, nil
		}
		return nil, refuse("the pickle uses %s.%s, which is not on the list of what network pickles may use", module, name)
	}
	u.PersistentLoad = func(id any) (any, error) {
		if i, ok := id.(int); ok && i >= 0 && i < len(sk.blobs) {
			return sk.blobs[i], nil
		}
		if resolve == nil {
			return nil, refuse("the pickle has an unknown persistent reference")
		}
		return resolve(id)
	}
	v, err = u.Load()
	var own refusal
	if err == nil || errors.As(err, &own) {
		return v, err
	}
	return nil, fmt.Errorf("malformed pickle: %s", shorten(err.Error()))
}

// refusal is an error of this package that comes back through the machine.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// shorten cuts the text of an error of the machine, which may print whole
// containers.
func shorten(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
