// Package gputest gives tests of whole programs the GPU, if this build and
// machine have one.
package gputest
