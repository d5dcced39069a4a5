package main

import (
	"fmt"
	"strconv"
	"strings"
)

// intList is a flag's list of whole numbers.
type intList []int

// String returns the list as Set takes it.
func (l *intList) String() string { return joined(*l) }

// Type returns the word that the help text has for the value.
func (l *intList) Type() string { return "numbers" }

// Set parses numbers with commas between them.
func (l *intList) Set(text string) (err error) {
	*l, err = parseList(text, strconv.Atoi)
	return err
}

// floatList is a flag's list of numbers.
type floatList []float64

// String returns the list as Set takes it.
func (l *floatList) String() string { return joined(*l) }

// Type returns the word that the help text has for the value.
func (l *floatList) Type() string { return "numbers" }

// Set parses numbers with commas between them.
func (l *floatList) Set(text string) (err error) {
	*l, err = parseList(text, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	return err
}

func parseList[T any](text string, parse func(string) (T, error)) ([]T, error) {
	var list []T
	for part := range strings.SplitSeq(text, ",") {
		v, err := parse(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is no number: want a list like 8,16,32", part)
		}
		list = append(list, v)
	}
	return list, nil
}

func joined[T any](list []T) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}
