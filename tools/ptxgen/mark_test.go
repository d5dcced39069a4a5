package main

import (
	"strings"
	"testing"
)

const twoKernels = `.version 7.0
.target sm_80
.visible .entry add(
	.param .u64 add_param_0,
	.param .align 64 .b8 add_param_1[128]
)
.maxntid 256, 1, 1
.minnctapersm 3
{
	.reg .pred 	%p<2>;
	{
	ret;
	}
}
.visible .entry nothing()
{
	ret;
}
`

// Every kernel gets the parameter behind its own and begins with the store; all
// else stays.
func TestMark(t *testing.T) {
	got, err := mark(twoKernels)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"	.param .align 64 .b8 add_param_1[128],\n	.param .u64 add_mark\n)\n.maxntid 256, 1, 1\n.minnctapersm 3\n{\n	{\n",
		"	ld.param.u64 	%mark, [add_mark];\n",
		".visible .entry nothing(\n	.param .u64 nothing_mark\n)\n{\n	{\n",
		"	@%first st.relaxed.sys.global.u32 	[%mark], %part;\n	}\n	.reg .pred 	%p<2>;\n	{\n	ret;\n	}\n}\n.visible",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q stands there %d times, want once, in\n%s", want, strings.Count(got, want), got)
		}
	}
	if n := strings.Count(got, "\n") - strings.Count(twoKernels, "\n"); n != 2*strings.Count(marking, "\n")+3 {
		t.Errorf("%d lines more", n)
	}
}

// A kernel that is written in another way is an error, not one without a mark.
func TestMarkRefuses(t *testing.T) {
	for _, text := range []string{
		strings.Replace(twoKernels, "{\n\t.reg", "{ .reg", 1),
		twoKernels + ".visible .entry declared(.param .u64 declared_param_0);\n",
	} {
		if _, err := mark(text); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%v for\n%s", err, text)
		}
	}
}
