package train

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints"
	"edm/data"
	"edm/data/augment"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// Every preconditioning with its own objective, every objective and every
// architecture trains, validates, saves and resumes.
func TestEveryKindTrains(t *testing.T) {
	type kind struct{ precond, loss, arch string }
	kinds := []kind{{"vp", "ddpm-linear", "ddpmpp"}, {"ve", "ncsn", "ncsnpp"}, {"iddpm", "edm", "adm"}}
	for _, p := range precond.Names() {
		kinds = append(kinds, kind{p, "", "ddpmpp"})
	}
	for _, k := range kinds {
		t.Run(strings.Join([]string{k.precond, k.loss, k.arch}, "-"), func(t *testing.T) {
			c := quick(t)
			c.Precond, c.PrecondParams, c.Loss, c.LossParams, c.Arch = k.precond, nil, k.loss, nil, k.arch
			c.Validation, c.Duration = 8, 0.000032
			if k.arch == "adm" {
				c.ModelChannels = 64 // one head of attention
			}
			o := options(t, t.TempDir())
			var ticks []Tick
			o.Hooks.Tick = func(x Tick) { ticks = append(ticks, x) }
			r := mustRun(t, c, o)
			if len(ticks) != 1 || ticks[0].ValEMA == nil || math.IsNaN(*ticks[0].ValEMA) || !(ticks[0].GradNorm > 0) {
				t.Fatalf("ticks %+v", ticks)
			}
			saved, err := LoadConfig(r.Dir)
			if err != nil {
				t.Fatal(err)
			}
			saved.Duration, o.Resume = 0.000064, r.Dir
			r = mustRun(t, saved, o)
			f, err := checkpoints.Load(r.Snapshot, checkpoints.Snapshot)
			if err != nil {
				t.Fatal(err)
			}
			m, _, err := model.FromSnapshot(f, o.Device)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Config(); got.Precond.Name() != k.precond || got.Network.Arch != k.arch || got.Network.AugmentDim != augmentLabels {
				t.Errorf("snapshot of %s, %s with %d augmentation labels", got.Precond.Name(), got.Network.Arch, got.Network.AugmentDim)
			}
		})
	}
}

// Training asks the network for the noise levels that samplers ask it for.
func TestLevelsAreSupported(t *testing.T) {
	for _, name := range precond.Names() {
		c := quick(t)
		c.Precond, c.Loss, c.PStd = name, loss.EDMName, 5
		l, err := newLevels(c)
		if err != nil {
			t.Fatal(err)
		}
		low, high := l.precond.SigmaRange()
		for i := range uint64(2000) {
			drawn := l.loss.Draw(1, i)
			got := l.supported(drawn)
			if !(got > 0 && got >= low && got <= high) || l.precond.RoundSigma(got) != got {
				t.Fatalf("%s: %g drawn, %g trained, supported are %g to %g", name, drawn, got, low, high)
			}
			if name == precond.EDMName && got != drawn {
				t.Fatalf("edm: %g drawn, %g trained", drawn, got)
			}
		}
	}
}

// Augmented images are functions of the seed and their number, in any
// microbatch; their labels go to the network and the loader's images stay.
func TestAugmentationByImageNumber(t *testing.T) {
	fill := func(micro int) (images, labels []float32, original []uint8) {
		c := quick(t)
		c.Micro, c.Augment = micro, 1
		d, err := newDraws(c, 64)
		if err != nil {
			t.Fatal(err)
		}
		b := &data.Batch{N: 8, Start: 40, Pixels: make([]uint8, 8*64), Labels: make([]int, 8)}
		for i := range b.Pixels {
			b.Pixels[i] = uint8(11 * (i % 23))
		}
		original = slices.Clone(b.Pixels)
		for at := 0; at < 8; at += micro {
			m := d.newBatch()
			if err := d.fill(m, b, at); err != nil {
				t.Fatal(err)
			}
			images, labels = append(images, m.Images...), append(labels, m.Augment...)
		}
		if !slices.Equal(b.Pixels, original) {
			t.Error("the loader's images were changed")
		}
		return images, labels, original
	}
	images, labels, original := fill(8)
	plain := make([]float32, len(original))
	data.Normalize(plain, original)
	if slices.Equal(images, plain) || len(labels) != 8*augmentLabels || slices.Max(labels) == 0 {
		t.Error("nothing was augmented")
	}
	for _, micro := range []int{1, 4} {
		i, l, _ := fill(micro)
		if !slices.Equal(i, images) || !slices.Equal(l, labels) {
			t.Errorf("microbatches of %d see other augmentations", micro)
		}
	}
	p, err := augment.New(augment.Published(0.5), 3, 16)
	if err != nil || p.Labels() != augmentLabels {
		t.Errorf("%d labels, want %d: %v", p.Labels(), augmentLabels, err)
	}
}

// Labels are dropped with the probability asked for, by image number alone.
func TestLabelDropout(t *testing.T) {
	const n = 4000
	for _, p := range []float64{0, 0.2} {
		c := quick(t)
		c.LabelDropout, c.Augment, c.Micro = p, 0, 8
		d, err := newDraws(c, 64)
		if err != nil {
			t.Fatal(err)
		}
		labels := make([]int, 8)
		dropped := 0
		for start := int64(0); start < n; start += 8 {
			m := d.newBatch()
			if err := d.fill(m, &data.Batch{N: 8, Start: start, Pixels: make([]uint8, 8*64), Labels: labels}, 0); err != nil {
				t.Fatal(err)
			}
			for i := range 8 {
				if row := m.Labels[i*c.Classes : (i+1)*c.Classes]; row[0] == 0 {
					dropped++
				}
			}
		}
		if want := p * n; math.Abs(float64(dropped)-want) > 5*math.Sqrt(want*(1-p)) {
			t.Errorf("%d of %d labels were dropped, want about %g", dropped, n, want)
		}
	}
}

// A configuration of the first version, which knew edm alone, means what it
// meant, and a state that holds one resumes.
func TestConfigurationsOfTheFirstVersion(t *testing.T) {
	c := quick(t)
	c.Augment = 0
	o := options(t, t.TempDir())
	whole := mustRun(t, c, o)
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	later := regexp.MustCompile(`(?m)^(augment|loss):.*\n|^(precond|loss)_params:.*\n( .*\n)*`)
	text = later.ReplaceAll(text, nil)
	if strings.Contains(string(text), "loss") || strings.Contains(string(text), "augment") {
		t.Fatalf("not of the first version:\n%s", text)
	}
	half := c
	half.Duration /= 2
	first := mustRun(t, half, o)
	_, f, err := checkpoints.Latest(first.Dir, checkpoints.State, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata[keyConfig] = string(text)
	if err := os.Remove(filepath.Join(first.Dir, checkpoints.State.FileName(first.NImg))); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoints.Save(first.Dir, checkpoints.State, first.NImg, f); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadConfig(first.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Loss != "edm" || loaded.Augment != 0 {
		t.Errorf("loss %q, augment %v", loaded.Loss, loaded.Augment)
	}
	loaded.Duration, o.Resume = c.Duration, first.Dir
	again := mustRun(t, loaded, o)
	if !slices.Equal(contents(t, again.Snapshot), contents(t, whole.Snapshot)) {
		t.Error("a state of the first version continues otherwise")
	}
}

func TestComplete(t *testing.T) {
	c := Config{Precond: "iddpm", LossParams: map[string]float64{"M": 50}, SigmaData: 0.5}
	given := maps.Clone(c.LossParams)
	before := c
	c.Complete()
	if diff := cmp.Diff(given, before.LossParams); diff != "" {
		t.Errorf("the caller's map changed: %s", diff)
	}
	if c.Loss != "ddpm-cosine" || c.LossParams["M"] != 50 || c.LossParams["C_2"] != 0.008 || c.PrecondParams["M"] != 1000 {
		t.Errorf("%s %v, %v", c.Loss, c.LossParams, c.PrecondParams)
	}
	c = Config{Precond: "edm", SigmaData: 0.5, PMean: -1.2, PStd: 1.2, PrecondParams: map[string]float64{"sigma_data": 0.7, "sigma_min": 0.1}}
	c.Complete()
	if c.SigmaData != 0.7 || len(c.LossParams) != 0 || !maps.Equal(c.PrecondParams, map[string]float64{"sigma_min": 0.1}) {
		t.Errorf("sigma_data %v, %v, %v", c.SigmaData, c.LossParams, c.PrecondParams)
	}
	again := c
	again.Complete()
	if diff := cmp.Diff(c, again); diff != "" {
		t.Errorf("completed twice: %s", diff)
	}
	for p, want := range map[string]string{"edm": "edm", "vp": "vp", "ve": "ve", "iddpm": "ddpm-cosine"} {
		if got := OwnLoss(p); got != want {
			t.Errorf("%s has the objective %s, want %s", p, got, want)
		}
	}
}

// NCSN takes its largest scale and their number from the data, but for what is
// given.
func TestSetDistance(t *testing.T) {
	c := quick(t)
	if c.NeedsDistance() {
		t.Error("edm needs no distance")
	}
	c.Loss, c.LossParams, c.Channels, c.Resolution = "ncsn", nil, 3, 32
	if !c.NeedsDistance() {
		t.Fatal("ncsn needs a distance")
	}
	c.SetDistance(90)
	want := map[string]float64{"sigma_max": 90, "scales": float64(loss.NCSNScales(3072, 0.01, 90))}
	if diff := cmp.Diff(want, c.LossParams); diff != "" || c.NeedsDistance() {
		t.Error(diff)
	}
	c.LossParams = map[string]float64{"scales": 10, "sigma_min": 0.1}
	c.SetDistance(70)
	o, err := c.Objective()
	if err != nil {
		t.Fatal(err)
	}
	if want := (loss.NCSN{SigmaMin: 0.1, SigmaMax: 70, Scales: 10}); o != loss.Objective(want) {
		t.Errorf("objective %+v, want %+v", o, want)
	}
}

// A VE network trained on NCSN's scales supports them all; scales that a given
// range does not cover are refused.
func TestScalesAreSupported(t *testing.T) {
	c := quick(t)
	c.Precond, c.Loss, c.PrecondParams, c.LossParams = "ve", "ncsn", nil, nil
	c.SetDistance(130)
	c.Complete()
	l, err := newLevels(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []float64{0, 0.3, 0.9999} {
		if drawn := l.loss.Sigma(u); l.supported(drawn) != drawn {
			t.Errorf("scale %g is trained at %g", drawn, l.supported(drawn))
		}
	}
	if low, high := l.precond.SigmaRange(); low != 0.01 || high != 130 {
		t.Errorf("the network supports %g to %g, want 0.01 to 130", low, high)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for _, given := range []map[string]float64{{"sigma_max": 100}, {"sigma_min": 0.02}} {
		narrow := c
		narrow.PrecondParams = given
		narrow.Complete()
		if err := narrow.Validate(); err == nil || !strings.Contains(err.Error(), "loss ncsn has scales from 0.01 to 130") {
			t.Errorf("range %v: %v", given, err)
		}
	}
}

// Constants in a file go over those below it, and leave the caller's alone.
func TestConstantsInYAML(t *testing.T) {
	c := quick(t)
	c.Precond, c.Loss, c.PrecondParams, c.LossParams = "vp", "", nil, nil
	c.Complete()
	before := maps.Clone(c.PrecondParams)
	got, err := ParseConfig([]byte("precond_params:\n  M: 500\n"), c)
	if err != nil {
		t.Fatal(err)
	}
	if got.PrecondParams["M"] != 500 || !maps.Equal(c.PrecondParams, before) {
		t.Errorf("read %v over %v", got.PrecondParams, c.PrecondParams)
	}
	got.Complete()
	if len(got.PrecondParams) != 4 || got.PrecondParams["beta_d"] != 19.9 {
		t.Errorf("completed to %v", got.PrecondParams)
	}
	lines, err := got.changes(c)
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0], "M:500") {
		t.Errorf("changes %q, %v", lines, err)
	}
}

func TestObjectiveFaults(t *testing.T) {
	for what, change := range map[string]func(*Config){
		`"none"`:             func(c *Config) { c.Precond = "none" },
		`objective "x"`:      func(c *Config) { c.Loss = "x" },
		`constant "M"`:       func(c *Config) { c.LossParams = map[string]float64{"M": 1} },
		`constant "beta_d"`:  func(c *Config) { c.PrecondParams = map[string]float64{"beta_d": 1} },
		"augment is 1.5":     func(c *Config) { c.Augment = 1.5 },
		"augment is NaN":     func(c *Config) { c.Augment = math.NaN() },
		`"transformer"`:      func(c *Config) { c.Arch = "transformer" },
		"sigma_max is -0.02": func(c *Config) { c.Loss, c.LossParams = "ve", map[string]float64{"sigma_max": -0.02} },
	} {
		c := quick(t)
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A snapshot with a table of noise levels starts a run.
func TestTransferFromIDDPM(t *testing.T) {
	c := quick(t)
	c.Precond, c.Loss = "iddpm", ""
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	c.Transfer = r.Snapshot
	var warned []string
	o.Hooks.Warn = func(m string) { warned = append(warned, m) }
	for _, p := range []float64{c.Augment, 0} { // without augmentation its labels are left out
		c.Augment = p
		if _, err := Run(context.Background(), c, o); err != nil || len(warned) != 0 {
			t.Errorf("augment %v: %v, warnings %q", p, err, warned)
		}
	}
}

// The noise levels of a run are the formula's. A snapshot's that are those but
// for rounding to float32 are taken for them; others are warned of, as are other
// constants.
func TestTransferOtherLevels(t *testing.T) {
	c := quick(t)
	c.Precond, c.Loss = "iddpm", ""
	c.Complete()
	mc, err := c.Model()
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, t.TempDir())
	formula := precond.DefaultIDDPM()
	fewer, err := precond.NewIDDPM(0.001, 0.008, 500)
	if err != nil {
		t.Fatal(err)
	}
	table := func(factor float64) precond.IDDPM {
		u := formula.Table()
		for j, v := range u {
			u[j] = float64(float32(v * factor))
		}
		p, err := formula.WithTable(u)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, k := range []struct {
		p    precond.Preconditioning
		want string
	}{
		{formula, ""}, {table(1), ""}, {table(1.0005), ""}, {table(1.01), "noise levels of its own"}, {fewer, "M=500"}, {precond.DefaultEDM(), "precond edm"},
	} {
		var warned []string
		o.Hooks.Warn = func(m string) { warned = append(warned, m) }
		m, err := model.New(mc, o.Device)
		if err != nil {
			t.Fatal(err)
		}
		r := run{options: o, model: m}
		r.compareTransfer(model.Config{Network: mc.Network, Precond: k.p})
		if text := strings.Join(warned, "\n"); (k.want == "") != (text == "") || !strings.Contains(text, k.want) {
			t.Errorf("%s: warnings %q, want %q", k.p.Name(), text, k.want)
		}
	}
}

// Every preset of the networks has training settings, and those that were
// published have theirs.
func TestPublishedPresets(t *testing.T) {
	type settings struct {
		Duration, LR, Dropout, Augment, EMA float64
		Batch                               int
		Cond                                bool
		Arch                                string
	}
	for name, want := range map[string]settings{
		"cifar10":    {200, 1e-3, 0.13, 0.12, 0.5, 512, false, "ddpmpp"},
		"ffhq64":     {200, 2e-4, 0.05, 0.15, 0.5, 256, false, "ddpmpp"},
		"afhqv2-64":  {200, 2e-4, 0.25, 0.15, 0.5, 256, false, "ddpmpp"},
		"imagenet64": {2500, 1e-4, 0.1, 0, 50, 4096, true, "adm"},
	} {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		got := settings{c.Duration, c.LR, c.Dropout, c.Augment, c.EMA, c.Batch, c.Cond, c.Arch}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for name, want := range map[string]int{"imagenet64": 295_899_267, "cifar10": 55_735_299} {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Cond, c.Classes = true, map[string]int{"imagenet64": 1000, "cifar10": 10}[name]
		info, err := Estimate(c, model.Portable())
		if err != nil {
			t.Fatal(err)
		}
		if info.Parameters != want {
			t.Errorf("%s conditional has %d parameters, want %d", name, info.Parameters, want)
		}
	}
	if _, err := unet.Preset("x"); err == nil {
		t.Error("an unknown preset was accepted")
	}
	var c Config
	if text, err := json.Marshal(c.Network()); err != nil || !strings.Contains(string(text), `"out_channels":0`) {
		t.Errorf("%s, %v", text, err)
	}
}
