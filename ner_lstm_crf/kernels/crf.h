/* What the recursions of a linear-chain CRF (Lafferty, McCallum and Pereira 2001) have in common.

   B sentences of at most T tokens, K tags. Emissions are (B, T, K) with any stride between sentences and tokens;
   nothing beyond a sentence's length is read. The scores of starting and ending are (K,), those of moves (K, K),
   [from][to]. Compiled once with REAL_BITS=32 and once with 64. */

#ifndef CRF_H
#define CRF_H

#include <stdlib.h>

#include "vector.h"

#define LEAST ((real)-1e30) /* the score of what is beyond K */
#define LARGE_WORK 400000   /* multiplications from which a second thread pays */

enum { DONE, BAD_LENGTH, BAD_TAG, NO_MEMORY };

/* The scores of one CRF, prepared: `move` is row by row, `back` its transpose. */
typedef struct {
    int64_t tags, padded;
    const real *start_scores, *move_scores, *end_scores; /* as given */
    real *start, *move, *back, *end;                     /* padded to `padded` in both dimensions */
    double offset_once, offset_move; /* log of the factors taken out of start and end, of each move */
    void *memory;
} scores;

/* Where the values of a batch lie. */
typedef struct {
    const real *emissions;
    int64_t sentences, tokens, tags, sentence_stride, token_stride;
    const int64_t *lengths;
} batch;

INLINE int64_t rounded(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

/* Whole vectors, and whole groups of the four rows that `product_part` takes at once. */
INLINE int64_t padded_to(int64_t tags) { return rounded(tags, LANES < 4 ? 4 : LANES); }

static real *allocate(int64_t values, void **memory) {
    *memory = malloc(values * sizeof(real) + 64);
    return *memory ? (real *)(((uintptr_t)*memory + 63) & ~(uintptr_t)63) : NULL;
}

static real largest_in(const real *values, int64_t count) {
    real best = values[0];
    for (int64_t i = 1; i < count; i++)
        if (values[i] > best) best = values[i];
    return best;
}

/* A score, LEAST beyond the K tags. */
INLINE real padded_score(const real *scores, int64_t row, int64_t column, int64_t tags) {
    return row < tags && column < tags ? scores[row * tags + column] : LEAST;
}

static void exponentials_in_place(real *values, int64_t count, real largest) {
    for (int64_t i = 0; i < count; i += LANES) store(values + i, exponential(load(values + i) - largest));
}

static int prepare(scores *crf, int64_t tags, const real *start, const real *move, const real *end, int exponentiate) {
    int64_t padded = padded_to(tags);
    *crf = (scores){.tags = tags, .padded = padded, .start_scores = start, .move_scores = move, .end_scores = end};
    crf->move = allocate(2 * padded * (padded + 1), &crf->memory);
    if (!crf->move) return NO_MEMORY;
    crf->back = crf->move + padded * padded;
    crf->start = crf->back + padded * padded;
    crf->end = crf->start + padded;
    for (int64_t i = 0; i < padded; i++) {
        crf->start[i] = padded_score(start, 0, i, tags);
        crf->end[i] = padded_score(end, 0, i, tags);
        for (int64_t j = 0; j < padded; j++) {
            crf->move[i * padded + j] = padded_score(move, i, j, tags);
            crf->back[i * padded + j] = padded_score(move, j, i, tags);
        }
    }
    if (exponentiate) {
        real best = largest_in(move, tags * tags), first = largest_in(start, tags), last = largest_in(end, tags);
        exponentials_in_place(crf->move, padded * padded, best);
        exponentials_in_place(crf->back, padded * padded, best);
        exponentials_in_place(crf->start, padded, first);
        exponentials_in_place(crf->end, padded, last);
        crf->offset_move = best;
        crf->offset_once = (double)first + last;
        double odd = 0; /* 0, or NaN if a score is not finite, and then so is every sum */
        for (int64_t i = 0; i < tags * tags; i++) odd += move[i] - move[i];
        for (int64_t i = 0; i < tags; i++) odd += (start[i] - start[i]) + (end[i] - end[i]);
        crf->offset_once += odd;
    }
    return DONE;
}

/* A step from a row (K) through a matrix (K, K), `part` by `part` of at most four vectors that stay in registers. */
#define STEP(part, row, matrix, tags, padded, out)                                   \
    do {                                                                             \
        const real *from = (matrix);                                                 \
        real *to = (out);                                                            \
        int64_t left = (padded) / LANES;                                             \
        for (; left >= 4; left -= 4, from += 4 * LANES, to += 4 * LANES)             \
            part(row, from, tags, padded, 4, to);                                    \
        if (left == 3) part(row, from, tags, padded, 3, to);                         \
        if (left == 2) part(row, from, tags, padded, 2, to);                         \
        if (left == 1) part(row, from, tags, padded, 1, to);                         \
    } while (0)

static int64_t longest_of(const batch *input) {
    int64_t longest = 0;
    for (int64_t b = 0; b < input->sentences; b++) {
        if (input->lengths[b] < 1 || input->lengths[b] > input->tokens) return -1;
        if (input->lengths[b] > longest) longest = input->lengths[b];
    }
    return longest;
}

static int threads_for(const batch *input, int64_t longest, int64_t threads) {
    return input->sentences * longest * input->tags * input->tags < LARGE_WORK ? 1 : (int)threads;
}

#endif
