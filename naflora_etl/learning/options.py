"""The sections of a learning recipe: every knob of training on one page, frozen, with half a line of why each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naflora_etl.recipe import Count, Section, Share

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class DataOptions(Section):
    size_px: Count | tuple[Count, Count] = 256
    """Side of the square the model sees, or [height, width]; the paper's 256."""
    fit: Literal["squash", "pad", "crop"] = "squash"
    """How a sheet becomes that shape: squash bends its aspect (as the paper's data did), pad and crop keep it."""
    centre_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of each side kept around the centre; the published script keeps 0.9."""
    flip: bool = True
    """Mirror every second sheet left to right, in training."""
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 15.0
    """Turn by up to this angle either way, in training; corners take the colour of the sheet's rim."""
    crop_area: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest share of the area that a random training crop keeps; 1: no random crop."""
    normalize: Literal["imagenet", "model"] = "imagenet"
    """Mean and deviation: ImageNet's (as the published script), or those the model was pretrained with."""
    rand_augment: str = ""
    """RandAugment by timm's grammar, as rand-m9-mstd0.5; empty: none. One lock holds its draws: slow."""
    erase_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of training sheets in which timm's random erasing fills a rectangle."""
    mixup: NotNegative = 0.0
    """Alpha of timm's mixup; 0: none."""
    cutmix: NotNegative = 0.0
    """Alpha of timm's CutMix; 0: none."""


class ModelOptions(Section):
    arch: str = "tf_efficientnetv2_s"
    """Name of the backbone in timm, with its tag when weights come from the hub; or tv/NAME for torchvision's."""
    head: Literal["linear", "mlp1024", "sub_center"] = "linear"
    """linear; the published script's: dropout, 1024 ReLU, dropout, classes; or sub_center: cosines for loss arcface."""
    rank_heads: bool = False
    """Linear heads for genus and family besides, which the losses of those ranks then look at."""
    centers: Count = 3
    """Of head sub_center: centres a class (Deng et al. 2020)."""
    scale: Positive = 64.0
    """Of head sub_center: what cosines are multiplied by."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before each layer of the head."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stochastic depth of the backbone; the published script has 0.4."""
    weights: str = "none"
    """Start from: none (random), hub (timm downloads them), or a file (.safetensors, .pt, .pth)."""
    freeze: Literal["none", "backbone"] = "none"
    """backbone: only the head learns; norms keep their statistics."""


class OptimiserOptions(Section):
    name: Literal["sgdw", "adamw"] = "sgdw"
    """SGD with momentum and decoupled decay, or AdamW."""
    lr: Positive = 0.7
    """Highest learning rate, at a batch of `lr_batch`."""
    lr_batch: Annotated[int, Field(ge=0)] = 512
    """The rate grows linearly with the batch from here (Goyal et al. 2017); 0: it does not."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of sgdw."""
    nesterov: bool = True
    """Nesterov's momentum in sgdw."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Moments of adamw."""
    weight_decay: NotNegative = 1e-5
    """Share of each weight taken away a step, with or without the rate, as said next."""
    weight_decay_mode: Literal["absolute", "lr", "coupled"] = "absolute"
    """absolute as it is (TensorFlow Addons, the script), lr times the rate (timm), coupled in the gradient."""
    decay_all: bool = True
    """Decay norms and biases too, as the published script does; false: only matrices and kernels."""
    clip_norm: NotNegative = 0.0
    """Longest gradient that is taken as it is; 0: any."""


class ScheduleOptions(Section):
    name: Literal["one_cycle", "cosine", "step", "constant"] = "one_cycle"
    """one_cycle: up and down by half cosines (Smith & Topin 2017); cosine: up by a line; step: plateaus."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of all steps on the way up, in one_cycle and cosine."""
    start_divisor: Positive = 100.0
    """The first rate is the highest divided by this."""
    end_divisor: Positive = 10_000.0
    """The last rate is the highest divided by this."""
    plateaus: Count = 3
    """Of step: so many plateaus of equal length; 3 in 90 epochs is a step each 30."""
    step_divisor: Positive = 10.0
    """Of step: what the rate is divided by from one plateau to the next."""


class LossOptions(Section):
    name: Literal["ce", "class_balanced", "seesaw", "arcface"] = "ce"
    """ce; class_balanced: weighted (Cui et al. 2019); seesaw (Wang et al. 2021); arcface (Deng et al. 2019)."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Label smoothing; the paper's 0.1."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of class_balanced: (N - 1) / N; the published script's N is 10."""
    weight_decimals: Annotated[int, Field(ge=0)] | None = None
    """Of class_balanced: round the weights; the published script rounds to 2."""
    weighting: Literal["sample", "target"] = "sample"
    """Of class_balanced: weigh a sample's whole loss (Keras, the script), or each smoothed target (torch's weight=)."""
    seesaw_p: NotNegative = 0.8
    """Of seesaw: how much rarer classes are spared by commoner ones."""
    seesaw_q: NotNegative = 2.0
    """Of seesaw: how much a wrong answer that is too sure is punished."""
    margin_deg: Annotated[float, Field(ge=0, lt=180)] = 28.6
    """Of arcface: the angle added to that of the true class."""
    genus_weight: NotNegative = 0.0
    """Hierarchical: weight of the genus's cross entropy, from its own head, or else from sums over its species."""
    family_weight: NotNegative = 0.0
    """Hierarchical: the same of the family."""
    distance_weight: NotNegative = 0.0
    """Patristic: weight of the mean distance, by the model's own odds, from the true genus to that of the answer."""
    distances: str = "taxonomy"
    """A CSV genus_a,genus_b,distance, a train_metadata.json, or taxonomy: 0 in a genus, 0.5 in a family, 1 beyond."""


class LoopOptions(Section):
    epochs: Count = 30
    """Passes over the training sheets; the paper's baseline makes 30."""
    batch: Count = 512
    """Sheets a step, of all processes together; the paper's 64 on each of 8 cores."""
    accumulate: Count = 1
    """Parts in which a step's sheets are put through the model, where the device cannot hold them at once."""
    seed: int = 1
    """Of the first weights, the order and the augmentation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA device when there is one."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """bfloat16 halves the work on GPUs of 2020 and later, float16 (losses scaled) on older; the loss is float32."""
    channels_last: bool = False
    """Lay images out as GPUs convolve fastest in half precision."""
    compile: bool = False
    """torch.compile: minutes before the first step, faster after."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Also keep a moving mean of the weights (timm's ModelEmaV3) and evaluate that; 0: do not."""
    cache_features: bool = False
    """With a frozen backbone: see each sheet once, straight, and let the head learn on what the backbone made of it."""
    threads: Count = 1
    """Threads of torch on the CPU; more may change the last digits."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Threads that read and decode beside the training, 4 or more with a process each; results are the same."""
    log_steps: Count = 10
    """Steps a row of log.csv."""
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0
    """Steps between checkpoints; 0: at the end of each epoch."""
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Also log there, where it is installed."""
