package train

import (
	"time"

	"edm/data"
	"edm/model"
)

// Options are the folder, dataset, device and hooks of a run. None of them changes the
// numbers.
type Options struct {
	OutDir  string       // folder of runs; a new run gets the next number in it
	Desc    string       // appended to a new run's folder name
	Resume  string       // "", a run folder, or a state file in one
	Force   bool         // resume in spite of changed options
	Dataset data.Dataset // named by Config.Data
	Device  *model.Device
	Hooks   Hooks
	// Autosave is the longest time that training goes on without saving a state;
	// 0 leaves it to Config.Dump.
	Autosave time.Duration
}

// Hooks are called by Run on its own goroutine; nil ones are left out.
type Hooks struct {
	Start    func(Start)
	Step     func(Step)
	Tick     func(Tick)
	Snapshot func(Snapshot) error
	Warn     func(message string)
}

// Start describes a run before its first step.
type Start struct {
	Dir        string
	Config     Config
	Parameters int
	NImg       int64 // images seen so far; above 0 for a resumed run
	Total      int64 // images at which the run stops
	PlanBytes  int64 // arena of the compiled training step
}

// Step reports one optimiser step.
type Step struct {
	NImg int64   // images seen, this step's included
	Loss float64 // mean over the batch
	Time time.Duration
}

// Tick is one line of log.jsonl.
type Tick struct {
	NImg      int64     `json:"nimg"`
	Step      int64     `json:"step"`
	Loss      float64   `json:"loss"`      // mean since the last tick
	LossBins  []Bin     `json:"loss_bins"` // the same by noise level (EDM Fig. 5a)
	GradNorm  float64   `json:"grad_norm"` // mean since the last tick
	ValRaw    *float64  `json:"val_raw"`   // validation loss of the weights
	ValEMA    *float64  `json:"val_ema"`   // and of their average
	ValBins   []Bin     `json:"val_bins"`  // of the average, by noise level
	LR        float64   `json:"lr"`        // of the last step
	ImgPerSec float64   `json:"img_per_s"` // training, since the last tick
	Seconds   float64   `json:"seconds"`   // since this process started training
	Timestamp time.Time `json:"timestamp"`
}

// Bin is the mean loss of the images whose noise level fell in a range.
type Bin struct {
	Sigma float64 `json:"sigma"` // geometric middle of the range
	Loss  float64 `json:"loss"`
	Count int     `json:"count"`
}

// Snapshot is handed to the preview hook after a snapshot was written.
type Snapshot struct {
	Dir     string // run folder
	Path    string // snapshot file
	NImg    int64
	Model   *model.Model
	Weights []float32 // averaged weights; do not change or keep
}

// Result is how a run ended.
type Result struct {
	Dir      string
	NImg     int64
	Done     bool   // false if the context was cancelled before Duration
	Snapshot string // path of the last snapshot; "" if there is none yet
}
