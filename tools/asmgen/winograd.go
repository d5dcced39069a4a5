package main

func winogradKernels() {}
