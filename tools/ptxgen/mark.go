package main

import (
	"fmt"
	"regexp"
	"strings"
)

// opening matches the text between a kernel's name and its body.
var opening = regexp.MustCompile(`\.entry (\w+)\(([^()]*)\)([^(){};]*)\{\n`)

// marking is what a kernel does first: thread 0 of block 0 writes 1 to the word
// whose address its last parameter holds, unless that is 0. A kernel that fails
// takes the device's memory with it, so the word lies in the host's, and the store
// is one that the host sees. The scope of its own keeps its registers apart from
// the compiler's.
const marking = `	{
	.reg .pred 	%%first;
	.reg .b32 	%%place, %%part;
	.reg .b64 	%%mark;
	ld.param.u64 	%%mark, [%s_mark];
	cvta.to.global.u64 	%%mark, %%mark;
	mov.u32 	%%place, %%tid.x;
	mov.u32 	%%part, %%tid.y;
	or.b32 	%%place, %%place, %%part;
	mov.u32 	%%part, %%tid.z;
	or.b32 	%%place, %%place, %%part;
	mov.u32 	%%part, %%ctaid.x;
	or.b32 	%%place, %%place, %%part;
	mov.u32 	%%part, %%ctaid.y;
	or.b32 	%%place, %%place, %%part;
	mov.u32 	%%part, %%ctaid.z;
	or.b32 	%%place, %%place, %%part;
	setp.eq.u32 	%%first, %%place, 0;
	setp.ne.and.u64 	%%first, %%mark, 0, %%first;
	mov.u32 	%%part, 1;
	@%%first st.relaxed.sys.global.u32 	[%%mark], %%part;
	}
`

// mark gives every kernel of a PTX text one more parameter, the last, NAME_mark,
// by which it tells the host that it has begun.
func mark(ptx string) (string, error) {
	marked := opening.ReplaceAllStringFunc(ptx, func(text string) string {
		m := opening.FindStringSubmatch(text)
		name, parameters, directives := m[1], strings.TrimSpace(m[2]), m[3]
		if parameters != "" {
			parameters += ",\n\t"
		}
		return fmt.Sprintf(".entry %s(\n\t%s.param .u64 %s_mark\n)%s{\n"+marking,
			name, parameters, name, directives, name)
	})
	want := strings.Count(ptx, ".entry ")
	if got := strings.Count(marked, "_mark]"); got != want {
		return "", fmt.Errorf("found the bodies of %d kernels of %d: the compiler writes them in another way than expected", got, want)
	}
	return marked, nil
}
