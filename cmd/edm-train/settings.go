package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"edm/train"
	"edm/unet"
)

// setting is one flag that sets one value of the configuration.
type setting struct {
	name string
	bind func(f *pflag.FlagSet, c *train.Config)
	copy func(dst, src *train.Config)
}

// value returns the setting of the field that at points to. The usage gets each
// preset's default.
func value[T any](bind func(*pflag.FlagSet, *T, string, T, string), name, usage string, at func(*train.Config) *T) setting {
	return setting{
		name: name,
		bind: func(f *pflag.FlagSet, c *train.Config) {
			zero := *new(T)
			bind(f, at(c), name, zero, usage+defaults(func(c *train.Config) any { return *at(c) }))
		},
		copy: func(dst, src *train.Config) { *at(dst) = *at(src) },
	}
}

// plain is value without the presets' defaults, which the usage names.
func plain[T any](bind func(*pflag.FlagSet, *T, string, T, string), name, usage string, at func(*train.Config) *T) setting {
	s := value(bind, name, usage, at)
	s.bind = func(f *pflag.FlagSet, c *train.Config) { bind(f, at(c), name, *new(T), usage) }
	return s
}

// params is the setting of a map of constants: those given go over those that
// are there.
func params(name, usage string, at func(*train.Config) *map[string]float64) setting {
	s := plain(constantsVar, name, usage, at)
	s.copy = func(dst, src *train.Config) {
		all := maps.Clone(*at(dst))
		if all == nil {
			all = map[string]float64{}
		}
		maps.Copy(all, *at(src))
		*at(dst) = all
	}
	return s
}

// presets returns every preset, shortest run first.
func presets() []train.Config {
	var all []train.Config
	for _, name := range unet.PresetNames() {
		if c, err := train.Preset(name); err == nil {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b train.Config) int { return cmp.Compare(a.Duration, b.Duration) })
	return all
}

// defaults describes the presets' values of a field, shortest run first; those
// with one value stand together.
func defaults(get func(*train.Config) any) string {
	all := presets()
	var names, values []string // of each value, in the order of its first preset
	for i := range all {
		v := words(get(&all[i]))
		if k := slices.Index(values, v); k >= 0 {
			names[k] += ", " + all[i].Preset
			continue
		}
		names, values = append(names, all[i].Preset), append(values, v)
	}
	if len(values) == 1 {
		if values[0] == "false" {
			return ""
		}
		return fmt.Sprintf(" (default %s)", values[0])
	}
	for k, v := range values {
		names[k] += " " + v
	}
	return fmt.Sprintf(" (default: %s)", strings.Join(names, "; "))
}

// words returns a value as it is given on the command line.
func words(v any) string {
	if list, ok := v.([]int); ok {
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
	}
	return fmt.Sprint(v)
}

// intList is a flag's list of numbers, such as 1,2,2. Unlike pflag's own it may
// be empty.
type intList []int

func intListVar(f *pflag.FlagSet, p *[]int, name string, v []int, usage string) {
	*p = v
	f.Var((*intList)(p), name, usage)
}

// String returns the list as Set takes it.
func (l *intList) String() string { return words([]int(*l)) }

// Type returns the word that the help text has for the value.
func (l *intList) Type() string { return "numbers" }

// Set parses numbers with commas between them; nothing is the empty list.
func (l *intList) Set(text string) error {
	list := []int{}
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q is no number: want a list like 1,2,2, or nothing", part)
		}
		list = append(list, n)
	}
	*l = list
	return nil
}

// constants is a flag's map of numbers, such as M=1000,epsilon_t=1e-5.
type constants map[string]float64

func constantsVar(f *pflag.FlagSet, p *map[string]float64, name string, v map[string]float64, usage string) {
	*p = v
	f.Var((*constants)(p), name, usage)
}

// String returns the map as Set takes it.
func (c *constants) String() string {
	var each []string
	for _, name := range slices.Sorted(maps.Keys(*c)) {
		each = append(each, fmt.Sprintf("%s=%v", name, (*c)[name]))
	}
	return strings.Join(each, ",")
}

// Type returns the word that the help text has for the value.
func (c *constants) Type() string { return "name=number" }

// Set parses constants with commas between them and adds them to the map.
func (c *constants) Set(text string) error {
	all := maps.Clone(*c)
	if all == nil {
		all = constants{}
	}
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		name, number, _ := strings.Cut(part, "=")
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			return fmt.Errorf("%q is no constant: want a list like M=1000,epsilon_t=1e-5", part)
		}
		all[strings.TrimSpace(name)] = v
	}
	*c = all
	return nil
}

// settings returns the flags of the configuration in the order of the help
// text.
func settings() []setting {
	type config = train.Config
	number, count := (*pflag.FlagSet).Float64Var, (*pflag.FlagSet).IntVar
	text, toggle, list := (*pflag.FlagSet).StringVar, (*pflag.FlagSet).BoolVar, intListVar
	return []setting{
		value(text, "data", "`path` of the dataset: IDX, CIFAR-10 (folder or .tar.gz), zip or folder of images; demo is built in", func(c *config) *string { return &c.Data }),
		value(toggle, "cond", "class-conditional: train with the labels", func(c *config) *bool { return &c.Cond }),
		value(number, "duration", "length of the run in `Mimg`; 0.002 is 2,000 images", func(c *config) *float64 { return &c.Duration }),
		value(count, "batch", "`images` of a step", func(c *config) *int { return &c.Batch }),
		value(count, "micro", "`images` of a pass over the network; divides --batch", func(c *config) *int { return &c.Micro }),
		plain(list, "recompute", "image `sizes` at which the insides of the network's blocks are computed again for the gradients and not kept: less memory, up to a quarter more work, the same results (default: none)", func(c *config) *[]int { return &c.Recompute }),
		plain(toggle, "recompute-light", "the same at every size for what takes no matrix product: a little more than half of a step's memory for little time (--dry-run prints the choices)", func(c *config) *bool { return &c.RecomputeLight }),
		value(text, "device", "`name` of what computes: auto, the first GPU that will do or else the processor; cpu; cuda, or cuda:N by number", func(c *config) *string { return &c.Device }),
		value(text, "precision", "`name` of how a GPU computes products: fp32, tf32 or bf16; weights and sums are float32 in all", func(c *config) *string { return &c.Precision }),
		value((*pflag.FlagSet).Uint64Var, "seed", "`number` that decides every random draw", func(c *config) *uint64 { return &c.Seed }),
		value(toggle, "xflip", "mirror half of the images", func(c *config) *bool { return &c.XFlip }),
		value(number, "augment", "`probability` of each augmentation (9 labels tell the network of them); 0 for none", func(c *config) *float64 { return &c.Augment }),

		value(text, "arch", "`name` of the network architecture: ddpmpp, ncsnpp or adm; its widths stay the preset's", func(c *config) *string { return &c.Arch }),
		value(count, "model-channels", "base `width` of the network (also --cbase)", func(c *config) *int { return &c.ModelChannels }),
		value(list, "channel-mult", "`widths` of the levels, in units of it (also --cres)", func(c *config) *[]int { return &c.ChannelMult }),
		value(count, "num-blocks", "residual `blocks` of a level", func(c *config) *int { return &c.NumBlocks }),
		value(list, "attn-resolutions", "`resolutions` with attention, in pixels; '' for none", func(c *config) *[]int { return &c.AttnResolutions }),
		value(number, "dropout", "dropout `probability`", func(c *config) *float64 { return &c.Dropout }),
		value(number, "label-dropout", "`probability` of training an image without its label", func(c *config) *float64 { return &c.LabelDropout }),

		value(text, "precond", "`name` of the preconditioning: edm, vp, ve or iddpm", func(c *config) *string { return &c.Precond }),
		params("precond-params", "its constants, such as `M=1000,epsilon_t=1e-5` (default: as published)", func(c *config) *map[string]float64 { return &c.PrecondParams }),
		plain(text, "loss", "`name` of the objective: edm, vp, ve, ddpm-linear, ddpm-cosine or ncsn (default: the preconditioning's own)", func(c *config) *string { return &c.Loss }),
		params("loss-params", "its constants, such as `sigma_max=60,scales=200` (default: as published; ncsn measures these two)", func(c *config) *map[string]float64 { return &c.LossParams }),
		value(number, "sigma-data", "edm: standard `deviation` of the data, in units of [-1, 1]", func(c *config) *float64 { return &c.SigmaData }),
		value(number, "p-mean", "edm: `mean` of ln sigma in training", func(c *config) *float64 { return &c.PMean }),
		value(number, "p-std", "edm: standard `deviation` of ln sigma in training", func(c *config) *float64 { return &c.PStd }),

		value(number, "lr", "Adam learning `rate`", func(c *config) *float64 { return &c.LR }),
		value(number, "lr-rampup", "`Mimg` over which the learning rate rises from 0", func(c *config) *float64 { return &c.LRRampup }),
		value(number, "beta1", "Adam beta1, a `fraction`", func(c *config) *float64 { return &c.Beta1 }),
		value(number, "beta2", "Adam beta2, a `fraction`", func(c *config) *float64 { return &c.Beta2 }),
		value(number, "eps", "Adam epsilon, a `number`", func(c *config) *float64 { return &c.Eps }),
		value(number, "clip-norm", "limit of the gradient's `norm`; 0 for none", func(c *config) *float64 { return &c.ClipNorm }),
		value(number, "ema", "half-life of the weight average in `Mimg`", func(c *config) *float64 { return &c.EMA }),
		value(number, "ema-rampup", "limit of that half-life as a `fraction` of the images so far; 0 for none", func(c *config) *float64 { return &c.EMARampup }),

		value(count, "validation", "`images` held out for the validation loss; by default at most a twentieth of the data", func(c *config) *int { return &c.Validation }),
		value(count, "tick", "`kimg` between log lines", func(c *config) *int { return &c.Tick }),
		value(count, "snap", "`ticks` between snapshots; 0 for one at the end only", func(c *config) *int { return &c.Snap }),
		value(count, "dump", "`ticks` between states; 0 for one at the end only", func(c *config) *int { return &c.Dump }),
		value(count, "keep", "`states` kept", func(c *config) *int { return &c.Keep }),
	}
}

// spell takes underscores for dashes, as config files have them, and the
// published tool's short names.
func spell(name string) string {
	name = strings.ReplaceAll(name, "_", "-")
	switch name {
	case "cbase":
		return "model-channels"
	case "cres":
		return "channel-mult"
	}
	return name
}
