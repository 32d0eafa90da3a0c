/* The best path of a CRF (Viterbi 1967), from the scores delta of `crf_best.h`:

   y_n = argmax_i (delta_n[i] + end[i]),  y_(t-1) = argmax_i (delta_(t-1)[i] + transitions[i][y_t]) */

#include "crf_best.h"

/* The best path of one sentence into `path` (T,), 0 beyond its length; `work` holds delta (n, KP). */
static void best_path(const scores *crf, const batch *input, int64_t sentence, real *work, int64_t *path) {
    int64_t length = input->lengths[sentence], padded = crf->padded, tags = crf->tags;
    /* 1. Forward: the scores of the best paths that end in each tag. */
    best_scores(crf, input, sentence, work);
    /* 2. Backward: the best last tag, and the best tag before each tag of the path. */
    int64_t tag = best_previous(work + (length - 1) * padded, crf->end, tags, padded);
    for (int64_t t = length - 1; t > 0; t--) {
        path[t] = tag;
        tag = best_previous(work + (t - 1) * padded, crf->transposed + tag * padded, tags, padded);
    }
    path[0] = tag;
    memset(path + length, 0, (input->tokens - length) * sizeof(int64_t));
}

/* The best path of each sentence (B, T); 0 beyond its length. */
int crf_viterbi(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
                int64_t tags, int64_t threads, int64_t *best) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    scores crf;
    if (prepare(&crf, tags, start, transitions, end, 0)) return NO_MEMORY;
    int failed = 0;
    int team = threads_for(&input, longest, threads);
#pragma omp parallel num_threads(team) if (team > 1)
    {
        void *memory;
        real *work = allocate(longest * crf.padded, &memory);
        if (!work) failed = 1;
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < sentences; b++)
            if (work) best_path(&crf, &input, b, work, best + b * tokens);
        free(memory);
    }
    free(crf.memory);
    return failed ? NO_MEMORY : DONE;
}
