/* The k best paths of a CRF, best first.

   With the scores delta of `crf_best.h` one knows, for each tag j of token t, the best path up to there, and what any
   other tag i before it costs:

       gap_t(i, j) = max_h (delta_(t-1)[h] + transitions[h][j]) - (delta_(t-1)[i] + transitions[i][j])  >= 0

   Read from the end, a path follows the best tags but for some deviations, and its loss against the best path is the
   sum of their gaps. So all paths form a tree: the child of a path deviates once more, to the left of all deviations
   of its parent, and loses as much or more. The k best are found in order of their loss (Lawler 1972, A procedure for
   computing the k best solutions): take the least candidate, complete it to the left, and offer its children. k
   candidates are kept, no more. The best tag before (t, j) and its least gap are computed once, when a first path
   passes; most tokens of later paths are then passed with one comparison.

   Of paths with equal scores, that with the lower tag comes first at the last token in which they differ. */

#include <math.h>

#include "crf_best.h"

#define FORBIDDING ((real)-1e3) /* a score of start, transition or end that no path may take, or lower */
#define UNREACHED (-LOWEST / 10) /* a loss that only forbidden scores give, or more */

/* A path that follows `parent`, one of those found, from the end to `token`, has `tag` there, and is best before. */
typedef struct {
    real loss;
    int32_t tag;
    int64_t parent, token;
} candidate;

/* The search in one sentence: found paths are queue[0] to queue[found - 1], candidates those from there to `size`. */
typedef struct {
    const scores *crf;
    int64_t length, tokens, k, found, size;
    real *delta;       /* (n, KP) */
    real *least_gap;   /* (n + 1, KP): of the second best tag before (t, j); token n is the end, with j = 0 */
    int32_t *previous; /* (n + 1, KP): the best tag before (t, j), or -1 if it is not known yet */
    candidate *queue;  /* (k,), in order */
    int64_t *paths;    /* (k, T) */
} search;

/* Scores of transitions into tag j of token t, from each tag before; those of the end for token n. */
INLINE const real *scores_into(const search *in, int64_t t, int64_t j) {
    return t == in->length ? in->crf->end : in->crf->transposed + j * in->crf->padded;
}

/* Whether a comes before b. */
static int precedes(const search *in, const candidate *a, const candidate *b) {
    if (a->loss != b->loss) return a->loss < b->loss;
    const int64_t *left = in->paths + a->parent * in->tokens, *right = in->paths + b->parent * in->tokens;
    int64_t last = a->token > b->token ? a->token : b->token;
    for (int64_t t = in->length - 1; t > last && left != right; t--)
        if (left[t] != right[t]) return left[t] < right[t];
    /* Their tags at the later deviation are not the same: one would descend from the other, which is not found yet. */
    return (a->token == last ? a->tag : left[last]) < (b->token == last ? b->tag : right[last]);
}

/* The largest loss that is of interest. */
INLINE real limit_of(const search *in) { return in->size == in->k ? in->queue[in->k - 1].loss : UNREACHED; }

/* Put a candidate in its place, unless k others precede it. */
static void offer(search *in, candidate offered) {
    if (in->size == in->k) {
        if (in->size == in->found || !precedes(in, &offered, &in->queue[in->size - 1])) return;
        in->size--;
    }
    int64_t place = in->size++;
    for (; place > in->found && precedes(in, &offered, &in->queue[place - 1]); place--)
        in->queue[place] = in->queue[place - 1];
    in->queue[place] = offered;
}

/* Find the best tag before (t, j) and the least gap of the others. */
static void look_back(search *in, int64_t t, int64_t j) {
    int64_t padded = in->crf->padded, at = t * padded + j;
    const real *delta = in->delta + (t - 1) * padded, *into = scores_into(in, t, j);
    int64_t best = best_previous(delta, into, in->crf->tags, padded);
    vector second = broadcast(4 * LOWEST);
    for (int64_t i = 0; i < padded; i += LANES) {
        vector value = load(delta + i) + load(into + i);
        if (best >= i && best < i + LANES) value[best - i] = 4 * LOWEST;
        second = larger(second, value);
    }
    in->previous[at] = (int32_t)best;
    in->least_gap[at] = (delta[best] + into[best]) - largest_of(second);
}

/* Offer all paths that deviate from path `parent`, whose loss is given, in the tag before (t, j). */
static void offer_deviations(search *in, int64_t parent, real loss, int64_t t, int64_t j) {
    int64_t padded = in->crf->padded, best = in->previous[t * padded + j];
    const real *delta = in->delta + (t - 1) * padded, *into = scores_into(in, t, j);
    vector base = broadcast(loss), largest = broadcast(delta[best] + into[best]);
    for (int64_t i = 0; i < in->crf->tags; i += LANES) {
        vector losses = base + (largest - (load(delta + i) + load(into + i)));
        uint64_t lanes = lanes_of(losses <= broadcast(limit_of(in)));
        for (; lanes; lanes &= lanes - 1) {
            int64_t lane = __builtin_ctzll(lanes);
            if (i + lane != best && i + lane < in->crf->tags)
                offer(in, (candidate){losses[lane], (int32_t)(i + lane), parent, t - 1});
        }
    }
}

/* The least candidate becomes a found path: its tags are written, and its children are offered. */
static void take_next(search *in) {
    int64_t rank = in->found++, padded = in->crf->padded;
    candidate next = in->queue[rank];
    int64_t *path = in->paths + rank * in->tokens, t = next.token, tag = next.tag;
    const int64_t *parent = in->paths + next.parent * in->tokens;
    /* 1. As the parent, from the end to the deviation. */
    if (t < in->length) {
        memcpy(path + t + 1, parent + t + 1, (in->length - t - 1) * sizeof(int64_t));
        path[t] = tag;
    }
    /* 2. The best tags before it. */
    for (; t > 0; t--) {
        int64_t at = t * padded + tag;
        if (in->previous[at] < 0) look_back(in, t, tag);
        if (next.loss + in->least_gap[at] <= limit_of(in)) offer_deviations(in, rank, next.loss, t, tag);
        path[t - 1] = tag = in->previous[at];
    }
}

/* The score of a path, as it is defined. */
static double path_score(const scores *crf, const batch *input, int64_t sentence, const int64_t *path) {
    int64_t length = input->lengths[sentence];
    const real *row = input->emissions + sentence * input->sentence_stride;
    double score = (double)crf->start_scores[path[0]] + crf->end_scores[path[length - 1]] + row[path[0]];
    for (int64_t t = 1; t < length; t++) {
        row += input->token_stride;
        score += (double)crf->transition_scores[path[t - 1] * crf->tags + path[t]] + row[path[t]];
    }
    return score;
}

/* The k best paths (k, T) of one sentence and their scores (k,); 0 and -inf where there are fewer. */
static void best_paths(search *in, const batch *input, int64_t sentence, real *path_scores) {
    int64_t padded = in->crf->padded;
    in->length = input->lengths[sentence];
    in->found = in->size = 0;
    memset(in->paths, 0, in->k * in->tokens * sizeof(int64_t));
    memset(in->previous, 0xff, (in->length + 1) * padded * sizeof(int32_t));
    /* 1. The best path, which deviates nowhere, if there is one. */
    real least = best_scores(in->crf, input, sentence, in->delta);
    int64_t last = best_previous(in->delta + (in->length - 1) * padded, in->crf->end, in->crf->tags, padded);
    if (least > LOWEST / 2 && in->delta[(in->length - 1) * padded + last] + in->crf->end[last] > LOWEST / 2)
        in->queue[in->size++] = (candidate){.token = in->length};
    /* 2. The others. */
    while (in->found < in->size) take_next(in);
    double best = in->size ? path_score(in->crf, input, sentence, in->paths) : 0;
    for (int64_t rank = 0; rank < in->k; rank++)
        path_scores[rank] = rank < in->size ? (real)(best - in->queue[rank].loss) : -INFINITY;
}

/* Make forbidding scores so low that no path over them is found. */
static void forbid(real *padded_scores, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (padded_scores[i] <= FORBIDDING) padded_scores[i] = LOWEST;
}

/* The k best paths of each sentence (B, k, T), 0 beyond its length, and their scores (B, k). */
int crf_k_best(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
               const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
               int64_t tags, int64_t threads, int64_t k, int64_t *paths, real *path_scores) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    scores crf;
    if (prepare(&crf, tags, start, transitions, end, 0)) return NO_MEMORY;
    forbid(crf.transitions, 2 * crf.padded * (crf.padded + 1)); /* all four tables, which lie together */
    int failed = 0;
    int team = threads_for(&input, longest, threads);
#pragma omp parallel num_threads(team) if (team > 1)
    {
        int64_t rows = longest * crf.padded, with_end = rows + crf.padded;
        void *memory;
        search in = {.crf = &crf, .tokens = tokens, .k = k};
        in.delta = allocate(rows + with_end, &memory);
        in.previous = malloc(with_end * sizeof(int32_t));
        in.queue = malloc(k * sizeof(candidate));
        int usable = in.delta && in.previous && in.queue;
        if (!usable) failed = 1;
        in.least_gap = in.delta + rows;
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < sentences; b++) {
            if (!usable) continue;
            in.paths = paths + b * k * tokens;
            best_paths(&in, &input, b, path_scores + b * k);
        }
        free(in.queue);
        free(in.previous);
        free(memory);
    }
    free(crf.memory);
    return failed ? NO_MEMORY : DONE;
}
