/* Sums over all paths of a CRF: the partition Z, posteriors, and the gradients of the log-likelihood.

   The gradients of log p(path) = score(path) - log Z are what the path has, less what is expected: 1 - p(y_t = i) for
   the emission of a tag of the path, -p(y_t = i) for the others, and the same for transitions. */

#include "crf_posteriors.h"

/* Posteriors in logarithms, as `posteriors` gives them. Returns log Z, or sets `failed` if there is no memory. */
static double log_posteriors(const scores *crf, const batch *input, int64_t sentence, real *out, real *grad_transitions,
                             int *failed) {
    int64_t tags = crf->tags, length = input->lengths[sentence], step = input->token_stride;
    double *alpha = malloc((2 * length + 2) * tags * sizeof(double));
    if (!alpha) {
        *failed = 1;
        return 0;
    }
    double *beta = alpha + length * tags, *terms = beta + length * tags, *pair = terms + tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    double log_z = log_messages(crf, input, sentence, alpha, beta, terms);
    /* Each token has its own log Z: over thousands of steps the two directions round differently. */
    for (int64_t t = 0; t < length; t++) {
        for (int64_t i = 0; i < tags; i++) terms[i] = alpha[t * tags + i] + beta[t * tags + i];
        double log_z_t = log_sum(terms, tags);
        for (int64_t i = 0; i < tags; i++) out[t * tags + i] = (real)exp(terms[i] - log_z_t);
        for (int64_t i = 0; grad_transitions && t + 1 < length && i < tags; i++) {
            for (int64_t j = 0; j < tags; j++)
                pair[j] =
                    alpha[t * tags + i] - log_z_t + crf->transition_scores[i * tags + j] + row[(t + 1) * step + j];
            for (int64_t j = 0; j < tags; j++)
                grad_transitions[i * tags + j] -= (real)exp(pair[j] + beta[(t + 1) * tags + j]);
        }
    }
    free(alpha);
    return log_z;
}

/* The posteriors (n, K) of one sentence; the expected number of each transition is subtracted from `grad_transitions`
   (K, K), unless that is NULL. `work` holds 2 n + 2 rows. Returns log Z, or sets `failed` if there is no memory. */
static double posteriors(const scores *crf, const batch *input, int64_t sentence, real *work, real *out,
                         real *grad_transitions, int *failed) {
    int64_t length = input->lengths[sentence];
    double log_z = scaled_posteriors(crf, input, sentence, work, out);
    if (isnan(log_z)) return log_posteriors(crf, input, sentence, out, grad_transitions, failed);
    if (grad_transitions)
        add_transitions(crf, left_of(work, crf, length), right_of(work, crf), length, -1, grad_transitions);
    return log_z;
}

/* The score of a path; 1 is added to the gradient of each of its emissions and transitions. */
static double path_score(const scores *crf, const batch *input, int64_t sentence, const int64_t *tags,
                         real *grad_emissions, real *grad_transitions) {
    int64_t length = input->lengths[sentence], count = crf->tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    double score = (double)crf->start_scores[tags[0]] + crf->end_scores[tags[length - 1]];
    for (int64_t t = 0; t < length; t++) {
        score += row[t * input->token_stride + tags[t]];
        grad_emissions[t * count + tags[t]] += 1;
        if (t == 0) continue;
        score += crf->transition_scores[tags[t - 1] * count + tags[t]];
        grad_transitions[tags[t - 1] * count + tags[t]] += 1;
    }
    return score;
}

/* The posteriors of a batch (B, T, K), zero beyond the lengths. If `likelihood` is not NULL, the log-likelihood of each
   sentence's path (B,) and its gradients: of emissions (B, T, K), in place of the posteriors, and of transitions
   (B, K, K). Without a path, `tags` (B, T), its score counts as 0, so that -log Z is left; if only scores of LOWEST are
   left, no path is there: Z is 0, and so are the gradients. */
static int batch_posteriors(const scores *crf, const batch *input, const int64_t *tags, int64_t tag_stride,
                            int64_t threads, real *likelihood, real *out, real *grad_transitions) {
    int64_t count = input->tags, size = input->tokens * count, longest = longest_of(input);
    if (longest < 0) return BAD_LENGTH;
    if (tags && !tags_in_range(input, tags, tag_stride)) return BAD_TAG;
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
            /* 1. What is expected. */
            real *rows = out + b * size, *pairs = grad_transitions ? grad_transitions + b * count * count : NULL;
            int64_t filled = input->lengths[b] * count;
            if (pairs) memset(pairs, 0, count * count * sizeof(real));
            double log_z = posteriors(crf, input, b, work, rows, pairs, &failed);
            memset(rows + filled, 0, (size - filled) * sizeof(real));
            if (!likelihood) continue;
            /* 2. What the path has, less what is expected. */
            int is_empty = !tags && log_z < LOWEST / 10;
            for (int64_t i = 0; i < filled; i++) rows[i] = is_empty ? 0 : -rows[i];
            if (is_empty) memset(pairs, 0, count * count * sizeof(real));
            double score = tags ? path_score(crf, input, b, tags + b * tag_stride, rows, pairs) : 0;
            likelihood[b] = is_empty ? INFINITY : (real)(score - log_z);
        }
        free(memory);
    }
    return failed ? NO_MEMORY : DONE;
}

/* The posteriors (B, T, K), zero beyond the lengths. */
int crf_marginals(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                  const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
                  int64_t tags, int64_t threads, real *out) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    scores crf;
    int failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure) failure = batch_posteriors(&crf, &input, NULL, 0, threads, NULL, out, NULL);
    free(crf.memory);
    return failure;
}

/* The log-likelihood of each sentence's path (B,), and its gradients of emissions (B, T, K) and of transitions
   (B, K, K); -log Z and its gradients if `path` is NULL. */
int crf_log_likelihood(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                       const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
                       int64_t tags, int64_t threads, const int64_t *path, int64_t path_stride, real *likelihood,
                       real *grad_emissions, real *grad_transitions) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    scores crf;
    int failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure)
        failure = batch_posteriors(&crf, &input, path, path_stride, threads, likelihood, grad_emissions,
                                   grad_transitions);
    free(crf.memory);
    return failure;
}

/* The gradients of sum_b weights[b] likelihood[b], from those of each likelihood. A path begins and ends once, so the
   gradients of start and end are those of the first and last emission. Sentences are added in order, so that the sums
   do not depend on threads. */
int crf_gradient(const real *grad_emissions, const real *grad_transitions, const int64_t *lengths, const real *weights,
                 int64_t weight_stride, int64_t sentences, int64_t tokens, int64_t tags, real *emissions, real *start,
                 real *transitions, real *end) {
    memset(start, 0, tags * sizeof(real));
    memset(end, 0, tags * sizeof(real));
    memset(transitions, 0, tags * tags * sizeof(real));
    for (int64_t b = 0; b < sentences; b++) {
        real weight = weights[b * weight_stride];
        int64_t size = tokens * tags;
        const real *rows = grad_emissions + b * size, *last = rows + (lengths[b] - 1) * tags;
        for (int64_t i = 0; i < size; i++) emissions[b * size + i] = weight * rows[i];
        for (int64_t i = 0; i < tags; i++) start[i] += weight * rows[i];
        for (int64_t i = 0; i < tags; i++) end[i] += weight * last[i];
        for (int64_t i = 0; i < tags * tags; i++) transitions[i] += weight * grad_transitions[b * tags * tags + i];
    }
    return DONE;
}
