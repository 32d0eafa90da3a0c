/* The best scores of paths, for the search for one of them and for several.

   delta_1[j] = start[j] + emission_1[j]                                       the best score of a path that ends in j
   delta_t[j] = max_i (delta_(t-1)[i] + transitions[i][j]) + emission_t[j]

   Only the scores are kept. The best tag before a tag is found again on the way back, where it is needed: that is
   n times K comparisons for a path, instead of n times K times K with an index each. */

#ifndef CRF_BEST_H
#define CRF_BEST_H

#include "crf.h"

/* out[j] = max_i (row[i] + matrix[i][j]), for `width` vectors of j. */
INLINE void best_part(const real *row, const real *matrix, int64_t tags, int64_t padded, int width, real *out) {
    const int chains = width == 1 ? 4 : 2;
    vector best[8];
    for (int i = 0; i < 8; i++) best[i] = broadcast(2 * LOWEST);
    for (int64_t i = 0; i < rounded(tags, chains); i += chains)
        for (int chain = 0; chain < chains; chain++) {
            vector value = broadcast(row[i + chain]);
            for (int v = 0; v < width; v++)
                best[chain * width + v] =
                    larger(best[chain * width + v], value + load(matrix + (i + chain) * padded + v * LANES));
        }
    for (int v = 0; v < width; v++) {
        vector total = larger(best[v], best[width + v]);
        if (chains == 4) total = larger(total, larger(best[2 * width + v], best[3 * width + v]));
        store(out + v * LANES, total);
    }
}

/* delta_t of one sentence (n, KP), each less the largest of the token before: the digits of a long sum would be lost.
   Returns the least of the largest scores of the tokens: about LOWEST if there is a token that no path passes. */
static real best_scores(const scores *crf, const batch *input, int64_t sentence, real *delta) {
    int64_t length = input->lengths[sentence], padded = crf->padded, tags = crf->tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    real largest = 0, least = -LOWEST;
    for (int64_t t = 0; t < length; t++, delta += padded, row += input->token_stride) {
        if (t) STEP(best_part, delta - padded, crf->transitions, tags, padded, delta);
        const real *before = t ? delta : crf->start;
        vector best = broadcast(4 * LOWEST), removed = broadcast(largest);
        for (int64_t i = 0; i < padded; i += LANES) {
            vector value = (load(before + i) - removed) + load_first(row + i, tags - i, LOWEST);
            store(delta + i, value);
            best = larger(best, value);
        }
        largest = largest_of(best);
        if (!(largest >= least)) least = largest;
    }
    return least;
}

/* argmax_i (score[i] + transitions[i]), the lowest if several are equal; 0 if no score is a number. */
static int64_t best_previous(const real *score, const real *transitions, int64_t tags, int64_t padded) {
    vector best = broadcast(4 * LOWEST);
    for (int64_t i = 0; i < padded; i += LANES) best = larger(best, load(score + i) + load(transitions + i));
    vector largest = broadcast(largest_of(best));
    for (int64_t i = 0; i < padded; i += LANES) {
        uint64_t lanes = lanes_of(load(score + i) + load(transitions + i) == largest);
        if (lanes) return i + __builtin_ctzll(lanes) < tags ? i + __builtin_ctzll(lanes) : 0;
    }
    return 0;
}

#endif
