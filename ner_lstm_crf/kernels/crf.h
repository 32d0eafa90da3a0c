/* A linear-chain CRF (Lafferty, McCallum and Pereira 2001): its scores, and the loops that its recursions share.

   A path of tags y over a sentence of n tokens scores

       start[y_1] + sum_t emission_t[y_t] + sum_t transitions[y_t][y_(t+1)] + end[y_n]

   Letters: B sentences of at most T tokens, K tags, KP = K padded. Emissions are (B, T, K) with any stride between
   sentences and tokens; nothing beyond a sentence's length is read. Start and end scores are (K,), transitions (K, K),
   [from][to]. Compiled once with REAL_BITS=32 and once with 64. */

#ifndef CRF_H
#define CRF_H

#include <stdlib.h>

#include "vector.h"

#define LOWEST ((real)-1e30) /* the score of padding: no path goes there */
#define LARGE_WORK 400000    /* multiplications from which a second thread is faster */

enum { DONE, BAD_LENGTH, BAD_TAG, NO_MEMORY, BAD_LABEL, BAD_SPAN };

/* The scores of a CRF, padded and perhaps exponentiated: the factors of a path instead of the terms of its score. */
typedef struct {
    int64_t tags, padded;
    const real *start_scores, *transition_scores, *end_scores; /* the arguments, as they are */
    real *start, *transitions, *transposed, *end; /* (KP,), (KP, KP) as [from][to] and as [to][from], (KP,) */
    double log_factor_ends, log_factor_transition; /* logs of the factors that were divided out: of start and end
                                                      together, and of each transition */
    void *memory;
} scores;

/* The emissions of a batch and the lengths of its sentences. */
typedef struct {
    const real *emissions;
    int64_t sentences, tokens, tags, sentence_stride, token_stride;
    const int64_t *lengths;
} batch;

INLINE int64_t rounded(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

/* K padded to full vectors, and to full groups of the four rows that `product_part` adds at once. */
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

/* A score, or LOWEST for padding. */
INLINE real padded_score(const real *scores, int64_t row, int64_t column, int64_t tags) {
    return row < tags && column < tags ? scores[row * tags + column] : LOWEST;
}

/* values[i] = exp(values[i] - largest). */
static void exponentials_in_place(real *values, int64_t count, real largest) {
    for (int64_t i = 0; i < count; i += LANES) store(values + i, exponential(load(values + i) - largest));
}

/* Fill `crf` with padded scores. With `exponentiate` they become factors exp(score - largest), at most 1; the largest
   scores go to the two log factors, and a score that is not finite makes them, and so every sum, NaN. */
static int prepare(scores *crf, int64_t tags, const real *start, const real *transitions, const real *end,
                   int exponentiate) {
    int64_t padded = padded_to(tags);
    *crf = (scores){.tags = tags,
                    .padded = padded,
                    .start_scores = start,
                    .transition_scores = transitions,
                    .end_scores = end};
    crf->transitions = allocate(2 * padded * (padded + 1), &crf->memory);
    if (!crf->transitions) return NO_MEMORY;
    crf->transposed = crf->transitions + padded * padded;
    crf->start = crf->transposed + padded * padded;
    crf->end = crf->start + padded;
    for (int64_t i = 0; i < padded; i++) {
        crf->start[i] = padded_score(start, 0, i, tags);
        crf->end[i] = padded_score(end, 0, i, tags);
        for (int64_t j = 0; j < padded; j++) {
            crf->transitions[i * padded + j] = padded_score(transitions, i, j, tags);
            crf->transposed[i * padded + j] = padded_score(transitions, j, i, tags);
        }
    }
    if (exponentiate) {
        real best = largest_in(transitions, tags * tags);
        real first = largest_in(start, tags), last = largest_in(end, tags);
        exponentials_in_place(crf->transitions, padded * padded, best);
        exponentials_in_place(crf->transposed, padded * padded, best);
        exponentials_in_place(crf->start, padded, first);
        exponentials_in_place(crf->end, padded, last);
        crf->log_factor_transition = best;
        crf->log_factor_ends = (double)first + last;
        double not_finite = 0; /* x - x is 0, or NaN if x is not finite */
        for (int64_t i = 0; i < tags * tags; i++) not_finite += transitions[i] - transitions[i];
        for (int64_t i = 0; i < tags; i++) not_finite += (start[i] - start[i]) + (end[i] - end[i]);
        crf->log_factor_ends += not_finite;
    }
    return DONE;
}

/* A row (K,) times a matrix (K, KP), with whatever sum and product `part` has: at most four vectors of the result at a
   time, which stay in registers. */
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

/* The longest sentence of the batch; -1 if a length is out of range. */
static int64_t longest_of(const batch *input) {
    int64_t longest = 0;
    for (int64_t b = 0; b < input->sentences; b++) {
        if (input->lengths[b] < 1 || input->lengths[b] > input->tokens) return -1;
        if (input->lengths[b] > longest) longest = input->lengths[b];
    }
    return longest;
}

static inline int tags_in_range(const batch *input, const int64_t *tags, int64_t tag_stride) {
    for (int64_t b = 0; b < input->sentences; b++)
        for (int64_t t = 0; t < input->lengths[b]; t++)
            if (tags[b * tag_stride + t] < 0 || tags[b * tag_stride + t] >= input->tags) return 0;
    return 1;
}

static int threads_for(const batch *input, int64_t longest, int64_t threads) {
    return input->sentences * longest * input->tags * input->tags < LARGE_WORK ? 1 : (int)threads;
}

#endif
