/* Forward-backward: the partition Z of a CRF, and its posteriors.

   With the factors A = exp(transitions) and e_t = exp(emission_t), where * is a product value by value:

       alpha_1 = exp(start) * e_1,   alpha_t = (alpha_(t-1) A) * e_t               forward: all beginnings of paths
       beta_n = exp(end),            beta_(t-1) = A (e_t * beta_t)                 backward: all their ends
       Z = sum_i alpha_n[i] exp(end[i])
       p(y_t = i) = alpha_t[i] beta_t[i] / Z
       p(y_t = i, y_(t+1) = j) = alpha_t[i] A[i][j] e_(t+1)[j] beta_(t+1)[j] / Z

   Factors instead of logarithms make each step a product of a vector and a matrix. Every factor is at most 1, since
   the largest score was divided out (of the transitions, and of the emissions of each token); each message alpha or
   beta is scaled by a power of two, which is exact, to a sum near 1. A value below the smallest normal number becomes
   zero. That loses less than 1e-12 of the probability as long as the sums of messages and the products of alpha and
   beta stay above the bounds below; a sentence in which one does not is computed again in logarithms, slowly and
   safely. */

#ifndef CRF_POSTERIORS_H
#define CRF_POSTERIORS_H

#include <math.h>

#include "crf.h"

#define SUM_BOUND ((real)(REAL_BITS == 32 ? 1e-10 : 1e-80))
#define PRODUCT_BOUND ((real)(REAL_BITS == 32 ? 1e-14 : 1e-100))

/* out[j] = sum_i row[i] matrix[i][j], for `width` vectors of j. */
INLINE void product_part(const real *row, const real *matrix, int64_t tags, int64_t padded, int width, real *out) {
    const int chains = width == 1 ? 4 : 2; /* sums that do not wait for each other */
    vector sum[8] = {{0}};
    for (int64_t i = 0; i < rounded(tags, chains); i += chains) /* rows and values beyond K are zero */
        for (int chain = 0; chain < chains; chain++) {
            vector value = broadcast(row[i + chain]);
            for (int v = 0; v < width; v++)
                sum[chain * width + v] += value * load(matrix + (i + chain) * padded + v * LANES);
        }
    for (int v = 0; v < width; v++) {
        vector total = sum[v] + sum[width + v];
        if (chains == 4) total += sum[2 * width + v] + sum[3 * width + v];
        store(out + v * LANES, total);
    }
}

/* e_t[i] = exp(emission_t[i] - largest_t) for one sentence (n, KP). Returns the sum of largest_t, NaN if an emission is
   not finite. */
static double exponential_emissions(const batch *input, int64_t sentence, int64_t length, int64_t padded, real *out) {
    double removed = 0;
    vector not_finite = {0};
    for (int64_t t = 0; t < length; t++, out += padded) {
        const real *row = input->emissions + sentence * input->sentence_stride + t * input->token_stride;
        vector best = broadcast(LOWEST);
        for (int64_t i = 0; i < padded; i += LANES) {
            vector values = load_first(row + i, input->tags - i, LOWEST);
            best = larger(best, values);
            not_finite += values - values;
            store(out + i, values);
        }
        real largest = largest_of(best);
        exponentials_in_place(out, padded, largest);
        removed += largest;
    }
    return removed + sum_of(not_finite);
}

/* All alpha_t of one sentence, scaled (n, KP). Returns log Z but for the factors of the emissions, or NaN if a bound is
   not kept. */
static double forward(const scores *crf, const real *emissions, int64_t length, real *alpha) {
    int64_t padded = crf->padded, log2_scale = 0;
    vector sums = {0};
    /* alpha_1 = start * e_1 */
    for (int64_t i = 0; i < padded; i += LANES) {
        vector value = load(crf->start + i) * load(emissions + i);
        store(alpha + i, value);
        sums += value;
    }
    for (int64_t t = 1; t < length; t++) {
        real sum = sum_of(sums);
        if (!(sum >= SUM_BOUND)) return NAN;
        /* alpha_t = (alpha_(t-1) A) * e_t / 2^shift, which brings the next sum near 1 */
        int64_t shift = exponent_of(sum);
        vector scale = broadcast(power_of_two(-shift));
        real *alpha_t = alpha + t * padded;
        STEP(product_part, alpha_t - padded, crf->transitions, crf->tags, padded, alpha_t);
        log2_scale += shift;
        sums = (vector){0};
        for (int64_t i = 0; i < padded; i += LANES) {
            vector value = load(alpha_t + i) * (load(emissions + t * padded + i) * scale);
            store(alpha_t + i, value);
            sums += value;
        }
    }
    /* Z = alpha_n . end */
    vector ends = {0};
    for (int64_t i = 0; i < padded; i += LANES) ends += load(alpha + (length - 1) * padded + i) * load(crf->end + i);
    real total = sum_of(ends);
    if (!(sum_of(sums) >= SUM_BOUND && total >= PRODUCT_BOUND)) return NAN;
    return log(total) + log2_scale * 0.693147180559945309417 + crf->log_factor_ends +
           crf->log_factor_transition * (length - 1);
}

/* All beta_t of one sentence, and the posteriors.

   p(y_t = i) goes to `out`, one row of K per token. `emissions` e_t become the right factor of the posteriors of
   transitions: p(y_t = i, y_(t+1) = j) = alpha_t[i] A[i][j] emissions_(t+1)[j]. `work` holds two rows. Returns the least
   sum of products alpha_t * beta_t, or 0 if a bound is not kept. */
static real backward(const scores *crf, real *emissions, int64_t length, const real *alpha, real *work, real *out) {
    int64_t padded = crf->padded, tags = crf->tags;
    real *beta = work, *beta_e = work + padded; /* beta_t, and e_t * beta_t */
    memcpy(beta, crf->end, padded * sizeof(real));
    real scale_of_beta = 1, least = -LOWEST;
    for (int64_t t = length - 1;; t--) {
        /* 1. Z as this token has it: the sum of alpha_t * beta_t. */
        vector products = {0}, sums = {0};
        for (int64_t i = 0; i < padded; i += LANES) {
            products += load(beta + i) * load(alpha + t * padded + i);
            sums += load(beta + i);
        }
        real total = sum_of(products), sum = sum_of(sums);
        if (!(total >= PRODUCT_BOUND && sum >= SUM_BOUND)) return 0;
        if (total < least) least = total;
        /* 2. The posteriors of the token, and of the transition into the next one, whose factor is now known. */
        vector share = broadcast(1 / total);
        for (int64_t i = 0; i < padded; i += LANES)
            store_first(out + t * tags + i, tags - i, load(beta + i) * load(alpha + t * padded + i) * share);
        if (t + 1 < length) {
            vector factor = share * scale_of_beta;
            for (int64_t i = 0; i < padded; i += LANES)
                store(emissions + (t + 1) * padded + i, load(beta_e + i) * factor);
        }
        if (t == 0) return least;
        /* 3. beta_(t-1) = A (e_t * beta_t), scaled. */
        scale_of_beta = power_of_two(-exponent_of(sum));
        for (int64_t i = 0; i < padded; i += LANES)
            store(beta_e + i, load(beta + i) * load(emissions + t * padded + i));
        STEP(product_part, beta_e, crf->transposed, tags, padded, beta);
        for (int64_t i = 0; i < padded; i += LANES) store(beta + i, load(beta + i) * scale_of_beta);
    }
}

/* Where `scaled_posteriors` leaves the factors of transitions: n rows each. */
INLINE real *right_of(real *work, const scores *crf) { return work + 2 * crf->padded; }
INLINE real *left_of(real *work, const scores *crf, int64_t length) { return work + (2 + length) * crf->padded; }

/* The posteriors p(y_t = i) of one sentence to `out` (n, K), and in `work`, 2 n + 2 rows, the factors of those of
   transitions: p(y_t = i, y_(t+1) = j) = left_t[i] A[i][j] right_(t+1)[j]. Returns log Z, or NaN if a bound is not
   kept. */
static inline double scaled_posteriors(const scores *crf, const batch *input, int64_t sentence, real *work, real *out) {
    int64_t length = input->lengths[sentence], padded = crf->padded;
    real *right = right_of(work, crf), *left = left_of(work, crf, length);
    double removed = exponential_emissions(input, sentence, length, padded, right);
    double log_z = forward(crf, right, length, left);
    if (isnan(log_z) || !backward(crf, right, length, left, work, out)) return NAN;
    return log_z + removed;
}

/* The sum over tokens of left_t[i] A[i][j] right_(t+1)[j], `weight` times, added to `rows` rows of `out`, in one vector
   of columns. With the factors of `backward` it is the expected number of each transition. */
INLINE void transitions_part(const scores *crf, const real *left, const real *right, int64_t length, int64_t first,
                             int rows, int64_t column, real weight, real *out) {
    int64_t padded = crf->padded, tags = crf->tags;
    vector sum[8] = {{0}};
    for (int64_t t = 0; t + 1 < length; t++) {
        vector value = load(right + (t + 1) * padded + column);
        for (int row = 0; row < rows; row++) sum[row] += broadcast(left[t * padded + first + row]) * value;
    }
    for (int row = 0; row < rows && first + row < tags; row++) {
        real *to = out + (first + row) * tags + column;
        vector counts = weight * sum[row] * load(crf->transitions + (first + row) * padded + column);
        store_first(to, tags - column, load_first(to, tags - column, 0) + counts);
    }
}

/* The same for all rows and columns (K, K). */
static inline void add_transitions(const scores *crf, const real *left, const real *right, int64_t length, real weight,
                                   real *out) {
    for (int64_t column = 0; column < crf->padded; column += LANES) {
        int64_t first = 0;
        for (; first + 8 <= rounded(crf->tags, 4); first += 8)
            transitions_part(crf, left, right, length, first, 8, column, weight, out);
        if (first < crf->tags) transitions_part(crf, left, right, length, first, 4, column, weight, out);
    }
}

/* log sum_i exp(values[i]) */
static double log_sum(const double *values, int64_t count) {
    double best = values[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        if (values[i] > best) best = values[i];
    for (int64_t i = 0; i < count; i++) sum += exp(values[i] - best);
    return best + log(sum);
}

/* All log alpha_t and log beta_t of one sentence (n, K), for any finite scores and any length; `terms` holds K values.
   Returns log Z. */
static double log_messages(const scores *crf, const batch *input, int64_t sentence, double *alpha, double *beta,
                           double *terms) {
    int64_t tags = crf->tags, length = input->lengths[sentence], step = input->token_stride;
    const real *row = input->emissions + sentence * input->sentence_stride;
    /* 1. alpha_t[j] = log sum_i exp(alpha_(t-1)[i] + transitions[i][j]) + emission_t[j] */
    for (int64_t i = 0; i < tags; i++) alpha[i] = (double)crf->start_scores[i] + row[i];
    for (int64_t t = 1; t < length; t++)
        for (int64_t j = 0; j < tags; j++) {
            for (int64_t i = 0; i < tags; i++)
                terms[i] = alpha[(t - 1) * tags + i] + crf->transition_scores[i * tags + j];
            alpha[t * tags + j] = log_sum(terms, tags) + row[t * step + j];
        }
    /* 2. beta_(t-1)[i] = log sum_j exp(transitions[i][j] + emission_t[j] + beta_t[j]) */
    for (int64_t i = 0; i < tags; i++) beta[(length - 1) * tags + i] = crf->end_scores[i];
    for (int64_t t = length - 1; t > 0; t--)
        for (int64_t i = 0; i < tags; i++) {
            for (int64_t j = 0; j < tags; j++)
                terms[j] = (double)crf->transition_scores[i * tags + j] + row[t * step + j] + beta[t * tags + j];
            beta[(t - 1) * tags + i] = log_sum(terms, tags);
        }
    /* 3. log Z */
    for (int64_t i = 0; i < tags; i++) terms[i] = alpha[(length - 1) * tags + i] + crf->end_scores[i];
    return log_sum(terms, tags);
}

#endif
