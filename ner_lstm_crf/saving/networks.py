"""The networks of a model: new ones, those of a directory, and the names and shapes of their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, overload

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.saving.weights import Weights
from ner_lstm_crf.tags.tag_set import TagSet

if TYPE_CHECKING:
    from ner_lstm_crf.model.network import Network


def new_network(config: ModelConfig, features: Features, tags: TagSet, seed: int | None) -> Network:
    """A network of this configuration for these features and tags.

    Args:
        config: The configuration.
        features: The token features.
        tags: The tags.
        seed: Seed of its first weights; None if saved ones will take their place.

    Raises:
        InputError: If a transformer is damaged or does not suit the configuration.
    """
    import torch  # a model that is only read needs none

    from ner_lstm_crf.model.embedding.registry import new_embedding
    from ner_lstm_crf.model.embedding.transformer import read_encoder
    from ner_lstm_crf.model.generators import explicit
    from ner_lstm_crf.model.network import Network

    read_encoder(features, config)
    initialise = seed is not None
    start, transitions, end = map(torch.from_numpy, tags.allowed_transitions())
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    with explicit(generator):
        embedding = new_embedding(features, config, initialise=initialise)
        return Network.build(config, embedding, (start, transitions, end), initialise=initialise)


class LoadedNetworks(Sequence["Network"]):
    """The networks of a directory, of which only the weights are there until one of them is asked for.

    Args:
        config: The configuration.
        features: The token features.
        tags: The tags.
        weights: The weights of each network, of the names and shapes that `check_weights` expects.
    """

    def __init__(self, config: ModelConfig, features: Features, tags: TagSet, weights: Sequence[Weights]) -> None:
        self._parts, self._count = (config, features, tags), len(weights)
        self._weights: tuple[Weights, ...] | None = tuple(weights)
        self._made: tuple[Network, ...] = ()
        self._lock = RLock()

    @property
    def weights(self) -> tuple[Weights, ...] | None:
        """The weights of each network; None once there are networks, which may have others by now."""
        return self._weights

    def __len__(self) -> int:
        """The number of networks."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Network]: ...
    def __getitem__(self, index: int | slice) -> Network | Sequence[Network]:
        """One of the networks, or some of them, in evaluation mode."""
        with computing(), self._lock:  # two threads may ask for the first time
            if self._weights is not None:
                self._made, self._weights = tuple(map(self._network, self._weights)), None
            return self._made[index]

    def _network(self, weights: Weights) -> Network:
        import torch

        network = new_network(*self._parts, None)
        network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        return network.eval()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=RLock())


def check_weights(weights: Weights, config: ModelConfig, features: Features, tags: TagSet) -> None:
    """Refuse weights of another network than the one of this configuration, before that one takes any memory.

    Raises:
        ValueError: If their names or shapes are others.
    """
    # 1. What grows with the number of parts must not even be listed.
    parts = config.layers + len(config.char_widths) * (config.char_blocks if config.char_encoder == "intnet" else 1)
    if parts > len(weights):
        raise ValueError(f"expected at least {parts:,} tensors, found {len(weights):,}")
    if "projection.bias" not in weights or weights.shape("projection.bias") != (len(tags),):
        raise ValueError(f"expected the weights of {len(tags):,} tags")
    # 2. Names, then shapes.
    expected = weight_shapes(config, features, len(tags))
    for name in sorted(expected.keys() | weights.keys()):
        if name not in expected or name not in weights:
            raise ValueError(f"expected {'no' if name in weights else 'the'} tensor {name!r:.80}")
        if expected[name] != weights.shape(name):
            found, wanted = weights.shape(name), expected[name]
            raise ValueError(f"expected {name!r:.80} in the shape {wanted}, found {found}")


def weight_shapes(config: ModelConfig, features: Features, tags: int) -> Mapping[str, tuple[int, ...]]:
    """The shape of each weight of a network, by name.

    Args:
        config: The configuration.
        features: The token features.
        tags: The number of tags.
    """
    # 1. The vectors of the features.
    shapes = {
        f"embedding.{feature}.{name}": shape
        for feature, one in features.items()
        for name, shape in one.weight_shapes(config).items()
    }
    # 2. The LSTMs: four gates of H units each.
    gates, size = 4 * config.hidden_size, sum(one.vector_size(config) for one in features.values())
    for layer in range(config.layers):
        for direction in ("forwards", "backwards"):
            lstm = f"encoder.{direction}.{layer}.lstm."
            shapes[lstm + "weight_ih_l0"], shapes[lstm + "weight_hh_l0"] = (gates, size), (gates, config.hidden_size)
            shapes[lstm + "bias_ih_l0"] = shapes[lstm + "bias_hh_l0"] = (gates,)
        size = 2 * config.hidden_size
    # 3. The emissions and the head.
    shapes["projection.weight"], shapes["projection.bias"] = (tags, size), (tags,)
    if config.head == "crf":
        shapes["head.start_transitions"] = shapes["head.end_transitions"] = (tags,)
        shapes["head.transitions"] = (tags, tags)
    return shapes
