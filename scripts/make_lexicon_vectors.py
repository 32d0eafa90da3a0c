"""Make the vectors of Chinese words that come with the package, from the word embedding of Baidu's LAC 2.1.2.

    pip download --no-deps LAC==2.1.2 && tar xzf LAC-2.1.2.tar.gz
    python scripts/make_lexicon_vectors.py LAC-2.1.2/LAC/lac_model

LAC (Apache License 2.0) cuts Chinese text into words and finds parts of speech and names. Its network reads 128 values
of each of 58,224 characters and words, which it learnt from labelled text that is not published: names of persons lie
beside names of persons, titles beside titles. Of these the words of two Han characters or more are kept, and of their
values the 50 principal components.
"""

from __future__ import annotations

import argparse
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.features.lexicon import builtin_words
from ner_lstm_crf.features.vectors import LEXICON_VECTORS

SIZE = 50  # values of a vector, as lexicon_size
OF_LAC = 128  # values of a vector in LAC
SPREAD = 0.4  # their standard deviation, as that of GloVe


def main() -> None:
    """Read LAC's dictionary and embedding, shorten the vectors, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="LAC's folder lac_model")
    parser.add_argument("--output", type=Path, default=LEXICON_VECTORS, help="of the vectors")
    args = parser.parse_args()
    output: Path = args.output
    words, embedding = read_embedding(args.model)
    kept = [row for row, word in enumerate(words) if len(word) > 1 and is_han(word)]
    lexicon = builtin_words()
    fitted = [number for number, row in enumerate(kept) if words[row] in lexicon]
    vectors = principal_components(embedding[kept], np.array(fitted))
    with lzma.open(output, "wt", encoding="utf-8", preset=9) as file:
        for row, values in sorted(zip(kept, vectors, strict=True), key=lambda pair: words[pair[0]]):
            file.write(f"{words[row]} {' '.join(f'{value:.2f}' for value in values)}\n")
    print(f"{output}: {len(kept):,} words, {output.stat().st_size / 1e6:.2f} MB")


def read_embedding(model: Path) -> tuple[list[str], NDArray[np.float32]]:
    """The characters and words that LAC knows, and the vector of each (N, D)."""
    lines = (model / "conf" / "word.dic").read_text(encoding="utf-8").splitlines()
    words = [line.partition("\t")[2] for line in lines]
    content = (model / "model" / "word_emb").read_bytes()  # a header, and behind it the values
    return words, np.frombuffer(content[-4 * OF_LAC * len(words) :], "<f4").reshape(-1, OF_LAC)


def is_han(word: str) -> bool:
    """True if a word is written in nothing but Han characters."""
    return all("\u4e00" <= character <= "\u9fff" for character in word)


def principal_components(vectors: NDArray[np.float32], fitted: NDArray[np.int64]) -> NDArray[np.float32]:
    """The largest principal components of vectors (N, D), those of some rows: (N, SIZE)."""
    mean = vectors[fitted].mean(0)
    _, _, directions = np.linalg.svd(vectors[fitted] - mean, full_matrices=False)
    directions = directions[:SIZE]
    largest = np.abs(directions).argmax(1)
    directions *= np.sign(directions[np.arange(SIZE), largest])[:, None]  # the same on every machine
    short = (vectors - mean) @ directions.T
    scaled: NDArray[np.float32] = short * (SPREAD / short[fitted].std())
    return scaled


if __name__ == "__main__":
    main()
