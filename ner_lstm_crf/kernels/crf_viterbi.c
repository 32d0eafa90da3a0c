/* The best path of a CRF. */

#include "crf.h"

/* `width` vectors of the best score of a step into each tag. */
INLINE void best_part(const real *row, const real *matrix, int64_t tags, int64_t padded, int width, real *out) {
    const int chains = width == 1 ? 4 : 2;
    vector best[8];
    for (int i = 0; i < 8; i++) best[i] = broadcast(2 * LEAST);
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

/* The lowest tag with the largest score + move; 0 where no score is a number. */
static int64_t best_before(const real *score, const real *move, int64_t tags, int64_t padded) {
    vector best = broadcast(4 * LEAST);
    wholes where = {0}, lanes;
    for (int64_t lane = 0; lane < LANES; lane++) lanes[lane] = (whole)lane;
    for (int64_t i = 0; i < padded; i += LANES, lanes += (whole)LANES) {
        vector value = load(score + i) + load(move + i);
        wholes better = value > best;
        best = choose(better, value, best);
        where = (wholes)choose(better, (vector)lanes, (vector)where);
    }
    real most = largest_of(best);
    int64_t lowest = padded;
    for (int64_t lane = 0; lane < LANES; lane++)
        if (best[lane] == most && where[lane] < lowest) lowest = where[lane];
    return lowest < tags ? lowest : 0;
}

/* The best path (Viterbi 1967). The forward pass keeps scores alone; which tag came before is found again on the way
   back, for the tags of the path only. */
static void best_path(const scores *crf, const batch *input, int64_t sentence, real *work, int64_t *path) {
    int64_t length = input->lengths[sentence], padded = crf->padded, tags = crf->tags;
    const real *row = input->emissions + sentence * input->sentence_stride;
    for (int64_t i = 0; i < padded; i += LANES)
        store(work + i, load(crf->start + i) + load_first(row + i, tags - i, LEAST));
    real largest = 0;
    for (int64_t t = 1; t < length; t++) {
        real *here = work + t * padded;
        STEP(best_part, here - padded, crf->move, tags, padded, here);
        row += input->token_stride;
        vector most = broadcast(4 * LEAST), taken = broadcast(largest); /* kept small, so that digits are not lost */
        for (int64_t i = 0; i < padded; i += LANES) {
            vector value = (load(here + i) - taken) + load_first(row + i, tags - i, LEAST);
            store(here + i, value);
            most = larger(most, value);
        }
        largest = largest_of(most);
    }
    int64_t tag = best_before(work + (length - 1) * padded, crf->end, tags, padded);
    for (int64_t t = length - 1; t > 0; t--) {
        path[t] = tag;
        tag = best_before(work + (t - 1) * padded, crf->back + tag * padded, tags, padded);
    }
    path[0] = tag;
    memset(path + length, 0, (input->tokens - length) * sizeof(int64_t));
}

int crf_viterbi(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                const real *start, const real *move, const real *end, int64_t sentences, int64_t tokens, int64_t tags,
                int64_t threads, int64_t *best) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    scores crf;
    if (prepare(&crf, tags, start, move, end, 0)) return NO_MEMORY;
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
