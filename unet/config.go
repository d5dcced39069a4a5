// Package unet builds F, the raw network inside the denoiser, as a Gorgonia
// graph of the project's ops: the DDPM++, NCSN++ and ADM networks that the EDM
// paper trains (Karras et al. 2022, App. F.1; Song et al. 2021, App. C; Dhariwal
// & Nichol 2021, App. B).
//
// plan.go lists a network's residual blocks, blocks.go builds one, song.go and
// dhariwal.go join them.
package unet

import "encoding/json"

// Config is the architecture of a network. The JSON names are those of the
// published configurations. DDPM++ and NCSN++ are one network with different
// settings, any of which go together; ADM has neither their embeddings, encoders
// and decoders nor their resampling filter.
type Config struct {
	Arch             string    `json:"arch"`               // "ddpmpp", "ncsnpp" or "adm"
	ImgResolution    int       `json:"img_resolution"`     // height and width of the images
	InChannels       int       `json:"in_channels"`        // image channels in
	OutChannels      int       `json:"out_channels"`       // image channels out
	LabelDim         int       `json:"label_dim"`          // number of classes; 0 is unconditional
	AugmentDim       int       `json:"augment_dim"`        // augmentation labels; 0 is none
	ModelChannels    int       `json:"model_channels"`     // base number of channels
	ChannelMult      []int     `json:"channel_mult"`       // channels of each resolution, in units of ModelChannels
	ChannelMultEmb   int       `json:"channel_mult_emb"`   // width of the embedding, likewise
	ChannelMultNoise int       `json:"channel_mult_noise"` // width of the noise embedding, likewise
	NumBlocks        int       `json:"num_blocks"`         // residual blocks a resolution
	AttnResolutions  []int     `json:"attn_resolutions"`   // resolutions with self-attention
	Dropout          float64   `json:"dropout"`            // probability, in training
	LabelDropout     float64   `json:"label_dropout"`      // probability of a zero class label, in training
	EmbeddingType    string    `json:"embedding_type"`     // "positional" or "fourier"
	EncoderType      string    `json:"encoder_type"`       // "standard", "skip" or "residual"
	DecoderType      string    `json:"decoder_type"`       // "standard" or "skip"
	ResampleFilter   []float64 `json:"resample_filter"`    // taps; 1,1 is nearest / 2x2 mean
}

// DefaultConfig returns the DDPM++ settings of the EDM paper for CIFAR-10 with
// no image size, channels or labels set.
func DefaultConfig() Config {
	return Config{
		Arch: DDPMPP, ModelChannels: 128, ChannelMult: []int{2, 2, 2}, ChannelMultEmb: 4, ChannelMultNoise: 1,
		NumBlocks: 4, AttnResolutions: []int{16}, Dropout: 0.13,
		EmbeddingType: "positional", EncoderType: "standard", DecoderType: "standard", ResampleFilter: []float64{1, 1},
	}
}

// UnmarshalJSON reads a configuration; keys that are absent keep the values of
// ArchDefaults, and the architecture itself those of DefaultConfig.
func (c *Config) UnmarshalJSON(data []byte) error {
	head := struct {
		Arch string `json:"arch"`
	}{DDPMPP}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	defaults, err := ArchDefaults(head.Arch)
	if err != nil {
		return err
	}
	type plain Config
	p := plain(defaults)
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*c = Config(p)
	return nil
}
