"""What can be set: the model and its training.

Each field says what it means, its unit, and where its default comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args, get_origin, get_type_hints

from ner_lstm_crf.errors import InputError

__all__ = ["MAX_LR", "MIN_LR", "Config", "ModelConfig", "TrainingConfig"]

HeadName = Literal["crf", "softmax"]
CrfLoss = Literal["sequence", "labelwise"]
TokenUnit = Literal["word", "character"]
Hyphens = Literal["auto", "split", "keep"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["linear", "inverse", "constant"]
Reduction = Literal["token", "sentence", "sum"]
Precision = Literal["float32", "bfloat16"]


MIN_LR, MAX_LR = 1.5e-3, 5e-3
"""Between these is the learning rate that training takes if it is not told one."""

_HUGE = 1e300  # beyond it, as NaN, a value is no setting but a slip


def _check_range(config: object, names: tuple[str, ...], lowest: float, below: float | None) -> None:
    """Refuse values outside [lowest, below): a dropout of 1 or a batch of no sentence trains nothing."""
    for name in names:
        value = getattr(config, name)
        if not -_HUGE < value < _HUGE or value < lowest or (below is not None and value >= below):
            wanted = f"at least {lowest}" + ("" if below is None else f" and below {below}")
            raise InputError(f"{name}: expected {wanted}, got {value}")


def _check_choices(config: object) -> None:
    """Refuse what is none of the values that a field's type names, which type checkers alone would find."""
    for name, kind in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if get_origin(kind) is Literal and value not in get_args(kind):
            raise InputError(f"{name}: expected one of {', '.join(get_args(kind))}, got {value!r}")


_RATES_OF_MODEL = (
    "word_dropout",
    "bigram_dropout",
    "lexicon_dropout",
    "char_dropout",
    "input_dropout",
    "recurrent_dropout",
    "output_dropout",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of the network. Sizes count values per token, rates are probabilities.

    Attributes:
        scheme: The tag scheme the network is trained in; files may use any other.
        head: "crf", or "softmax", which picks one tag per token by itself.
        crf_loss: "sequence", the log-likelihood of the whole tag sequence (Lafferty et al. 2001), or "labelwise", the
            sum of each token's log marginal (Kakade, Teh and Roweis 2002). Ignored by the softmax head.
        token_unit: What a token is in raw text: a "word", or a "character" (Chinese corpora).
        hyphens: Whether the tokenizer of raw text splits words at hyphens; "auto" does as the training data do.
        word_size: Size of a word embedding; that of the pretrained vectors where there are any, as there are for
            characters unless they are declined.
        char_size: Size of a character embedding (Ma and Hovy 2016: 30).
        char_filters: Filters of the char-CNN for each width; 0 leaves the char-CNN out.
        char_widths: Widths of the char-CNN's filters, in characters.
        bigram_size: Size of the embedding of a pair of neighbours, where a token is a character; 0 for none.
        lexicon_size: The same of a lexicon's word.
        casing_size: Size of the embedding of a word's casing and shape (8: Reimers and Gurevych 2017); 0 for none.
        hidden_size: LSTM units per direction.
        layers: Stacked BiLSTM layers.
        residual: Whether each layer but the first adds what it reads to what it says (He et al. 2016).
        word_dropout: Share of tokens whose word is replaced by the unknown word (Lample et al. 2016).
        bigram_dropout: The same of pairs of characters.
        lexicon_dropout: Share of a lexicon's words that are left with what they share with others of their kind.
        char_dropout: Dropout on the char-CNN's output.
        input_dropout: Variational dropout on the encoder's input (Gal and Ghahramani 2016).
        recurrent_dropout: Share of hidden-to-hidden weights dropped in each batch (Merity et al. 2018).
        output_dropout: Variational dropout on the encoder's output.
        transformer: Folder or hub name of a `transformers` encoder joined to the embeddings; None for none.
        transformer_layers: How many of its last layers are averaged, the embedding layer counted as one.
        transformer_mix: Whether the weights of these layers are learnt instead (Peters et al. 2018).
        transformer_size: Size its output is projected to; 0 leaves it as it is.
        fine_tune: Whether the transformer is trained too.
    """

    scheme: str = "BIEO"
    head: HeadName = "crf"
    crf_loss: CrfLoss = "sequence"
    token_unit: TokenUnit = "word"
    hyphens: Hyphens = "auto"
    word_size: int = 100
    char_size: int = 30
    char_filters: int = 50
    char_widths: tuple[int, ...] = (3,)
    bigram_size: int = 25
    lexicon_size: int = 50
    casing_size: int = 8
    hidden_size: int = 200
    layers: int = 1
    residual: bool = True
    word_dropout: float = 0.05
    bigram_dropout: float = 0.1
    lexicon_dropout: float = 0.3
    char_dropout: float = 0.25
    input_dropout: float = 0.25
    recurrent_dropout: float = 0.25
    output_dropout: float = 0.5
    transformer: str | None = None
    transformer_layers: int = 4
    transformer_mix: bool = False
    transformer_size: int = 150
    fine_tune: bool = False

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_range(self, _RATES_OF_MODEL, 0, 1)
        _check_range(self, ("word_size", "char_size", "hidden_size", "layers", "transformer_layers"), 1, None)
        _check_range(self, ("char_filters", "bigram_size", "lexicon_size", "casing_size", "transformer_size"), 0, None)
        if not self.char_widths or min(self.char_widths) < 1:
            raise InputError(f"char_widths: expected widths of at least 1, got {list(self.char_widths)}")

    @property
    def has_bigrams(self) -> bool:
        """Whether pairs of neighbouring tokens are looked at."""
        return self.token_unit == "character" and self.bigram_size > 0

    @property
    def looks_for_words(self) -> bool:
        """Whether the words of a lexicon are looked for, if there is one."""
        return self.token_unit == "character" and self.lexicon_size > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the network is trained.

    Attributes:
        epochs: Passes over the training data.
        min_steps: Steps of the optimizer that training takes at least: a small corpus is passed over more often, but
            ten times as often as `epochs` at most.
        batch_size: Most sentences in one batch.
        max_batch_tokens: Most tokens in one batch, padding included; a longer sentence is a batch of its own.
        optimizer: "adamw" (Loshchilov and Hutter 2019) or "sgd".
        learning_rate: The highest learning rate; None, with "adamw", for one that suits the steps that training takes,
            higher where they are few (`peak_learning_rate`), and the lowest where it starts from a model.
        transformer_learning_rate: That of a fine-tuned transformer.
        transformer_precision: What a fine-tuned transformer multiplies in; its weights stay float32. "bfloat16" is
            twice as fast where the processor has it.
        momentum: Momentum of SGD.
        weight_decay: Decoupled weight decay of AdamW; L2 penalty of SGD.
        schedule: "linear" down to zero over all epochs, "inverse" (lr / (1 + decay * epoch), Ma and Hovy 2016), or
            "constant".
        lr_decay: The decay of the "inverse" schedule, per epoch.
        warmup_ratio: Share of all steps over which the learning rate rises from zero.
        reduction: What the loss of a batch is divided by: its tokens, its sentences, or nothing. A published learning
            rate means nothing without it: SGD with 0.015 on a sum is 0.15 on the mean of ten sentences.
        max_grad_norm: Largest norm of the gradient; 0 for no clipping.
        ema_decay: Decay per step of the averaged weights that are evaluated and kept; 0 for the weights themselves.
        patience: Epochs without a better dev F1 after which training stops; 0 never stops early.
        pretrained_lr_scale: Learning rate of pretrained word vectors, not those of a model to start from, as a share
            of that of all else: those that training reads stay near the others, which only new text will read.
        freeze_vectors: Whether pretrained word vectors stay as they are.
        adversarial_epsilon: How far the vectors of a sentence's tokens are moved, as a root mean square, to where the
            loss grows fastest; half of the loss is that of the sentences moved so (Miyato et al. 2017). Training takes
            1.8 times as long by it; 0 does without.
        mention_replacement: Share of the entities of a training sentence in whose place another of the same label is
            put, drawn anew in each epoch (Dai and Adel 2020). Not where a transformer is fine-tuned.
        members: How many networks are trained, each a run of its own with a seed of its own, and then joined: their
            emissions and transition scores are averaged. Tagging takes as many times as long. Not where a
            transformer is fine-tuned.
        seed: Seed of everything random.
    """

    epochs: int = 12
    min_steps: int = 1500
    batch_size: int = 32
    max_batch_tokens: int = 2048
    optimizer: Optimizer = "adamw"
    learning_rate: float | None = None
    transformer_learning_rate: float = 3e-5
    transformer_precision: Precision = "float32"
    momentum: float = 0.0
    weight_decay: float = 0.01
    schedule: Schedule = "linear"
    lr_decay: float = 0.05
    warmup_ratio: float = 0.02
    reduction: Reduction = "sentence"
    max_grad_norm: float = 1.0
    ema_decay: float = 0.995
    patience: int = 0
    pretrained_lr_scale: float = 0.1
    freeze_vectors: bool = False
    adversarial_epsilon: float = 0.1
    mention_replacement: float = 0.0
    members: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_range(self, ("epochs", "batch_size", "max_batch_tokens", "members"), 1, None)
        if self.learning_rate is not None:
            _check_range(self, ("learning_rate",), 0, None)
        elif self.optimizer != "adamw":
            raise InputError(f"learning_rate: expected one for the optimizer '{self.optimizer}', got None")
        _check_range(self, ("transformer_learning_rate", "max_grad_norm", "patience", "min_steps"), 0, None)
        _check_range(self, ("seed",), 0, 2**63)
        _check_range(self, ("momentum", "warmup_ratio", "ema_decay", "mention_replacement"), 0, 1)
        _check_range(self, ("weight_decay", "lr_decay", "adversarial_epsilon", "pretrained_lr_scale"), 0, None)
        if self.pretrained_lr_scale > 1:
            raise InputError(f"pretrained_lr_scale: expected a share, at most 1, got {self.pretrained_lr_scale}")
        product = (self.learning_rate or MAX_LR) * self.weight_decay
        if self.optimizer == "adamw" and product >= 1:
            raise InputError(f"expected learning_rate * weight_decay below 1, which leaves no weight, got {product:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A model and how it is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
