"""Make the vectors of Chinese characters that come with the package, from jieba's dictionary, and the simplified forms.

    pip install opencc==1.4.2
    python scripts/make_character_vectors.py

A character is described by the words of the dictionary that hold it: their parts of speech and lengths, its position in
them, and the characters around it. The positive pointwise mutual information of the character and each of these (Levy
and Goldberg 2014) makes a long sparse vector; a singular value decomposition makes it short. So family names have
similar vectors, and so have the syllables of foreign names. Characters that are in no word of two or more are left out.
Traditional ones with few words of their own have the vectors of their simplified forms (OpenCC).
"""

from __future__ import annotations

import argparse
import lzma
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ner_lstm_crf.features.simplified import SIMPLIFIED
from ner_lstm_crf.features.vectors import CHARACTER_VECTORS
from shipping.dictionary import dictionary

EXTRA = 50  # more of them are computed, for the last ones to be exact
SIZE = 100  # values of a vector, as those of GloVe
SPREAD = 0.4  # their standard deviation, as that of GloVe
LEAST_WEIGHT = 20.0  # of a description, over all characters that have it
FEW_WORDS = 5  # a traditional character with fewer has the vector of its simplified form
FEW = 5.0  # below this weight chance may have made an association: it counts in part
SMOOTHING = 0.75  # of the descriptions' frequencies (Levy, Goldberg and Dagan 2015, section 3.1)


def main() -> None:
    """Read the dictionary, describe its characters, write their vectors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=CHARACTER_VECTORS, help="of the vectors")
    parser.add_argument("--simplified", type=Path, default=SIMPLIFIED, help="of the simplified forms")
    args = parser.parse_args()
    output: Path = args.output
    forms = list(_simplified_forms())
    args.simplified.write_text("".join(f"{traditional}{simple}\n" for traditional, simple in forms), encoding="utf-8")
    entries = list(dictionary())
    words = Counter(character for word, _, _ in entries if len(word) > 1 for character in set(word))
    weights = defaultdict[tuple[str, str], float](float)
    for word, count, kind in entries:
        for character, description, weight in descriptions(word, kind):
            if character in words:
                weights[character, description] += weight * math.log(1 + count)
    characters, vectors = character_rows(weights)
    known = dict(zip(characters, vectors, strict=True))
    known |= {
        traditional: known[simple]
        for traditional, simple in forms
        if simple in known and words[traditional] < FEW_WORDS
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(output, "wt", encoding="utf-8", preset=9) as file:
        for character in sorted(known):
            file.write(f"{character} {' '.join(f'{value:.2f}' for value in known[character])}\n")
    print(f"{output}: {len(known):,} characters, {output.stat().st_size / 1e6:.2f} MB")


def descriptions(word: str, kind: str) -> Iterator[tuple[str, str, float]]:
    """Each character of a word, with what the word says of it, and how much that weighs."""
    last = len(word) - 1
    for place, character in enumerate(word):
        position = "only" if not last else "first" if not place else "last" if place == last else "inner"
        yield character, f"kind {kind}", 1
        yield character, f"{position} of kind {kind}", 1
        yield character, f"place {min(place, 4)} of {min(last + 1, 5)}", 1
        if place < last:
            yield character, f"before {word[place + 1]}", 1
        if place:
            yield character, f"after {word[place - 1]}", 1
        for other, beside in enumerate(word):
            if other != place:
                yield character, f"with {beside}", 0.5


def character_rows(weights: Mapping[tuple[str, str], float]) -> tuple[list[str], NDArray[np.float32]]:
    """The characters, and the vector of each (N, D)."""
    of_character, of_description = defaultdict[str, float](float), defaultdict[str, float](float)
    for (character, description), weight in weights.items():
        of_character[character] += weight
        of_description[description] += weight
    row = {character: number for number, character in enumerate(sorted(of_character))}
    kept = sorted(name for name, weight in of_description.items() if weight > LEAST_WEIGHT)
    column = {name: number for number, name in enumerate(kept)}
    total = sum(weight**SMOOTHING for weight in of_description.values())
    places, values = list[tuple[int, int]](), list[float]()
    for (character, description), weight in sorted(weights.items()):
        if description in column:
            chance = of_character[character] * of_description[description] ** SMOOTHING / total
            if weight > chance:
                places.append((row[character], column[description]))
                values.append(math.log(weight / chance) * math.sqrt(min(1, weight / FEW)))
    shape = len(row), len(column)
    matrix = torch.sparse_coo_tensor(torch.tensor(places).T, torch.tensor(values), shape, check_invariants=True)
    torch.manual_seed(0)
    left, singular, _ = torch.svd_lowrank(matrix.coalesce(), q=SIZE + EXTRA, niter=6)
    short = left[:, :SIZE] * singular[:SIZE].sqrt()
    short -= short.mean(dim=0)
    short *= SPREAD * math.sqrt(SIZE) / short.norm(dim=1, keepdim=True)
    vectors: NDArray[np.float32] = short.numpy()
    return list(row), vectors


def _simplified_forms() -> Iterator[tuple[str, str]]:
    """Each traditional character that has another simplified form, and that form."""
    from opencc import OpenCC  # of no use but here

    simplified = OpenCC("t2s")
    for code in range(0x4E00, 0xA000):
        if (simple := simplified.convert(chr(code))) != chr(code):
            yield chr(code), simple


if __name__ == "__main__":
    main()
