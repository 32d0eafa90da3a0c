/* Sums over all paths of a CRF: partition, posteriors, and the gradients of the log-likelihood.

   Sums over paths are taken in probability space, where a step is a product of a vector and a matrix. Every factor is
   at most 1, since its maximum is taken out (moves, and the emissions of each token); each message is scaled by a power
   of two, which is exact, to a sum near 1. A value below the smallest normal number becomes zero. That loses less
   than 1e-12 of the probability as long as the sums of the messages and the products of forward and backward messages
   stay above the bounds below; a sentence in which one does not is computed again in logarithms, slowly and safely. */

#include <math.h>

#include "crf.h"

#define SUM_BOUND ((real)(REAL_BITS == 32 ? 1e-10 : 1e-80))
#define PRODUCT_BOUND ((real)(REAL_BITS == 32 ? 1e-14 : 1e-100))

/* `width` vectors of the product of a row of K values and a matrix of padded rows. */
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

/* exp(emissions - the largest of each token) of one sentence into rows; returns the sum of what was taken out, NaN if
   an emission is not finite. */
static double exponential_emissions(const batch *input, int64_t sentence, int64_t length, int64_t padded, real *out) {
    double taken = 0;
    vector odd = {0};
    for (int64_t t = 0; t < length; t++, out += padded) {
        const real *row = input->emissions + sentence * input->sentence_stride + t * input->token_stride;
        vector best = broadcast(LEAST);
        for (int64_t i = 0; i < padded; i += LANES) {
            vector values = load_first(row + i, input->tags - i, LEAST);
            best = larger(best, values);
            odd += values - values;
            store(out + i, values);
        }
        real largest = largest_of(best);
        exponentials_in_place(out, padded, largest);
        taken += largest;
    }
    return taken + sum_of(odd);
}

/* The messages of all beginnings (n, KP); returns log Z, or NaN where it cannot vouch for it. */
static double forward(const scores *crf, const real *emissions, int64_t length, real *messages) {
    int64_t padded = crf->padded, doublings = 0;
    vector sums = {0};
    for (int64_t i = 0; i < padded; i += LANES) {
        vector value = load(crf->start + i) * load(emissions + i);
        store(messages + i, value);
        sums += value;
    }
    for (int64_t t = 1; t < length; t++) {
        real sum = sum_of(sums);
        if (!(sum >= SUM_BOUND)) return NAN;
        int64_t shift = exponent_of(sum);
        vector scale = broadcast(power_of_two(-shift));
        real *message = messages + t * padded;
        STEP(product_part, message - padded, crf->move, crf->tags, padded, message);
        doublings += shift;
        sums = (vector){0};
        for (int64_t i = 0; i < padded; i += LANES) {
            vector value = load(message + i) * (load(emissions + t * padded + i) * scale);
            store(message + i, value);
            sums += value;
        }
    }
    vector ends = {0};
    for (int64_t i = 0; i < padded; i += LANES) ends += load(messages + (length - 1) * padded + i) * load(crf->end + i);
    real total = sum_of(ends);
    if (!(sum_of(sums) >= SUM_BOUND && total >= PRODUCT_BOUND)) return NAN;
    return log(total) + doublings * 0.693147180559945309417 + crf->offset_once + crf->offset_move * (length - 1);
}

/* From forward messages to the posterior of each token, in their place; `emissions` become the other half of the
   posterior of moves: p(y_t = i, y_(t+1) = j) = message_t[i] move[i][j] emissions_(t+1)[j]. The posteriors are written
   to `out`, one row of K per token. Returns whether it can vouch for them. */
static int backward(const scores *crf, real *emissions, int64_t length, const real *messages, real *work, real *out) {
    int64_t padded = crf->padded, tags = crf->tags;
    real *message = work, *weighted = work + padded;
    memcpy(message, crf->end, padded * sizeof(real));
    real scale_of_message = 1;
    for (int64_t t = length - 1;; t--) {
        vector products = {0}, sums = {0};
        for (int64_t i = 0; i < padded; i += LANES) {
            products += load(message + i) * load(messages + t * padded + i);
            sums += load(message + i);
        }
        real total = sum_of(products), sum = sum_of(sums);
        if (!(total >= PRODUCT_BOUND && sum >= SUM_BOUND)) return 0;
        vector share = broadcast(1 / total);
        for (int64_t i = 0; i < padded; i += LANES)
            store_first(out + t * tags + i, tags - i, load(message + i) * load(messages + t * padded + i) * share);
        if (t + 1 < length) { /* the move into the token behind, now that its total is known */
            vector both = share * scale_of_message;
            for (int64_t i = 0; i < padded; i += LANES)
                store(emissions + (t + 1) * padded + i, load(weighted + i) * both);
        }
        if (t == 0) return 1;
        scale_of_message = power_of_two(-exponent_of(sum));
        for (int64_t i = 0; i < padded; i += LANES)
            store(weighted + i, load(message + i) * load(emissions + t * padded + i));
        STEP(product_part, weighted, crf->back, tags, padded, message);
        for (int64_t i = 0; i < padded; i += LANES) store(message + i, load(message + i) * scale_of_message);
    }
}

/* `rows` rows of sum_t left_t[i] right_(t+1)[j] move[i][j], the expected number of each move, subtracted from `out`. */
INLINE void moves_part(const scores *crf, const real *left, const real *right, int64_t length, int64_t first, int rows,
                       int64_t column, real *out) {
    int64_t padded = crf->padded, tags = crf->tags;
    vector sum[8] = {{0}};
    for (int64_t t = 0; t + 1 < length; t++) {
        vector value = load(right + (t + 1) * padded + column);
        for (int row = 0; row < rows; row++) sum[row] += broadcast(left[t * padded + first + row]) * value;
    }
    for (int row = 0; row < rows && first + row < tags; row++) {
        real *to = out + (first + row) * tags + column;
        vector counts = sum[row] * load(crf->move + (first + row) * padded + column);
        store_first(to, tags - column, load_first(to, tags - column, 0) - counts);
    }
}

static void subtract_moves(const scores *crf, const real *left, const real *right, int64_t length, real *out) {
    for (int64_t column = 0; column < crf->padded; column += LANES) {
        int64_t first = 0;
        for (; first + 8 <= rounded(crf->tags, 4); first += 8)
            moves_part(crf, left, right, length, first, 8, column, out);
        if (first < crf->tags) moves_part(crf, left, right, length, first, 4, column, out);
    }
}

static double log_sum(const double *values, int64_t count) {
    double best = values[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        if (values[i] > best) best = values[i];
    for (int64_t i = 0; i < count; i++) sum += exp(values[i] - best);
    return best + log(sum);
}

/* All of the above in logarithms: any finite scores, any length. `moves` may be NULL. Returns log Z, or sets
   `failed` without memory. */
static double in_logarithms(const scores *crf, const batch *input, int64_t sentence, int64_t length, real *out,
                            real *moves, int *failed) {
    int64_t tags = crf->tags;
    double *ahead = malloc((2 * length + 2) * tags * sizeof(double));
    if (!ahead) {
        *failed = 1;
        return 0;
    }
    double *back = ahead + length * tags, *terms = back + length * tags, *pair = terms + tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    int64_t step = input->token_stride;
    for (int64_t i = 0; i < tags; i++) ahead[i] = (double)crf->start_scores[i] + row[i];
    for (int64_t t = 1; t < length; t++)
        for (int64_t j = 0; j < tags; j++) {
            for (int64_t i = 0; i < tags; i++) terms[i] = ahead[(t - 1) * tags + i] + crf->move_scores[i * tags + j];
            ahead[t * tags + j] = log_sum(terms, tags) + row[t * step + j];
        }
    for (int64_t i = 0; i < tags; i++) back[(length - 1) * tags + i] = crf->end_scores[i];
    for (int64_t t = length - 1; t > 0; t--)
        for (int64_t i = 0; i < tags; i++) {
            for (int64_t j = 0; j < tags; j++)
                terms[j] = (double)crf->move_scores[i * tags + j] + row[t * step + j] + back[t * tags + j];
            back[(t - 1) * tags + i] = log_sum(terms, tags);
        }
    for (int64_t i = 0; i < tags; i++) terms[i] = ahead[(length - 1) * tags + i] + crf->end_scores[i];
    double total = log_sum(terms, tags);
    for (int64_t t = 0; t < length; t++) {
        /* Normalised anew at each token: over thousands of steps the two directions round differently. */
        for (int64_t i = 0; i < tags; i++) terms[i] = ahead[t * tags + i] + back[t * tags + i];
        double here = log_sum(terms, tags);
        for (int64_t i = 0; i < tags; i++) out[t * tags + i] = (real)exp(terms[i] - here);
        for (int64_t i = 0; moves && t + 1 < length && i < tags; i++) {
            for (int64_t j = 0; j < tags; j++)
                pair[j] = ahead[t * tags + i] - here + crf->move_scores[i * tags + j] + row[(t + 1) * step + j];
            for (int64_t j = 0; j < tags; j++) moves[i * tags + j] -= (real)exp(pair[j] + back[(t + 1) * tags + j]);
        }
    }
    free(ahead);
    return total;
}

/* Posteriors (n, K) of one sentence, and with `moves` the expected number of each move subtracted from it (K, K).
   Returns log Z, or sets `failed` without memory. */
static double posteriors(const scores *crf, const batch *input, int64_t sentence, real *work, real *out, real *moves,
                         int *failed) {
    int64_t length = input->lengths[sentence], padded = crf->padded;
    real *emissions = work + 2 * padded, *messages = emissions + length * padded;
    double taken = exponential_emissions(input, sentence, length, padded, emissions);
    double partition = forward(crf, emissions, length, messages);
    if (!isnan(partition) && backward(crf, emissions, length, messages, work, out)) {
        if (moves) subtract_moves(crf, messages, emissions, length, moves);
        return partition + taken;
    }
    return in_logarithms(crf, input, sentence, length, out, moves, failed);
}

/* The score of the given path, its tags and moves added to the counts. */
static double path_score(const scores *crf, const batch *input, int64_t sentence, const int64_t *tags, real *out,
                         real *moves) {
    int64_t length = input->lengths[sentence], count = crf->tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    double score = (double)crf->start_scores[tags[0]] + crf->end_scores[tags[length - 1]];
    for (int64_t t = 0; t < length; t++) {
        score += row[t * input->token_stride + tags[t]];
        out[t * count + tags[t]] += 1;
        if (t == 0) continue;
        score += crf->move_scores[tags[t - 1] * count + tags[t]];
        moves[tags[t - 1] * count + tags[t]] += 1;
    }
    return score;
}

static int all_tags_known(const batch *input, const int64_t *tags, int64_t tag_stride) {
    for (int64_t b = 0; b < input->sentences; b++)
        for (int64_t t = 0; t < input->lengths[b]; t++)
            if (tags[b * tag_stride + t] < 0 || tags[b * tag_stride + t] >= input->tags) return 0;
    return 1;
}

/* Posteriors (B, T, K), zero beyond the lengths. With `tags`, also the log-likelihood of each sentence's path (B,), and
   its gradients: what is observed less what is expected, of tags (B, T, K, in place of the posteriors) and of moves
   (B, K, K). */
static int all_posteriors(const scores *crf, const batch *input, const int64_t *tags, int64_t tag_stride,
                          int64_t threads, real *likelihood, real *out, real *moves) {
    int64_t count = input->tags, size = input->tokens * count, longest = longest_of(input);
    if (longest < 0) return BAD_LENGTH;
    if (tags && !all_tags_known(input, tags, tag_stride)) return BAD_TAG;
    int failed = 0;
    int team = threads_for(input, longest, threads);
#pragma omp parallel num_threads(team) if (team > 1)
    {
        void *memory;
        real *work = allocate((2 * longest + 2) * crf->padded, &memory);
        if (!work) failed = 1;
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < input->sentences; b++) {
            if (!work) continue;
            real *rows = out + b * size, *pairs = moves ? moves + b * count * count : NULL;
            int64_t filled = input->lengths[b] * count;
            if (pairs) memset(pairs, 0, count * count * sizeof(real));
            double partition = posteriors(crf, input, b, work, rows, pairs, &failed);
            memset(rows + filled, 0, (size - filled) * sizeof(real));
            if (!tags) continue;
            for (int64_t i = 0; i < filled; i++) rows[i] = -rows[i];
            likelihood[b] = (real)(path_score(crf, input, b, tags + b * tag_stride, rows, pairs) - partition);
        }
        free(memory);
    }
    return failed ? NO_MEMORY : DONE;
}

int crf_marginals(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                  const real *start, const real *move, const real *end, int64_t sentences, int64_t tokens, int64_t tags,
                  int64_t threads, real *out) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    scores crf;
    int failure = prepare(&crf, tags, start, move, end, 1);
    if (!failure) failure = all_posteriors(&crf, &input, NULL, 0, threads, NULL, out, NULL);
    free(crf.memory);
    return failure;
}

int crf_log_likelihood(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                       const real *start, const real *move, const real *end, int64_t sentences, int64_t tokens,
                       int64_t tags, int64_t threads, const int64_t *path, int64_t path_stride, real *likelihood,
                       real *of_emissions, real *of_moves) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    scores crf;
    int failure = prepare(&crf, tags, start, move, end, 1);
    if (!failure)
        failure = all_posteriors(&crf, &input, path, path_stride, threads, likelihood, of_emissions, of_moves);
    free(crf.memory);
    return failure;
}

/* The gradients of sum_b weights[b] * likelihood[b] from those of each likelihood. Sums run over sentences in order,
   so that they do not depend on threads. */
int crf_gradient(const real *of_emissions, const real *of_moves, const int64_t *lengths, const real *weights,
                  int64_t weight_stride, int64_t sentences, int64_t tokens, int64_t tags, real *emissions, real *start,
                  real *move, real *end) {
    memset(start, 0, tags * sizeof(real));
    memset(end, 0, tags * sizeof(real));
    memset(move, 0, tags * tags * sizeof(real));
    for (int64_t b = 0; b < sentences; b++) {
        real weight = weights[b * weight_stride];
        int64_t size = tokens * tags;
        const real *rows = of_emissions + b * size, *last = rows + (lengths[b] - 1) * tags;
        for (int64_t i = 0; i < size; i++) emissions[b * size + i] = weight * rows[i];
        for (int64_t i = 0; i < tags; i++) start[i] += weight * rows[i];
        for (int64_t i = 0; i < tags; i++) end[i] += weight * last[i];
        for (int64_t i = 0; i < tags * tags; i++) move[i] += weight * of_moves[b * tags * tags + i];
    }
    return DONE;
}
