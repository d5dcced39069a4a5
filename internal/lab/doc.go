// Package lab compares samplers, as Sec. 3 and App. D of the EDM paper do
// (Karras et al. 2022): their error for a budget of network evaluations, the
// error of single steps by noise level (Fig. 13), and pictures of the ODE itself
// on data whose score is known in closed form (Fig. 3).
package lab
