"""What the modules of word, pairs and lexicon add to their tables: dropout, and what words share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.gazetteer import NameLists
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.features.vocabulary import UNKNOWN
from ner_lstm_crf.model.embedding.bigrams import BigramVectors
from ner_lstm_crf.model.embedding.gazetteer import GazetteerVectors
from ner_lstm_crf.model.embedding.lexicon import LexiconVectors
from ner_lstm_crf.model.embedding.word import WordVectors
from tests.made_batches import drawn_table


def test_word_dropout_takes_the_unknown_vector_in_training_at_its_rate() -> None:
    torch.manual_seed(0)
    module = WordVectors(drawn_table(9, 4), 0.3)
    words, tokens = torch.tensor([2, 5, 7]), torch.tensor([[0, 2] * 2000, [1] * 4000])
    plain = module.eval().at_tokens(words, tokens)
    dropped = module.train().at_tokens(words, tokens)
    unknown = (dropped == module.table.trainable[UNKNOWN]).all(2)
    assert torch.equal(dropped[~unknown], plain[~unknown])
    assert unknown.float().mean(1).tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    # Token by token, not word by word: one occurrence of a word is dropped, the next is not.
    assert unknown[1].unique().tolist() == [False, True]
    dropped.sum().backward()
    assert module.table.trainable.grad is not None
    assert module.table.trainable.grad[UNKNOWN].unique().item() == unknown.sum()


def test_pairs_are_dropped_at_their_rate() -> None:
    torch.manual_seed(0)
    module = BigramVectors(drawn_table(9, 4), 0.25)
    ids = torch.randint(2, 9, (2, 5000, 2))
    plain, dropped = (module.train(mode)(ids).view(2, 5000, 2, 4) for mode in (False, True))
    unknown = (dropped == module.table.trainable[UNKNOWN]).all(-1)
    assert torch.equal(dropped[~unknown], plain[~unknown])
    assert abs(float(unknown.float().mean()) - 0.25) < 0.02


def test_a_word_has_what_its_kind_shares_and_what_is_its_own_of_which_a_share_is_dropped_in_training() -> None:
    torch.manual_seed(0)
    shared = torch.tensor([0, 1, 2, 3, 4, 1, 2])
    vectors = LexiconVectors(drawn_table(7, 2), shared, 0.25)
    ids = torch.randint(7, (1, 10_000, 3))
    vectors.table.trainable.data[5:] = 100
    kind = vectors.table.trainable[shared[ids]].detach()
    own = (ids >= 5).unsqueeze(-1) * 100.0
    assert torch.allclose(vectors.eval()(ids), (kind + own).flatten(2))
    seen = vectors.train()(ids).view(1, 10_000, 3, 2)
    dropped = ((seen - kind).abs() < 1).all(-1)
    assert torch.allclose(seen, kind + own * ~dropped.unsqueeze(-1))
    assert abs(float(dropped[ids >= 5].float().mean()) - 0.25) < 0.02


def test_a_word_begins_with_what_its_kind_shares_and_its_pretrained_vector_which_learns_slowly_or_not_at_all() -> None:
    torch.manual_seed(0)
    words = {"ab": "n", "cd": "n", "ef": "n", "gh": "n"}
    vectors = Vectors(("ab", "ef"), np.array([[10, 20], [30, 40]], np.float32))
    lexicon = Lexicon.of_words(words, [list("ababcdcd")], vectors)
    module = LexiconVectors.build(lexicon, ModelConfig(token_unit="character", lexicon_size=2, lexicon_dropout=0.0))
    module.initialise(lexicon)
    table = module.table
    rows = dict(zip(lexicon.words, lexicon.word_rows().tolist(), strict=True))
    kind = table.trainable[rows["gh"]].detach()
    own = {"ab": [10.0, 20.0], "cd": [0.0, 0.0], "ef": [30.0, 40.0], "gh": [0.0, 0.0]}
    for word, row in rows.items():
        found = module(torch.tensor([[[row, 0, row]]])).view(3, 2)
        assert torch.allclose(found[0], kind + torch.tensor(own[word]))
        assert torch.equal(found[2], found[0])
    assert {word for word, row in rows.items() if row < len(table.pretrained) and table.pretrained[row]} == {"ab"}
    # Its kind learns from a word whose own vector is frozen.
    module(torch.tensor([[[rows["ef"]] * 3]])).sum().backward()
    assert table.trainable.grad is not None
    assert table.trainable.grad[rows["gh"]].tolist() == [3.0, 3.0]
    assert not table.trainable.grad[[rows["ab"], rows["cd"]]].any()


def test_the_vectors_of_the_lists_stand_side_by_side() -> None:
    names = NameLists({"given": ["ada"], "place": ["new york"]})
    module = GazetteerVectors.build(names, ModelConfig(gazetteer_size=3))
    module.table.draw()
    table = module.table.trainable
    assert table.shape == names.weight_shapes(ModelConfig(gazetteer_size=3))["table.trainable"] == (17, 3)
    ids = torch.from_numpy(names.encode([], names.type_ids(["Ada", "New", "York"]), np.array([3])))
    found = module(ids.unsqueeze(0))
    assert found.shape == (1, 3, names.vector_size(ModelConfig(gazetteer_size=3)))
    assert torch.equal(found[0, 0], torch.cat([table[1], table[0]]))
    assert torch.equal(found[0, 2], torch.cat([table[0], table[12]]))
