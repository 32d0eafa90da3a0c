/* The best path of a CRF (Viterbi 1967).

   delta_1[j] = start[j] + emission_1[j]                                       the best score of a path that ends in j
   delta_t[j] = max_i (delta_(t-1)[i] + transitions[i][j]) + emission_t[j]
   y_n = argmax_i (delta_n[i] + end[i]),  y_(t-1) = argmax_i (delta_(t-1)[i] + transitions[i][y_t])

   Only the scores are kept. The previous tag is found again on the way back, for the tags of the best path alone: that
   is n times K comparisons, instead of n times K times K with an index each. */

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

/* argmax_i (score[i] + transitions[i]), the lowest if several are equal; 0 if no score is a number. */
static int64_t best_previous(const real *score, const real *transitions, int64_t tags, int64_t padded) {
    vector best = broadcast(4 * LOWEST);
    int_vector where = {0}, lanes;
    for (int64_t lane = 0; lane < LANES; lane++) lanes[lane] = (lane_int)lane;
    for (int64_t i = 0; i < padded; i += LANES, lanes += (lane_int)LANES) {
        vector value = load(score + i) + load(transitions + i);
        int_vector better = value > best;
        best = choose(better, value, best);
        where = (int_vector)choose(better, (vector)lanes, (vector)where);
    }
    real largest = largest_of(best);
    int64_t lowest = padded;
    for (int64_t lane = 0; lane < LANES; lane++)
        if (best[lane] == largest && where[lane] < lowest) lowest = where[lane];
    return lowest < tags ? lowest : 0;
}

/* The best path of one sentence into `path` (T,), 0 beyond its length; `work` holds delta (n, KP). */
static void best_path(const scores *crf, const batch *input, int64_t sentence, real *work, int64_t *path) {
    int64_t length = input->lengths[sentence], padded = crf->padded, tags = crf->tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    /* 1. Forward: the scores of the best paths that end in each tag. */
    for (int64_t i = 0; i < padded; i += LANES)
        store(work + i, load(crf->start + i) + load_first(row + i, tags - i, LOWEST));
    real largest = 0;
    for (int64_t t = 1; t < length; t++) {
        real *delta = work + t * padded;
        STEP(best_part, delta - padded, crf->transitions, tags, padded, delta);
        row += input->token_stride;
        /* The largest score of the token before is subtracted: the digits of a long sum would be lost. */
        vector best = broadcast(4 * LOWEST), removed = broadcast(largest);
        for (int64_t i = 0; i < padded; i += LANES) {
            vector value = (load(delta + i) - removed) + load_first(row + i, tags - i, LOWEST);
            store(delta + i, value);
            best = larger(best, value);
        }
        largest = largest_of(best);
    }
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
