package netpkl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/nlpodyssey/gopickle/types"
)

// outerGlobals returns all that a network pickle may name besides what gopickle
// itself answers: collections.OrderedDict, and Python 2's object and
// _reconstructor, of which nothing can be made here. Each holds data or makes a
// holder of data.
func outerGlobals(s *storages) map[string]any {
	parameter := &function{"Parameter", rebuildParameter}
	set := &function{"set", func([]any) (any, error) { return types.NewSet(), nil }}
	scalar := &function{"numpy scalar", numpyScalar}
	return map[string]any{
		"torch_utils.persistence._reconstruct_persistent_obj": &function{"persistent object", reconstruct},

		"torch.storage._load_from_bytes":        &function{"stored tensor", s.load},
		"torch._utils._rebuild_tensor":          &function{"tensor", rebuildTensor},
		"torch._utils._rebuild_tensor_v2":       &function{"tensor", rebuildTensor},
		"torch._utils._rebuild_parameter":       parameter,
		"torch.nn.parameter.Parameter":          parameter,
		"torch.nn.Parameter":                    parameter,
		"torch.nn.parameter.Buffer":             parameter,
		"torch.nn.modules.container.ModuleDict": class("ModuleDict"),
		"torch.nn.modules.container.ModuleList": class("ModuleList"),
		"torch.nn.modules.container.Sequential": class("Sequential"),

		"numpy.core.multiarray.scalar":  scalar,
		"numpy._core.multiarray.scalar": scalar,
		"numpy.dtype":                   &function{"numpy dtype", newDtype},

		"dnnlib.util.EasyDict": dictClass{},
		"dnnlib.EasyDict":      dictClass{},
		"builtins.set":         set,
		"builtins.frozenset":   set,
		"__builtin__.set":      set,
	}
}

// reconstruct is torch_utils.persistence._reconstruct_persistent_obj without
// the class's source text, which is not looked at.
func reconstruct(args []any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%d arguments, want 1", len(args))
	}
	meta, err := fieldsOf(args[0])
	if err != nil {
		return nil, err
	}
	if kind, _ := meta["type"].(string); kind != "class" {
		return nil, fmt.Errorf("type %q, want class", kind)
	}
	name, ok := meta["class_name"].(string)
	if !ok {
		return nil, errors.New("no class name")
	}
	return &object{name, meta["state"]}, nil
}

// rebuildParameter returns the tensor that a parameter is.
func rebuildParameter(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("no arguments")
	}
	t, ok := args[0].(*tensor)
	if !ok {
		return nil, fmt.Errorf("made from %s, want a tensor", kindOf(args[0]))
	}
	return t, nil
}

// dtype is a numpy element type.
type dtype struct {
	code string // "f8", "i8", ...
	big  bool   // big-endian
}

func newDtype(args []any) (any, error) {
	if len(args) > 0 {
		if code, ok := args[0].(string); ok {
			return &dtype{code: code}, nil
		}
	}
	return nil, errors.New("no name of an element type")
}

// PySetState takes numpy's (version, byte order, ...); the machine calls it.
func (d *dtype) PySetState(state any) error {
	fields, _ := items(state)
	if len(fields) < 2 {
		return refuse("numpy dtype: no byte order")
	}
	order, _ := fields[1].(string)
	d.big = order == ">"
	return nil
}

// numpyScalar returns a number.
func numpyScalar(args []any) (any, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("%d arguments, want 2", len(args))
	}
	d, ok := args[0].(*dtype)
	b, isBytes := args[1].([]byte)
	if !ok || !isBytes {
		return nil, fmt.Errorf("made from %s and %s", kindOf(args[0]), kindOf(args[1]))
	}
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	switch {
	case d.code == "f8" && len(b) == 8:
		return math.Float64frombits(order.Uint64(b)), nil
	case d.code == "f4" && len(b) == 4:
		return float64(math.Float32frombits(order.Uint32(b))), nil
	case d.code == "i8" && len(b) == 8:
		return int(order.Uint64(b)), nil
	case d.code == "i4" && len(b) == 4:
		return int(int32(order.Uint32(b))), nil
	case d.code == "b1" && len(b) == 1:
		return b[0] != 0, nil
	}
	return nil, fmt.Errorf("%d bytes of type %q", len(b), d.code)
}
