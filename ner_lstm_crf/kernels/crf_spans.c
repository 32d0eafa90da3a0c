/* The probability of spans: the sum over all paths of tags that read back with exactly this span.

   Between two neighbouring tags a span may end (CLOSES), and one may begin (OPENS); an O, tag 0, stands before and behind
   the sentence. Given the words, the tags are a Markov chain, with q_t[i][j] = p(y_(t+1) = j | y_t = i). For the span
   [s, e) with label L:

       u_s[j] = sum_i p(y_(s-1) = i) q_(s-1)[i][j]        over pairs where a span begins, j a tag of L
       u_(t+1)[j] = sum_i u_t[i] q_t[i][j]                over pairs of tags of L where none ends
       p(span) = sum_ij u_(e-1)[i] q_(e-1)[i][j]          over pairs where a span ends

   A label has few tags and a sentence few spans, so forward-backward is nearly all of the work. Every value is a
   probability; nothing has to be scaled. */

#include "crf_posteriors.h"

enum { CLOSES = 1, OPENS = 2 };

/* How paths of tags read back as spans. */
typedef struct {
    const int64_t *events; /* (K, K), [from][to] */
    int64_t *members;      /* the tags of label 0, those of label 1, ... */
    int64_t *first;        /* where those of each label begin (K + 1,) */
} reading;

/* The tags of one sentence as a Markov chain. */
typedef struct {
    const scores *crf;
    const real *emissions; /* the first row, and the distance to the next */
    int64_t token_stride, length;
    real *posteriors;  /* p(y_t = i) (n, K) */
    real *left, *right; /* p(y_t = i, y_(t+1) = j) = left_t[i] A[i][j] right_(t+1)[j] (n, KP), unless there is ... */
    double *log_beta;   /* ... log beta_t (n, K): the sentence was computed in logarithms */
} chain;

/* Fill `read`; its memory is `members`. */
static int prepare_reading(reading *read, const int64_t *labels, const int64_t *events, int64_t tags) {
    *read = (reading){.events = events, .members = calloc(2 * tags + 2, sizeof(int64_t))};
    if (!read->members) return NO_MEMORY;
    read->first = read->members + tags;
    int64_t filled = 0;
    for (int64_t i = 0; i < tags; i++)
        if (labels[i] < -1 || labels[i] >= tags) return BAD_LABEL;
    for (int64_t label = 0; label < tags; label++) {
        read->first[label] = filled;
        for (int64_t i = 0; i < tags; i++)
            if (labels[i] == label) read->members[filled++] = i;
    }
    read->first[tags] = filled;
    return DONE;
}

/* Rows that the chain of a sentence of n tokens needs: `real` ones of KP, and in logarithms `double` ones of K. */
INLINE int64_t rows_for(int64_t length) { return 3 * length + 2; }

/* Fill the chain of one sentence. `work` holds `rows_for` rows; `log_beta` has to be freed. */
static int prepare_chain(chain *of, const scores *crf, const batch *input, int64_t sentence, real *work) {
    int64_t length = input->lengths[sentence], tags = crf->tags;
    *of = (chain){.crf = crf,
                  .emissions = input->emissions + sentence * input->sentence_stride,
                  .token_stride = input->token_stride,
                  .length = length,
                  .posteriors = work + (2 * length + 2) * crf->padded,
                  .left = left_of(work, crf, length),
                  .right = right_of(work, crf)};
    if (!isnan(scaled_posteriors(crf, input, sentence, work, of->posteriors))) return DONE;
    double *memory = malloc((2 * length + 1) * tags * sizeof(double));
    if (!memory) return NO_MEMORY;
    double *beta = memory, *alpha = beta + length * tags, *terms = alpha + length * tags;
    log_messages(crf, input, sentence, alpha, beta, terms);
    for (int64_t t = 0; t < length; t++) {
        for (int64_t i = 0; i < tags; i++) terms[i] = alpha[t * tags + i] + beta[t * tags + i];
        double log_z = log_sum(terms, tags);
        for (int64_t i = 0; i < tags; i++) of->posteriors[t * tags + i] = (real)exp(terms[i] - log_z);
    }
    of->log_beta = beta;
    return DONE;
}

/* q_t[i][j] = p(y_(t+1) = j | y_t = i) */
static double following(const chain *of, int64_t t, int64_t i, int64_t j) {
    int64_t tags = of->crf->tags, padded = of->crf->padded;
    if (of->log_beta)
        return exp((double)of->crf->transition_scores[i * tags + j] + of->emissions[(t + 1) * of->token_stride + j] +
                   of->log_beta[(t + 1) * tags + j] - of->log_beta[t * tags + i]);
    real here = of->posteriors[t * tags + i];
    if (here == 0) return 0;
    return (double)of->left[t * padded + i] * of->crf->transitions[i * padded + j] * of->right[(t + 1) * padded + j] /
           here;
}

/* mass[j] = p(a span with the label begins at token t, and its first tag is the j-th of the label). Returns the sum. */
static double begin(const chain *of, const reading *read, int64_t t, int64_t label, double *mass) {
    int64_t tags = of->crf->tags;
    double total = 0;
    for (int64_t k = read->first[label]; k < read->first[label + 1]; k++, mass++) {
        int64_t j = read->members[k];
        *mass = 0;
        if (t == 0 && read->events[j] & OPENS) *mass = of->posteriors[j];
        for (int64_t i = 0; t > 0 && i < tags; i++)
            if (read->events[i * tags + j] & OPENS)
                *mass += of->posteriors[(t - 1) * tags + i] * following(of, t - 1, i, j);
        total += *mass;
    }
    return total;
}

/* The share of `mass` at token t that still belongs to the same span at token t + 1, in its place; `next` is as large.
   Returns the sum. */
static double go_on(const chain *of, const reading *read, int64_t t, int64_t label, double *mass, double *next) {
    int64_t tags = of->crf->tags, count = read->first[label + 1] - read->first[label];
    const int64_t *members = read->members + read->first[label];
    double total = 0;
    for (int64_t l = 0; l < count; l++) {
        next[l] = 0;
        for (int64_t k = 0; k < count; k++)
            if (!(read->events[members[k] * tags + members[l]] & (CLOSES | OPENS)))
                next[l] += mass[k] * following(of, t, members[k], members[l]);
        total += next[l];
    }
    memcpy(mass, next, count * sizeof(double));
    return total;
}

/* The share of `mass` of spans whose last token is t. */
static double close(const chain *of, const reading *read, int64_t t, int64_t label, const double *mass) {
    int64_t tags = of->crf->tags;
    double total = 0;
    for (int64_t k = read->first[label]; k < read->first[label + 1]; k++, mass++) {
        int64_t i = read->members[k];
        const int64_t *events = read->events + i * tags;
        if (t + 1 == of->length && events[0] & CLOSES) total += *mass;
        for (int64_t j = 0; t + 1 < of->length && j < tags; j++)
            if (events[j] & CLOSES) total += *mass * following(of, t, i, j);
    }
    return total > 1 ? 1 : total;
}

/* The places of the spans of each sentence: those of sentence b are order[first[b]], ..., order[first[b + 1] - 1]. */
static int sort_by_sentence(const batch *input, const int64_t *spans, int64_t count, int64_t *first, int64_t *order) {
    for (int64_t p = 0; p < count; p++) {
        const int64_t *span = spans + 4 * p; /* sentence, start, end, label */
        if (span[0] < 0 || span[0] >= input->sentences || span[1] < 0 || span[1] >= span[2] ||
            span[2] > input->lengths[span[0]] || span[3] < 0 || span[3] >= input->tags)
            return BAD_SPAN;
        first[span[0] + 2]++;
    }
    for (int64_t b = 0; b < input->sentences; b++) first[b + 2] += first[b + 1];
    for (int64_t p = 0; p < count; p++) order[first[spans[4 * p] + 1]++] = p;
    return DONE;
}

/* The probabilities of the spans of one sentence. */
static int sentence_spans(const scores *crf, const batch *input, const reading *read, int64_t sentence,
                          const int64_t *spans, const int64_t *places, int64_t count, real *work, double *mass,
                          real *out) {
    chain of;
    if (prepare_chain(&of, crf, input, sentence, work)) return NO_MEMORY;
    for (int64_t k = 0; k < count; k++) {
        const int64_t *span = spans + 4 * places[k];
        begin(&of, read, span[1], span[3], mass);
        for (int64_t t = span[1]; t + 1 < span[2]; t++) go_on(&of, read, t, span[3], mass, mass + crf->tags);
        out[places[k]] = (real)close(&of, read, span[2] - 1, span[3], mass);
    }
    free(of.log_beta);
    return DONE;
}

/* Every span of one sentence whose probability is at least `least`; at most `capacity` are written. Returns their
   number, or -1 if there is no memory. */
static int64_t sentence_probable(const scores *crf, const batch *input, const reading *read, int64_t sentence,
                                 double least, int64_t capacity, real *work, double *mass, int64_t *spans, real *out) {
    chain of;
    int64_t tags = crf->tags, found = 0;
    if (prepare_chain(&of, crf, input, sentence, work)) return -1;
    for (int64_t start = 0; start < of.length; start++)
        for (int64_t label = 0; label < tags; label++) {
            /* 1. Most tokens hardly have the label at all. */
            double most = 0;
            for (int64_t k = read->first[label]; k < read->first[label + 1]; k++)
                most += of.posteriors[start * tags + read->members[k]];
            if (!(most >= least)) continue;
            /* 2. Follow what begins here and still goes on. */
            double goes_on = begin(&of, read, start, label, mass);
            for (int64_t t = start; goes_on >= least; t++) {
                real probability = (real)close(&of, read, t, label, mass);
                if (probability >= least) {
                    if (found < capacity) {
                        memcpy(spans + 4 * found, (int64_t[]){sentence, start, t + 1, label}, 4 * sizeof(int64_t));
                        out[found] = probability;
                    }
                    found++;
                }
                if (t + 1 == of.length) break;
                goes_on = go_on(&of, read, t, label, mass, mass + tags);
            }
        }
    free(of.log_beta);
    return found;
}

/* The probability of each span (P,), given as sentence, start, end, label (P, 4). */
int crf_span_probabilities(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                           const real *start, const real *transitions, const real *end, int64_t sentences,
                           int64_t tokens, int64_t tags, int64_t threads, const int64_t *labels, const int64_t *events,
                           const int64_t *spans, int64_t count, real *out) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    scores crf = {0};
    reading read = {0};
    int64_t *first = calloc(sentences + 2 + count, sizeof(int64_t)), *order = first + sentences + 2;
    int failure = first ? prepare_reading(&read, labels, events, tags) : NO_MEMORY;
    if (!failure) failure = sort_by_sentence(&input, spans, count, first, order);
    if (!failure) failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure) {
        int team = threads_for(&input, longest, threads), failed = 0;
#pragma omp parallel num_threads(team) if (team > 1)
        {
            void *memory;
            real *work = allocate(rows_for(longest) * crf.padded, &memory);
            double *mass = malloc(2 * tags * sizeof(double));
            if (!work || !mass) failed = 1;
#pragma omp for schedule(dynamic, 1)
            for (int64_t b = 0; b < sentences; b++)
                if (work && mass && first[b + 1] > first[b] &&
                    sentence_spans(&crf, &input, &read, b, spans, order + first[b], first[b + 1] - first[b], work, mass,
                                   out))
                    failed = 1;
            free(memory);
            free(mass);
        }
        if (failed) failure = NO_MEMORY;
    }
    free(crf.memory);
    free(read.members);
    free(first);
    return failure;
}

/* Every span whose probability is at least `least`, a number at that address: for each sentence their number (B,), and
   the first `capacity` of them as sentence, start, end, label (B, capacity, 4) with probabilities (B, capacity). */
int crf_probable_spans(const real *emissions, int64_t sentence_stride, int64_t token_stride, const int64_t *lengths,
                       const real *start, const real *transitions, const real *end, int64_t sentences, int64_t tokens,
                       int64_t tags, int64_t threads, const int64_t *labels, const int64_t *events, const double *least,
                       int64_t capacity, int64_t *found, int64_t *spans, real *probabilities) {
    batch input = {emissions, sentences, tokens, tags, sentence_stride, token_stride, lengths};
    int64_t longest = longest_of(&input);
    if (longest < 0) return BAD_LENGTH;
    scores crf = {0};
    reading read = {0};
    int failure = prepare_reading(&read, labels, events, tags);
    if (!failure) failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure) {
        int team = threads_for(&input, longest, threads), failed = 0;
#pragma omp parallel num_threads(team) if (team > 1)
        {
            void *memory;
            real *work = allocate(rows_for(longest) * crf.padded, &memory);
            double *mass = malloc(2 * tags * sizeof(double));
            if (!work || !mass) failed = 1;
#pragma omp for schedule(dynamic, 1)
            for (int64_t b = 0; b < sentences; b++) {
                if (!work || !mass) continue;
                found[b] = sentence_probable(&crf, &input, &read, b, *least, capacity, work, mass,
                                             spans + 4 * b * capacity, probabilities + b * capacity);
                if (found[b] < 0) failed = 1;
            }
            free(memory);
            free(mass);
        }
        if (failed) failure = NO_MEMORY;
    }
    free(crf.memory);
    free(read.members);
    return failure;
}
