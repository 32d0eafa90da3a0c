"""The configuration: the fields of a model and of its training, the presets, and how TOML changes them.

Each field stands once: its type and range, the group of its flag, its sentence and its default. From these come the
checks (`Setting.accepts`), the flags of `train` and `compare` (`cli.options`), and the attributes in the docstrings.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from ner_lstm_crf.errors import InputError, did_you_mean, missing, path_given

MIN_LR, MAX_LR = 1.5e-3, 5e-3
"""The learning rate lies between these where the configuration names none."""

VECTORS_LIMIT = 400_000
"""Rows of a file of vectors that are read, beside those of the words in the data: all of GloVe 6B; half a gigabyte of
fastText's 300 values."""

HUGE = 1e300
"""Every number is below: a larger one is a slip, and products of such overflow."""


Tables: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Values of fields, by the names of their tables, "model" and "training", and their own."""


class Range(NamedTuple):
    """The numbers that a field takes."""

    at_least: float
    below: float = HUGE
    at_most: float = HUGE


class Flag(NamedTuple):
    """The flag of a field: its name if that is not the field's own, and if `--help` shows it (else `--help-all`)."""

    name: str = ""
    common: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a configuration, as `settings` reads it from the class.

    Attributes:
        flag: Its flag on the command line, such as `--hidden-size`.
        common: True if `--help` shows the flag; `--help-all` shows all.
        group: The group of flags that it belongs to.
        sentence: Its meaning, with unit and source: the help of its flag.
        kind: The type of its value, or of each value where it has several.
        choices: The only values of a field that names them.
        limits: The numbers it takes.
        many: True if its value is a tuple of several.
        optional: True if its value may be None.
    """

    flag: str
    common: bool
    group: str
    sentence: str
    kind: type[Any]
    choices: tuple[str, ...]
    limits: Range
    many: bool
    optional: bool

    def accepts(self, value: Any) -> bool:
        """True if the field takes this value: of the right type, in range, or one of the choices."""
        if value is None:
            return self.optional
        values = value if self.many else (value,)
        types = (int, float) if self.kind is float else self.kind
        low, below, high = self.limits
        return (isinstance(values, tuple) and len(values) > 0) and all(
            isinstance(one, types)
            and isinstance(one, bool) == (self.kind is bool)  # True is an int to Python
            and (not self.choices or one in self.choices)
            and (self.kind not in (int, float) or (low <= one < below and one <= high))  # as NaN is not
            for one in values
        )

    @property
    def expected(self) -> str:
        """The values that the field takes, for error messages."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is bool:
            return "true or false"
        name = {int: "whole number", float: "number", str: "string"}[self.kind]
        limits = zip(("of at least", "below", "at most"), self.limits, strict=True)
        numbers = " and ".join(f"{words} {number}" for words, number in limits if -HUGE < number < HUGE)
        return f"{f'{name}s' if self.many else f'a {name}'} {numbers}".rstrip()


@cache
def settings(table: str) -> Mapping[str, Setting]:
    """The fields of `ModelConfig` ("model") or `TrainingConfig` ("training") by name."""
    fields: dict[str, Setting] = {}
    config = {"model": ModelConfig, "training": TrainingConfig}[table]
    for name, hint in get_type_hints(config, include_extras=True).items():
        kind, *notes = get_args(hint)
        group, sentence = (note for note in notes if isinstance(note, str))
        flag = next((note for note in notes if isinstance(note, Flag)), Flag(common=False))
        parts = get_args(kind)  # the choices of a Literal, the types of a tuple or a union
        is_choice = get_origin(kind) is Literal
        fields[name] = Setting(
            flag=flag.name or f"--{name.replace('_', '-')}",
            common=flag.common,
            group=group,
            sentence=sentence,
            kind=str if is_choice else parts[0] if parts else kind,
            choices=parts if is_choice else (),
            limits=next((note for note in notes if isinstance(note, Range)), Range(-HUGE)),
            many=get_origin(kind) is tuple,
            optional=type(None) in parts,
        )
    return fields


SchemeName = Literal["IO", "IOB1", "IOB2", "IOE1", "IOE2", "BIEO", "BIOES", "BMES", "BMEWO", "BILOU"]
HeadName = Literal["crf", "softmax"]
CrfLoss = Literal["sequence", "labelwise"]
CharEncoder = Literal["cnn", "intnet"]
TokenUnit = Literal["word", "character"]
Hyphens = Literal["auto", "split", "keep"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["linear", "inverse", "constant"]
Reduction = Literal["token", "sentence", "sum"]
Precision = Literal["float32", "int8", "bfloat16"]
TransformerPrecision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "cuda", "mps"]
Criterion = Literal["entropy", "margin", "errors", "random"]
DecodingName = Literal["viterbi", "posterior"]

Count: TypeAlias = Annotated[int, Range(1)]
Whole: TypeAlias = Annotated[int, Range(0)]
Width: TypeAlias = Annotated[int, Range(1, at_most=10_000)]  # a larger one is a slip, and takes all memory
Size: TypeAlias = Annotated[int, Range(0, at_most=10_000)]
Share: TypeAlias = Annotated[float, Range(0, below=1)]
Number: TypeAlias = Annotated[float, Range(0)]
COMMON = Flag()


class _Table:
    """A part of the configuration, which shows the values that are not the defaults."""

    __slots__ = ()

    def __repr__(self) -> str:
        defaults, names = type(self)(), [one.name for one in fields(self)]  # type: ignore[arg-type]
        changed = [name for name in names if getattr(self, name) != getattr(defaults, name)]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"


class _Checked(_Table):
    """A table of the configuration, whose values are those that its fields take."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, setting in settings("model" if isinstance(self, ModelConfig) else "training").items():
            value = getattr(self, name)
            if not setting.accepts(value):
                shown = list(value) if isinstance(value, tuple) else value
                raise InputError(f"{name}: expected {setting.expected}, got {_shown(shown)}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelConfig(_Checked):
    """The features and the layers of the network. Sizes count values per token, dropouts are probabilities."""

    scheme: Annotated[
        SchemeName,
        "network",
        "tag scheme that the network is trained in; files may use any other",
        Flag("--model-scheme", False),
    ] = "BIEO"
    head: Annotated[
        HeadName, "network", "how tags are chosen: crf, the best sequence; softmax, each tag by itself", COMMON
    ] = "crf"
    crf_loss: Annotated[
        CrfLoss,
        "network",
        "negative log-likelihood that the CRF minimizes: sequence, of the whole tag sequence (Lafferty et al. 2001); "
        "labelwise, of each tag by its marginal (Kakade, Teh and Roweis 2002)",
    ] = "sequence"
    token_unit: Annotated[TokenUnit, "network", "what a token is: a word, or a character (Chinese corpora)", COMMON] = (
        "word"
    )
    hyphens: Annotated[
        Hyphens, "network", "split words of raw text at hyphens, keep them whole, or do as the training data do (auto)"
    ] = "auto"
    hidden_size: Annotated[Width, "network", "LSTM units per direction", COMMON] = 200
    layers: Annotated[int, Range(1, at_most=100), "network", "stacked BiLSTM layers"] = 1
    residual: Annotated[bool, "network", "residual connections between layers (He et al. 2016)"] = True
    word_size: Annotated[
        Width,
        "embeddings",
        "size of a word embedding; pretrained vectors, which characters have by default, bring their own",
    ] = 100
    char_size: Annotated[Width, "embeddings", "size of a character embedding (Ma and Hovy 2016: 30)"] = 30
    char_encoder: Annotated[
        CharEncoder,
        "embeddings",
        "what makes a vector of a word's characters: cnn, one convolution (Ma and Hovy 2016); intnet, several, each of "
        "which reads all before it (Xin et al. 2018), for which the presets have sizes of their own",
    ] = "cnn"
    char_filters: Annotated[
        Size, "embeddings", "filters of a convolution over characters, for each width; 0 for no vector of characters"
    ] = 50
    char_widths: Annotated[
        tuple[int, ...], Range(1, at_most=100), "embeddings", "widths of these filters, in characters"
    ] = (3,)
    char_blocks: Annotated[
        int,
        Range(1, at_most=100),
        "embeddings",
        "blocks of IntNet behind its first convolution; 3 make the 7 layers of Xin et al. 2018",
    ] = 3
    bigram_size: Annotated[
        Size, "embeddings", "size of the embedding of two neighbours, where a token is a character; 0 for none"
    ] = 25
    lexicon_size: Annotated[
        Size, "embeddings", "size of the embedding of a lexicon word, where a token is a character; 0 for none"
    ] = 50
    gazetteer_size: Annotated[
        Size, "embeddings", "size of the embedding of a part of a name, for each list of --gazetteer; 0 for none"
    ] = 8
    casing_size: Annotated[
        Size, "embeddings", "size of the embedding of a word's casing and shape (Reimers and Gurevych 2017: 8); 0: none"
    ] = 8
    word_dropout: Annotated[
        Share, "dropout", "share of tokens whose word is replaced by the unknown word (Lample et al. 2016)"
    ] = 0.05
    bigram_dropout: Annotated[Share, "dropout", "share of pairs that are replaced by the unknown pair"] = 0.1
    lexicon_dropout: Annotated[
        Share, "dropout", "probability that a lexicon word falls back to the vector of its length and category"
    ] = 0.3
    char_dropout: Annotated[Share, "dropout", "dropout on the vector of a word's characters"] = 0.25
    input_dropout: Annotated[
        Share, "dropout", "variational dropout on the BiLSTM's input (Gal and Ghahramani 2016)"
    ] = 0.25
    recurrent_dropout: Annotated[
        Share, "dropout", "share of hidden-to-hidden weights dropped in each batch (Merity et al. 2018)"
    ] = 0.25
    output_dropout: Annotated[Share, "dropout", "variational dropout on the BiLSTM's output"] = 0.5
    transformer: Annotated[
        str | None,
        "transformer",
        "folder or hub name of a transformers encoder, whose vectors stand beside the embeddings; beside a frozen one "
        "the presets fast and best have settings of their own",
        COMMON,
    ] = None
    transformer_depth: Annotated[
        Whole,
        "transformer",
        "how many of its layers are read, from the first one on: the others are left out, in the model's files too; 0 "
        "reads all",
    ] = 0
    transformer_layers: Annotated[
        Count,
        "transformer",
        "how many of the layers that are read are averaged, from the last one back, the embedding layer counted as one",
    ] = 4
    transformer_mix: Annotated[
        bool, "transformer", "learn the weights of these layers instead (Peters et al. 2018)"
    ] = False
    transformer_size: Annotated[Size, "transformer", "size its output is projected to; 0 leaves it as it is"] = 150
    fine_tune: Annotated[bool, "transformer", "train the transformer too", COMMON] = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TrainingConfig(_Checked):
    """The training of the network: batches, optimizer, learning rates, and how long it takes."""

    epochs: Annotated[
        int | None,
        Range(1),
        "optimization",
        "passes over the training data; unless it is set, min_epochs, and more where these make fewer than min_steps",
        COMMON,
    ] = None
    min_epochs: Annotated[Count, "optimization", "passes over the training data at least, where epochs is not set"] = 12
    min_steps: Annotated[
        Whole,
        "optimization",
        "optimizer steps at least, where epochs is not set: a small corpus is passed over more often, up to ten times "
        "as often as min_epochs says",
    ] = 1500
    batch_size: Annotated[Count, "optimization", "most sentences in a batch", COMMON] = 32
    max_batch_tokens: Annotated[
        Count, "optimization", "most tokens in a batch, with padding; a longer sentence is a batch of its own"
    ] = 2048
    optimizer: Annotated[Optimizer, "optimization", "adamw (Loshchilov and Hutter 2019) or sgd"] = "adamw"
    learning_rate: Annotated[
        float | None,
        Range(0),
        "optimization",
        "highest learning rate; unless it is set, adamw takes a higher one the fewer steps there are, and the lowest "
        "where training starts from a model",
        COMMON,
    ] = None
    transformer_learning_rate: Annotated[Number, "transformer", "highest learning rate of a fine-tuned transformer"] = (
        3e-5
    )
    transformer_precision: Annotated[
        TransformerPrecision,
        "transformer",
        "what a fine-tuned transformer multiplies in, while its weights stay float32; bfloat16 is twice as fast on "
        "processors that have it",
    ] = "float32"
    momentum: Annotated[Share, "optimization", "momentum of SGD"] = 0.0
    weight_decay: Annotated[Number, "optimization", "decoupled weight decay of AdamW; L2 penalty of SGD"] = 0.01
    distill_unknown: Annotated[
        bool,
        "loss",
        "with a model to start from: a token that is not known is learnt as that model takes it, of the tags that it "
        "may have (Monaikul et al. 2021)",
    ] = False
    teacher_weight: Annotated[
        float,
        Range(0, at_most=1),
        "loss",
        "with a teacher: share of its tag sequences in the loss of a labelled sentence, the rest is that of the gold "
        "tags (Wang et al. 2021, Structural knowledge distillation)",
    ] = 0.5
    class_weights: Annotated[
        str,
        "loss",
        "weights of the loss of tokens by their label, O=0.5,ORG=2, 1 for the others; for losses of single tokens: of "
        "the head softmax, and labelwise of the CRF",
    ] = ""
    missed_cost: Annotated[
        Number,
        "loss",
        "cost of an O in place of an entity's tag, in nats: the higher, the higher the recall, and the lower the "
        "precision (softmax-margin, Gimpel and Smith 2010)",
    ] = 0.0
    spurious_cost: Annotated[
        Number, "loss", "cost of an entity's tag in place of an O, in nats: for a higher precision"
    ] = 0.0
    entity_ratio: Annotated[
        Share,
        "loss",
        "share of tokens in entities, where training data do not say which tokens are in none: the share that the "
        "model expects is drawn to it (Effland and Collins 2021); 0 for none",
    ] = 0.0
    schedule: Annotated[
        Schedule,
        "schedule",
        "learning rate over the epochs: linear, down to zero; inverse, lr / (1 + decay * epoch) (Ma and Hovy 2016); or "
        "constant",
    ] = "linear"
    lr_decay: Annotated[Number, "schedule", "decay of the inverse schedule, per epoch"] = 0.05
    warmup_ratio: Annotated[Share, "schedule", "share of all steps over which the learning rate rises from zero"] = 0.02
    reduction: Annotated[
        Reduction,
        "optimization",
        "what the loss of a batch is divided by: its tokens, its sentences, or nothing; a published learning rate "
        "means nothing without it, as SGD with 0.015 on a sum is 0.15 on the mean of ten sentences",
    ] = "sentence"
    max_grad_norm: Annotated[Number, "optimization", "largest norm of the gradient; 0 for no clipping"] = 1.0
    ema_decay: Annotated[
        Share, "optimization", "decay per step of the averaged weights that are evaluated and saved; 0 for no average"
    ] = 0.995
    patience: Annotated[
        Whole,
        "schedule",
        "epochs without a better dev F1 after which training stops, counted from the first that finds an entity; 0 "
        "never stops early",
        COMMON,
    ] = 0
    pretrained_lr_scale: Annotated[
        float,
        Range(0, at_most=1),
        "vectors and lexicon",
        "learning rate of pretrained vectors, as a share of that of all else: those of training words stay near those "
        "that only new text uses; not of the vectors of a model to start from",
    ] = 0.1
    freeze_vectors: Annotated[
        bool, "vectors and lexicon", "keep pretrained vectors as they are in training", COMMON
    ] = False
    adversarial_epsilon: Annotated[
        Number,
        "optimization",
        "size (root mean square) of the adversarial perturbation of the embeddings (FGM, Miyato et al. 2017): half of "
        "the loss is that of the perturbed sentences, and training takes 1.8 times as long; 0 for none",
    ] = 0.1
    ensemble_size: Annotated[
        int,
        Range(1, at_most=100),
        "runs",
        "train N networks, each with a seed of its own, and average their emissions and transition scores: often "
        "better, and N times as long to tag; 1 where a transformer is fine-tuned",
        Flag("--ensemble"),
    ] = 1
    seed: Annotated[int, Range(0, below=2**63), "runs", "seed of everything random", COMMON] = 1
    device: Annotated[
        Device,
        "runs",
        "what the networks compute on: cpu, cuda (a GPU of NVIDIA or AMD) or mps (one of Apple); the model can be used "
        "anywhere",
        COMMON,
    ] = "cpu"

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        weights_of(self.class_weights)
        if self.optimizer != "adamw":
            if self.learning_rate is None:
                raise InputError(f"learning_rate: expected one for the optimizer '{self.optimizer}', got None")
        elif (product := (self.learning_rate or MAX_LR) * self.weight_decay) >= 1:
            raise InputError(
                f"weight_decay: expected learning_rate * weight_decay below 1, which leaves no weight, got {product:g}"
            )


def weights_of(text: str) -> dict[str, float]:
    """The weights that `class_weights` gives to labels, and to `O`.

    Raises:
        InputError: If it is written otherwise, or a weight is no positive number.

    Example:
        >>> weights_of("O=0.5,ORG=2")
        {'O': 0.5, 'ORG': 2.0}
    """
    weights: dict[str, float] = {}
    for part in text.split(",") if text else ():
        label, equals, number = part.rpartition("=")
        try:
            weights[label.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals or not 0 < weights[label.strip()] < HUGE:
            raise InputError(f"class_weights: expected weights above 0 such as O=0.5,ORG=2, got {_shown(text)}")
    return weights


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config(_Table):
    """A model and how it is trained.

    Attributes:
        model: The features and the layers of the network.
        training: Its training.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        for name, kind in (("model", ModelConfig), ("training", TrainingConfig)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"expected a {kind.__name__} as {name}, got {type(getattr(self, name)).__name__}")
        if self.model.fine_tune and self.model.transformer is None:
            raise InputError("fine_tune: expected a transformer to train, got none")
        labelwise = self.model.head == "crf" and self.model.crf_loss == "labelwise"
        if self.training.distill_unknown and (labelwise or self.training.class_weights):
            given = "crf_loss labelwise" if labelwise else "class_weights"
            raise InputError(f"distill_unknown: expected the loss of whole sequences, or the head softmax, got {given}")
        if self.training.class_weights and self.model.head == "crf" and not labelwise:
            raise InputError(
                "class_weights: expected a loss of single tokens (crf_loss labelwise, or the head softmax), got that "
                "of whole sequences: missed_cost raises the recall of it"
            )
        for name in ("missed_cost", "spurious_cost"):
            if labelwise and getattr(self.training, name):
                raise InputError(
                    f"{name}: expected crf_loss sequence, or the head softmax, got crf_loss labelwise: class_weights "
                    "raise its recall"
                )
        if self.model.fine_tune and self.training.ensemble_size > 1:
            raise InputError(
                f"ensemble_size: expected 1 where a transformer is fine-tuned, got {self.training.ensemble_size}"
            )

    def replace(self, **settings: Any) -> Config:
        """The same configuration with other values of some fields, whichever table they are in.

        Raises:
            TypeError: If there is no such field.
            InputError: If a field does not take its value, alone or beside the others.

        Example:
            >>> preset("fast").replace(hidden_size=100, seed=2)
            Config(model=ModelConfig(hidden_size=100), training=TrainingConfig(seed=2))
        """
        return merge_config(self, tables_of(settings))


for _name, _class in (("model", ModelConfig), ("training", TrainingConfig)):
    _lines = (f"        {name}: {setting.sentence}." for name, setting in settings(_name).items())
    _class.__doc__ = "\n".join([f"{_class.__doc__}\n\n    Attributes:", *_lines])


PRESETS: Mapping[str, Config] = {
    # A good F1 within minutes on two cores; docs/recipe.md says why.
    "fast": Config(),
    # An ensemble of three networks of `fast`.
    "best": Config(training=TrainingConfig(ensemble_size=3)),
    # A few hundred sentences: small batches, so that they make many steps, each of them plain.
    "small": Config(
        training=TrainingConfig(
            min_epochs=25,
            min_steps=0,
            batch_size=8,
            learning_rate=1e-3,
            pretrained_lr_scale=1.0,
            adversarial_epsilon=0.0,
        )
    ),
    # Ma and Hovy 2016, table 1 and section 3: 30 filters of width 3, 100 units per direction, SGD at 0.015 decayed by
    # 0.05 per epoch, momentum 0.9, batch 10, norm clipping at 5, dropout 0.5. The loss is the mean over the sentences:
    # with momentum 0.9 that is the same step as 0.015 on the sum of a batch of ten without momentum.
    "paper": Config(
        model=ModelConfig(
            char_filters=30,
            char_widths=(3,),
            casing_size=0,
            bigram_size=0,
            lexicon_size=0,
            hidden_size=100,
            word_dropout=0.0,
            char_dropout=0.5,
            input_dropout=0.5,
            recurrent_dropout=0.0,
            output_dropout=0.5,
        ),
        training=TrainingConfig(
            min_epochs=50,
            min_steps=0,
            batch_size=10,
            max_batch_tokens=100_000,
            pretrained_lr_scale=1.0,
            adversarial_epsilon=0.0,
            optimizer="sgd",
            learning_rate=0.015,
            momentum=0.9,
            weight_decay=0.0,
            schedule="inverse",
            lr_decay=0.05,
            warmup_ratio=0.0,
            reduction="sentence",
            max_grad_norm=5.0,
            ema_decay=0.0,
            patience=15,
        ),
    ),
}


def preset(
    name: str,
    *,
    token_unit: TokenUnit = "word",
    char_encoder: CharEncoder = "cnn",
    transformer: str | None = None,
    fine_tune: bool = False,
) -> Config:
    """The preset of that name, in its variant for these tokens, this encoder of characters and this transformer.

    Args:
        name: One of `PRESETS`.
        token_unit: The unit of the tokens; for a "character" `fast` and `best` have settings of their own.
        char_encoder: The encoder of a word's characters; "intnet" has the sizes of its paper.
        transformer: Folder or hub name of a transformer; None for none. Beside a frozen one `fast` and `best` have
            settings of their own for words too.
        fine_tune: Train the transformer too; then one network is trained, not an ensemble.

    Raises:
        TypeError: If `name` is no string.
        InputError: If there is no such preset or token unit.
    """
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a preset, got {type(name).__name__}")
    if name not in PRESETS:
        raise InputError(f"expected a preset, one of {', '.join(PRESETS)}, got '{name}'{did_you_mean(name, PRESETS)}")
    model, training = PRESETS[name].model, PRESETS[name].training
    if fine_tune:
        training = replace(training, ensemble_size=1)
    if name in ("fast", "best") and token_unit == "character":
        # Characters, of which there are fewer than words, each seen more often, are overfitted sooner: so more of the
        # BiLSTM's input is dropped, the learning rate is low, and the adversarial perturbation is larger.
        model = replace(model, input_dropout=0.5)
        training = replace(training, min_epochs=15, min_steps=3000, learning_rate=MIN_LR, adversarial_epsilon=0.2)
    elif name in ("fast", "best") and transformer is not None and not fine_tune:
        # The vectors of a frozen transformer carry so much that words are overfitted sooner too: more is dropped, and
        # the learning rate is that of a run of 3,000 steps, however many there are.
        model, training = replace(model, input_dropout=0.5), replace(training, learning_rate=2.5e-3)
    if char_encoder == "intnet":
        model = replace(model, char_size=32, char_filters=16, char_widths=(3, 5))
    model = replace(
        model, token_unit=token_unit, char_encoder=char_encoder, transformer=transformer, fine_tune=fine_tune
    )
    return Config(model=model, training=training)


def without_effect(config: Config) -> list[str]:
    """The settings that differ from their defaults and do nothing beside the others, each with what it would need."""
    model, training = config.model, config.training
    needed = {
        "the head crf": (model.head == "crf", ("crf_loss",)),
        "char_filters": (model.char_filters > 0, ("char_encoder", "char_size", "char_widths", "char_dropout")),
        "the char_encoder intnet": (model.char_encoder == "intnet", ("char_blocks",)),
        "characters as tokens": (
            model.token_unit == "character",
            ("bigram_size", "bigram_dropout", "lexicon_size", "lexicon_dropout"),
        ),
        "a transformer": (
            model.transformer is not None,
            ("transformer_depth", "transformer_layers", "transformer_mix", "transformer_size"),
        ),
        "fine_tune": (model.fine_tune, ("transformer_learning_rate", "transformer_precision")),
        "the optimizer sgd": (training.optimizer == "sgd", ("momentum",)),
        "the schedule inverse": (training.schedule == "inverse", ("lr_decay",)),
    }
    values, defaults = ({**asdict(one.model), **asdict(one.training)} for one in (config, Config()))
    return [
        f"{name} has no effect without {what}"
        for what, (given, names) in needed.items()
        for name in names
        if not given and values[name] and values[name] != defaults[name]  # 0 turns off what is off
    ]


_MOST_BYTES = 1 << 20  # of a TOML file
_SHOWN = 80  # characters of a value in a message


def read_config(path: str | Path, base: Config | None = None) -> Config:
    """`base` (the default configuration) with what the TOML file's tables `[model]` and `[training]` set.

    See `merge_config`.

    Raises:
        InputError: If the file is no TOML, or holds an unknown table or key, or a value that its field does not take.
    """
    try:
        return merge_config(base or Config(), read_tables(path))
    except InputError as error:
        raise InputError(error.message, path=path) from error


def read_tables(path: str | Path) -> Tables:
    """The tables of a TOML file, checked.

    Raises:
        InputError: As `read_config`.
    """
    try:
        with Path(path_given(path)).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError(f"expected a TOML file of at most {_MOST_BYTES:,} bytes, found a larger one", path=path)
        tables = tomllib.loads(content.decode().replace("\r\n", "\n"))
    except RecursionError:
        raise InputError("expected a readable TOML file: it is nested too deeply", path=path) from None
    except InputError:
        raise
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML, or a number of too many digits
        raise InputError(f"expected a readable TOML file: {str(error)[:300]}", path=path) from error
    return check_tables(tables, path)


def _shown(value: object) -> str:
    """A value of a file as a message shows it, cut if it is long."""
    try:
        return f"{value!r:.{_SHOWN}}"
    except (ValueError, RecursionError):
        return "a value too large to show"


def check_tables(tables: Mapping[str, Any], path: str | Path) -> Tables:
    """The values that a file of TOML or JSON sets for `{"model": {...}, "training": {...}}`, lists as tuples.

    Raises:
        InputError: If a table or a key is unknown, or a field does not take its value.
    """
    checked: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for table, values in tables.items():
        if table not in checked:
            raise InputError(f"expected the tables [model] and [training], found {_shown(table)}", path=path)
        if not isinstance(values, Mapping):
            raise InputError(f"expected a table [{table}], found {_shown(values)}", path=path)
        known = settings(table)
        for key, value in values.items():
            if key not in known:
                near = did_you_mean(key[:_SHOWN], known) or f", expected one of {', '.join(known)}"
                raise InputError(f"[{table}]: unknown key {_shown(key)}{near}", path=path)
            checked[table][key] = tuple(value) if isinstance(value, list) else value
            if not known[key].accepts(checked[table][key]):
                raise InputError(f"[{table}] {key}: expected {known[key].expected}, got {_shown(value)}", path=path)
    return checked


def tables_of(settings_given: Mapping[str, Any]) -> Tables:
    """Values of fields, by the names of the fields alone, as `{"model": {...}, "training": {...}}`; lists as tuples.

    Raises:
        TypeError: If there is no such field.
    """
    tables: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for name, value in settings_given.items():
        table = next((table for table in tables if name in settings(table)), None)
        if table is None:
            near = did_you_mean(name, [known for one in tables for known in settings(one)])
            raise TypeError(f"there is no setting {name!r}{near or ': see help(ModelConfig) and help(TrainingConfig)'}")
        tables[table][name] = tuple(value) if isinstance(value, list) else value
    return tables


def configured(name: str, tables: Tables, token_unit: TokenUnit = "word") -> Config:
    """The preset of that name in the variant for these values, changed by them.

    Args:
        name: The preset.
        tables: Values of fields, as for `merge_config`.
        token_unit: The unit of the tokens, where the values do not name one.

    Raises:
        InputError: If there is no such preset, or a field does not take its value, alone or beside the others.
    """
    model = tables["model"]
    variant = preset(
        name,
        token_unit=model.get("token_unit", token_unit),
        char_encoder=model.get("char_encoder", "cnn"),
        transformer=model.get("transformer"),
        fine_tune=model.get("fine_tune", False),
    )
    return merge_config(variant, tables)


def merge_config(base: Config, tables: Tables) -> Config:
    """`base` with the values of `{"model": {...}, "training": {...}}`.

    Raises:
        InputError: If a field does not take its value, alone or beside the others.
    """
    training = tables.get("training", {})
    for name in ("min_epochs", "min_steps"):
        if training.get("epochs", base.training.epochs) is not None and training.get(name):
            raise InputError(
                f"{name}: expected none beside epochs, which says how many there are, got {training[name]}"
            )
    return Config(model=replace(base.model, **tables.get("model", {})), training=replace(base.training, **training))
