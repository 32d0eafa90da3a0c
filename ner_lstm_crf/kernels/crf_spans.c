/* The probability of spans: the sum over all paths of tags that read back with exactly this span.

   Between two neighbouring tags a span may end (CLOSES), and one may begin (OPENS); an O, tag 0, stands before and
   behind the sentence. Given the words, the tags are a Markov chain, with q_t[i][j] = p(y_(t+1) = j | y_t = i). For the
   span [s, e) with label L:

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
    real *opening;         /* the factors A of pairs where a span begins (KP, KP), [from][to] */
    real *closing;         /* and of those where one ends, [to][from] */
    void *memory;
} reading;

/* The tags of one sentence as a Markov chain. If forward-backward had to be done in logarithms, log_beta is not NULL,
   and left, right, opened and closed are not used. */
typedef struct {
    const scores *crf;
    const reading *read;
    const real *emissions; /* the first row, and the distance to the next */
    int64_t token_stride, length;
    real *posteriors;       /* p(y_t = i) (n, K) */
    real *left, *right;     /* p(y_t = i, y_(t+1) = j) = left_t[i] A[i][j] right_(t+1)[j] (n, KP) */
    real *opened;           /* left_(t-1) times opening (KP,) for one t */
    int64_t opened_at;      /* that t */
    real *closed;           /* closing times right_(t+1) (n, KP); the first value is NAN until the row is needed */
    double *log_beta;       /* log beta_t (n, K) */
} chain;

/* Fill `read`; its memory has to be freed, whatever comes back. */
static int prepare_reading(reading *read, const scores *crf, const int64_t *labels, const int64_t *events) {
    int64_t tags = crf->tags, padded = crf->padded, filled = 0;
    *read = (reading){.events = events, .members = calloc(2 * tags + 1, sizeof(int64_t))};
    read->opening = allocate(2 * padded * padded, &read->memory);
    if (!read->members || !read->opening) return NO_MEMORY;
    read->closing = read->opening + padded * padded;
    read->first = read->members + tags;
    for (int64_t i = 0; i < tags; i++)
        if (labels[i] < -1 || labels[i] >= tags) return BAD_LABEL;
    for (int64_t label = 0; label < tags; label++) {
        read->first[label] = filled;
        for (int64_t i = 0; i < tags; i++)
            if (labels[i] == label) read->members[filled++] = i;
    }
    read->first[tags] = filled;
    memset(read->opening, 0, 2 * padded * padded * sizeof(real));
    for (int64_t i = 0; i < tags; i++)
        for (int64_t j = 0; j < tags; j++) {
            if (events[i * tags + j] & OPENS) read->opening[i * padded + j] = crf->transitions[i * padded + j];
            if (events[i * tags + j] & CLOSES) read->closing[j * padded + i] = crf->transitions[i * padded + j];
        }
    return DONE;
}

/* Rows of KP values that the chain of a sentence of n tokens needs. */
INLINE int64_t rows_for(int64_t length) { return 4 * length + 3; }

/* Fill the chain of one sentence. `work` holds `rows_for` rows; `log_beta` has to be freed. */
static int prepare_chain(chain *of, const scores *crf, const reading *read, const batch *input, int64_t sentence,
                         real *work) {
    int64_t length = input->lengths[sentence], tags = crf->tags, padded = crf->padded;
    *of = (chain){.crf = crf,
                  .read = read,
                  .emissions = input->emissions + sentence * input->sentence_stride,
                  .token_stride = input->token_stride,
                  .length = length,
                  .left = left_of(work, crf, length),
                  .right = right_of(work, crf),
                  .closed = work + (2 * length + 2) * padded,
                  .opened = work + (3 * length + 2) * padded,
                  .opened_at = -1,
                  .posteriors = work + (3 * length + 3) * padded};
    for (int64_t t = 0; t < length; t++) of->closed[t * padded] = NAN;
    if (!isnan(scaled_posteriors(crf, input, sentence, work, of->posteriors))) return DONE;
    double *beta = malloc((2 * length + 1) * tags * sizeof(double));
    if (!beta) return NO_MEMORY;
    double *alpha = beta + length * tags, *terms = alpha + length * tags;
    log_messages(crf, input, sentence, alpha, beta, terms);
    for (int64_t t = 0; t < length; t++) {
        for (int64_t i = 0; i < tags; i++) terms[i] = alpha[t * tags + i] + beta[t * tags + i];
        double log_z = log_sum(terms, tags);
        for (int64_t i = 0; i < tags; i++) of->posteriors[t * tags + i] = (real)exp(terms[i] - log_z);
    }
    of->log_beta = beta;
    return DONE;
}

/* left_t[i] / p(y_t = i), which times A[i][j] right_(t+1)[j] is q_t[i][j]. */
INLINE double share(const chain *of, int64_t t, int64_t i) {
    real posterior = of->posteriors[t * of->crf->tags + i];
    return posterior > 0 ? (double)of->left[t * of->crf->padded + i] / posterior : 0;
}

/* q_t[i][j] in logarithms. */
INLINE double log_following(const chain *of, int64_t t, int64_t i, int64_t j) {
    int64_t tags = of->crf->tags;
    return exp((double)of->crf->transition_scores[i * tags + j] + of->emissions[(t + 1) * of->token_stride + j] +
               of->log_beta[(t + 1) * tags + j] - of->log_beta[t * tags + i]);
}

/* p(a span begins at token t, and its first tag is j) */
static double opening(chain *of, int64_t t, int64_t j) {
    int64_t tags = of->crf->tags, padded = of->crf->padded;
    const int64_t *events = of->read->events;
    if (t == 0) return events[j] & OPENS ? of->posteriors[j] : 0;
    if (of->log_beta) {
        double sum = 0;
        for (int64_t i = 0; i < tags; i++)
            if (events[i * tags + j] & OPENS)
                sum += of->posteriors[(t - 1) * tags + i] * log_following(of, t - 1, i, j);
        return sum;
    }
    if (of->opened_at != t) {
        const real *row = of->left + (t - 1) * padded;
        STEP(product_part, row, of->read->opening, tags, padded, of->opened);
        of->opened_at = t;
    }
    return (double)of->opened[j] * of->right[t * padded + j];
}

/* p(a span ends with token t | its last tag is i) */
static double closing(chain *of, int64_t t, int64_t i) {
    int64_t tags = of->crf->tags, padded = of->crf->padded;
    const int64_t *events = of->read->events + i * tags;
    if (t + 1 == of->length) return events[0] & CLOSES ? 1 : 0;
    if (of->log_beta) {
        double sum = 0;
        for (int64_t j = 0; j < tags; j++)
            if (events[j] & CLOSES) sum += log_following(of, t, i, j);
        return sum;
    }
    real *row = of->closed + t * padded;
    if (isnan(row[0])) {
        const real *next = of->right + (t + 1) * padded;
        STEP(product_part, next, of->read->closing, tags, padded, row);
    }
    return share(of, t, i) * row[i];
}

/* mass[k] = p(a span with the label begins at token t, and its first tag is the k-th of the label). Returns the sum. */
static double begin(chain *of, int64_t t, int64_t label, double *mass) {
    double total = 0;
    for (int64_t k = of->read->first[label]; k < of->read->first[label + 1]; k++, mass++)
        total += *mass = opening(of, t, of->read->members[k]);
    return total;
}

/* The share of `mass` at token t that still belongs to the same span at token t + 1, in its place; `next` is as large.
   Returns the sum. */
static double go_on(const chain *of, int64_t t, int64_t label, double *mass, double *next) {
    int64_t tags = of->crf->tags, padded = of->crf->padded;
    int64_t count = of->read->first[label + 1] - of->read->first[label];
    const int64_t *members = of->read->members + of->read->first[label];
    const real *right = of->right + (t + 1) * padded;
    double total = 0;
    memset(next, 0, count * sizeof(double));
    for (int64_t k = 0; k < count; k++) {
        int64_t i = members[k];
        double scaled = of->log_beta ? 0 : mass[k] * share(of, t, i);
        for (int64_t l = 0; l < count; l++) {
            int64_t j = members[l];
            if (of->read->events[i * tags + j] & (CLOSES | OPENS)) continue;
            next[l] += of->log_beta ? mass[k] * log_following(of, t, i, j)
                                    : scaled * of->crf->transitions[i * padded + j] * right[j];
        }
    }
    for (int64_t l = 0; l < count; l++) total += mass[l] = next[l];
    return total;
}

/* The share of `mass` of spans whose last token is t. */
static double close(chain *of, int64_t t, int64_t label, const double *mass) {
    double total = 0;
    for (int64_t k = of->read->first[label]; k < of->read->first[label + 1]; k++, mass++)
        if (*mass != 0) total += *mass * closing(of, t, of->read->members[k]);
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
    if (prepare_chain(&of, crf, read, input, sentence, work)) return NO_MEMORY;
    for (int64_t k = 0; k < count; k++) {
        const int64_t *span = spans + 4 * places[k];
        begin(&of, span[1], span[3], mass);
        for (int64_t t = span[1]; t + 1 < span[2]; t++) go_on(&of, t, span[3], mass, mass + crf->tags);
        out[places[k]] = (real)close(&of, span[2] - 1, span[3], mass);
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
    if (prepare_chain(&of, crf, read, input, sentence, work)) return -1;
    for (int64_t start = 0; start < of.length; start++)
        for (int64_t label = 0; label < tags; label++) {
            /* 1. Most tokens hardly have the label at all. */
            double most = 0;
            for (int64_t k = read->first[label]; k < read->first[label + 1]; k++)
                most += of.posteriors[start * tags + read->members[k]];
            if (!(most >= least)) continue;
            /* 2. Follow what begins here and still goes on. */
            double goes_on = begin(&of, start, label, mass);
            for (int64_t t = start; goes_on >= least; t++) {
                real probability = (real)close(&of, t, label, mass);
                if (probability >= least) {
                    if (found < capacity) {
                        memcpy(spans + 4 * found, (int64_t[]){sentence, start, t + 1, label}, 4 * sizeof(int64_t));
                        out[found] = probability;
                    }
                    found++;
                }
                if (t + 1 == of.length) break;
                goes_on = go_on(&of, t, label, mass, mass + tags);
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
    int failure = first ? sort_by_sentence(&input, spans, count, first, order) : NO_MEMORY;
    if (!failure) failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure) failure = prepare_reading(&read, &crf, labels, events);
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
    free(read.memory);
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
    int failure = prepare(&crf, tags, start, transitions, end, 1);
    if (!failure) failure = prepare_reading(&read, &crf, labels, events);
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
    free(read.memory);
    return failure;
}
