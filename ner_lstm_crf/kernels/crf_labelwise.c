/* The label-wise log-likelihood of a CRF (Kakade, Teh and Roweis 2002): L = sum_t log p(y_t = gold_t), and its gradients.

   The derivative of log p(y_s = gold_s) is what is expected where that tag is given, less what is expected. So the
   gradient of the transition from i to j is

       sum_t p(y_t = i, y_(t+1) = j) (E[C_1..t | y_t = i] + E[C_(t+1)..n | y_(t+1) = j])

   where C_a..b = sum_(s = a..b) c_s(y_s), c_s(i) = 1 / p(y_s = i) - 1 for gold_s and -1 for the other tags. With
   p(y_t = i, y_(t+1) = j) = left_t[i] A[i][j] right_(t+1)[j] of forward-backward, two more recursions give those
   expectations, times the posterior of their tag (* is a product value by value):

       q_t[i] = p(y_t = i) c_t(i) = [i = gold_t] - p(y_t = i)
       before_t = p(y_t) * E[C_1..(t-1) | y_t]  = right_t * (past_(t-1) A),     past_t = left_t * (before_t + q_t) / p(y_t)
       after_t  = p(y_t) * E[C_(t+1)..n | y_t]  = left_t * (A future_(t+1)),    future_t = right_t * (after_t + q_t) / p(y_t)

   The gradient of emissions is before_t + q_t + after_t, that of transitions
   sum_t past_t[i] A[i][j] right_(t+1)[j] + left_t[i] A[i][j] future_(t+1)[j]. That is the cost of two likelihoods, but
   for the exponentials, which are those of one.

   A gold tag may be so improbable that values below the smallest normal number, which become zero, would be missed.
   Such a sentence is computed again in logarithms. */

#include "crf_posteriors.h"

#define GOLD_BOUND ((real)(REAL_BITS == 32 ? 1e-18 : 1e-120)) /* of alpha * beta of a gold tag */
#define LEAST_SHARE ((real)(REAL_BITS == 32 ? 1e-30 : 1e-200)) /* a tag below has no part in a gold tag above */
#define EMPTY (-1e300) /* the logarithm of an empty sum */

/* factor * value / p, 0 where p is next to nothing. */
INLINE vector per_share(vector factor, vector value, vector p) {
    return choose(p > LEAST_SHARE, factor * (value / p), (vector){0});
}

/* L of one sentence, and its gradients of emissions (n, K) and transitions (K, K). `work` holds 5 n + 3 rows. Returns
   NaN if a bound is not kept. */
static double scaled_likelihood(const scores *crf, const batch *input, int64_t sentence, const int64_t *gold, real *work,
                                real *out, real *grad_transitions) {
    int64_t length = input->lengths[sentence], padded = crf->padded, tags = crf->tags, size = length * padded;
    real *right = right_of(work, crf), *left = left_of(work, crf, length);
    real *past = left + size, *future = past + size, *after = future + size, *q = after + size;
    /* 1. Forward-backward, and L. */
    double log_z = exponential_emissions(input, sentence, length, padded, right);
    log_z += forward(crf, right, length, left);
    real least = isnan(log_z) ? 0 : backward(crf, right, length, left, work, out);
    double likelihood = 0;
    for (int64_t t = 0; t < length; t++) {
        real p = out[t * tags + gold[t]];
        if (!(p * least >= GOLD_BOUND)) return NAN;
        likelihood += log(p);
    }
    /* 2. What is expected after each token. */
    for (int64_t t = length - 1; t >= 0; t--) {
        real *after_t = after + t * padded, *future_t = future + t * padded;
        const real *p = out + t * tags;
        if (t + 1 < length) {
            STEP(product_part, future_t + padded, crf->transposed, tags, padded, after_t);
            for (int64_t i = 0; i < padded; i += LANES)
                store(after_t + i, load(after_t + i) * load(left + t * padded + i));
        } else
            memset(after_t, 0, padded * sizeof(real));
        for (int64_t i = 0; i < padded; i += LANES) store(q + i, -load_first(p + i, tags - i, 0));
        q[gold[t]] += 1;
        for (int64_t i = 0; i < padded; i += LANES)
            store(future_t + i, per_share(load(right + t * padded + i), load(after_t + i) + load(q + i),
                                          load_first(p + i, tags - i, 0)));
    }
    /* 3. What is expected before each token, and the gradient of its emissions, in place of the posteriors. */
    for (int64_t t = 0; t < length; t++) {
        real *past_t = past + t * padded, *p = out + t * tags;
        for (int64_t i = 0; i < padded; i += LANES) store(q + i, -load_first(p + i, tags - i, 0));
        q[gold[t]] += 1;
        if (t) {
            STEP(product_part, past_t - padded, crf->transitions, tags, padded, past_t);
            for (int64_t i = 0; i < padded; i += LANES)
                store(q + i, load(q + i) + load(past_t + i) * load(right + t * padded + i));
        }
        for (int64_t i = 0; i < padded; i += LANES) {
            vector upto = load(q + i), posterior = load_first(p + i, tags - i, 0);
            store(past_t + i, per_share(load(left + t * padded + i), upto, posterior));
            store_first(p + i, tags - i, upto + load(after + t * padded + i));
        }
    }
    /* 4. The gradient of transitions. */
    add_transitions(crf, past, right, length, 1, grad_transitions);
    add_transitions(crf, left, future, length, 1, grad_transitions);
    return likelihood;
}

/* log(exp(a) + exp(b)) */
static double log_add(double a, double b) {
    double best = a > b ? a : b;
    return best + log(exp(a - best) + exp(b - best));
}

/* The same in logarithms, for any finite scores and any length, or `failed` if there is no memory.

   There are no signs in logarithms: the weights of tags are w_t(gold_t) = 1 / p(y_t = gold_t), 0 for other tags, not
   w - 1, and what is expected, n times, is subtracted at the end:

       past_t = log sum of paths up to t * sum_(s <= t) w_s,   future_t = log sum of paths from t on * sum_(s >= t) w_s */
static double log_likelihood(const scores *crf, const batch *input, int64_t sentence, const int64_t *gold, real *out,
                             real *grad_transitions, int *failed) {
    int64_t tags = crf->tags, length = input->lengths[sentence], step = input->token_stride, size = length * tags;
    double *alpha = malloc((6 * size + length + 2 * tags) * sizeof(double));
    if (!alpha) {
        *failed = 1;
        return 0;
    }
    double *beta = alpha + size, *past = beta + size, *future = past + size, *later = future + size;
    double *log_z = later + size, *terms = log_z + length, *emission = terms + tags;
    const real *row = input->emissions + sentence * input->sentence_stride, *scores_of = crf->transition_scores;
    /* 1. Forward-backward. Each token has its own log Z: the two directions round differently. */
    log_messages(crf, input, sentence, alpha, beta, terms);
    double likelihood = 0;
    for (int64_t t = 0; t < length; t++) {
        for (int64_t i = 0; i < tags; i++) terms[i] = alpha[t * tags + i] + beta[t * tags + i];
        log_z[t] = log_sum(terms, tags);
        likelihood += terms[gold[t]] - log_z[t];
    }
    /* 2. past_t[j] = log(sum_i exp(past_(t-1)[i] + transitions[i][j]) e_t[j] + alpha_t[j] w_t(j)) */
    for (int64_t t = 0; t < length; t++) {
        for (int64_t j = 0; j < tags; j++) {
            for (int64_t i = 0; t && i < tags; i++) terms[i] = past[(t - 1) * tags + i] + scores_of[i * tags + j];
            past[t * tags + j] = t ? log_sum(terms, tags) + row[t * step + j] : EMPTY;
        }
        double *here = past + t * tags + gold[t];
        *here = log_add(*here, log_z[t] - beta[t * tags + gold[t]]);
    }
    /* 3. later_t[i] = log sum_j exp(transitions[i][j]) e_(t+1)[j] future_(t+1)[j],  future_t = later_t + beta_t w_t */
    for (int64_t t = length - 1; t >= 0; t--) {
        for (int64_t j = 0; t + 1 < length && j < tags; j++)
            emission[j] = row[(t + 1) * step + j] + future[(t + 1) * tags + j];
        for (int64_t i = 0; i < tags; i++) {
            for (int64_t j = 0; t + 1 < length && j < tags; j++) terms[j] = scores_of[i * tags + j] + emission[j];
            later[t * tags + i] = future[t * tags + i] = t + 1 < length ? log_sum(terms, tags) : EMPTY;
        }
        double *here = future + t * tags + gold[t];
        *here = log_add(*here, log_z[t] - alpha[t * tags + gold[t]]);
    }
    /* 4. The gradients. */
    for (int64_t t = 0; t < length; t++)
        for (int64_t i = 0; i < tags; i++) {
            double a = alpha[t * tags + i] - log_z[t], b = beta[t * tags + i], c = past[t * tags + i] - log_z[t];
            out[t * tags + i] = (real)(exp(c + b) + exp(a + later[t * tags + i]) - length * exp(a + b));
            for (int64_t j = 0; t + 1 < length && j < tags; j++) {
                double between = (double)scores_of[i * tags + j] + row[(t + 1) * step + j];
                double d = between + beta[(t + 1) * tags + j], f = between + future[(t + 1) * tags + j];
                grad_transitions[i * tags + j] += (real)(exp(c + d) + exp(a + f) - length * exp(a + d));
            }
        }
    free(alpha);
    return likelihood;
}

/* The label-wise log-likelihood of each sentence's tags (B,), and its gradients of emissions (B, T, K), zero beyond the
   lengths, and of transitions (B, K, K). */
int crf_labelwise(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                  const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
                  int64_t tags, int64_t threads, const int64_t *gold, int64_t gold_stride, real *likelihood,
                  real *grad_emissions, real *grad_transitions) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    if (!tags_in_range(&input, gold, gold_stride)) return BAD_TAG;
    scores crf;
    if (prepare(&crf, tags, start, transitions, end, 1)) return NO_MEMORY;
    int failed = 0;
    int team = threads_for(&input, longest, threads);
#pragma omp parallel num_threads(team) if (team > 1)
    {
        void *memory;
        real *work = allocate((5 * longest + 3) * crf.padded, &memory);
        if (!work) failed = 1;
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < sentences; b++) {
            if (!work) continue;
            const int64_t *path = gold + b * gold_stride;
            real *rows = grad_emissions + b * tokens * tags, *pairs = grad_transitions + b * tags * tags;
            memset(pairs, 0, tags * tags * sizeof(real));
            double sum = scaled_likelihood(&crf, &input, b, path, work, rows, pairs);
            if (isnan(sum)) sum = log_likelihood(&crf, &input, b, path, rows, pairs, &failed);
            likelihood[b] = (real)sum;
            memset(rows + lengths[b] * tags, 0, (tokens - lengths[b]) * tags * sizeof(real));
        }
        free(memory);
    }
    free(crf.memory);
    return failed ? NO_MEMORY : DONE;
}
