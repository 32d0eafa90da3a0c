/* An LSTM (Hochreiter and Schmidhuber 1997) over one sentence, in one direction.

       gates[t] = biases + values[t] W + hidden[t - 1] R
       cell[t]  = sigmoid(forget) cell[t - 1] + sigmoid(input) tanh(candidate)
       out[t]   = hidden[t] = sigmoid(output) tanh(cell[t])

   With one sentence each step reads all of R for a few multiplications, so the time is that of reading R. It stays in
   the processor's cache if one direction is computed after the other, and takes half of it in 16 bits.

   Letters: T tokens, D vector size, H units, HP units and padding, a multiple of 16. The gates input, output, forget and
   candidate of all units stand one after the other (4 HP). Weights are cut into panels of columns that are read together:
   W (4 HP / 16, D, 16), R (4 HP / 64, H, 64). Compiled once with REAL_BITS=32 and once with 64; 16 bits are for 32 alone. */

#include "vector.h"

#if REAL_BITS == 32 && defined(__F16C__)
/* A vector of numbers of 16 bits. */
INLINE vector load_half(const uint16_t *from) {
#if defined(__AVX512F__)
    return (vector)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
#else
    return (vector)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
#endif
}
#define HALVES 1
#else
INLINE vector load_half(const uint16_t *from) {
    (void)from;
    return broadcast(0);
}
#define HALVES 0
#endif

INLINE vector load_any(const real *from) {
    vector value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store_any(real *to, vector value) { memcpy(to, &value, sizeof value); }

INLINE vector weight_at(const void *weights, int64_t position, int halves) {
    return halves ? load_half((const uint16_t *)weights + position) : load_any((const real *)weights + position);
}

#define INPUT_PANEL 16
#define HIDDEN_PANEL 64
#define ROWS 5 /* tokens whose sums fit into the registers, at most */

/* Adds values (rows, size) times a panel of weights (size, panel) to sums, of which a row is `width` long. */
INLINE void add_panel(const real *values, int64_t size, const void *panels, int64_t position, int halves, real *sums,
                      int64_t width, const int rows, const int panel) {
    const int vectors = panel / LANES;
    vector sum[rows][vectors];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = load_any(sums + r * width + v * LANES);
    for (int64_t d = 0; d < size; d++)
        for (int v = 0; v < vectors; v++) {
            vector weight = weight_at(panels, position + d * panel + v * LANES, halves);
            for (int r = 0; r < rows; r++) sum[r][v] += weight * values[r * size + d];
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) store_any(sums + r * width + v * LANES, sum[r][v]);
}

/* Adds W times the values of all tokens, in blocks of like size: one token alone would take as long as three. */
static void add_input(const real *values, int64_t tokens, int64_t size, const real *weights, int64_t width, real *sums) {
    int64_t blocks = (tokens + ROWS - 1) / ROWS;
    for (int64_t first = 0; first < width; first += INPUT_PANEL)
        for (int64_t block = 0; block < blocks; block++) {
            int64_t t = block * tokens / blocks, rows = (block + 1) * tokens / blocks - t;
            const real *from = values + t * size;
            real *to = sums + t * width + first;
#define CASE(rows) \
    case rows: add_panel(from, size, weights, first * size, 0, to, width, rows, INPUT_PANEL); break;
            switch (rows) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(ROWS) }
        }
}

INLINE vector sigmoid(vector x) {
    int_vector positive = x > 0;
    vector small = exponential(choose(positive, -x, x));
    return choose(positive, broadcast(1), small) / (1 + small);
}

INLINE vector hyperbolic_tangent(vector x) {
    int_vector positive = x > 0;
    vector small = exponential(choose(positive, -2 * x, 2 * x));
    vector size = (1 - small) / (1 + small);
    return choose(positive, size, -size);
}

INLINE void steps(const void *hidden_weights, int halves, int64_t tokens, int64_t units, int64_t padded,
                  int64_t backwards, real *gates, real *cell, real *hidden, real *out, int64_t stride) {
    for (int64_t step = 0; step < tokens; step++) {
        int64_t t = backwards ? tokens - 1 - step : step;
        real *of_token = gates + t * 4 * padded;
        for (int64_t first = 0; step && first < 4 * padded; first += HIDDEN_PANEL)
            add_panel(hidden, units, hidden_weights, first * units, halves, of_token + first, 4 * padded, 1, HIDDEN_PANEL);
        for (int64_t u = 0; u < padded; u += LANES) {
            vector input = sigmoid(load_any(of_token + u));
            vector output = sigmoid(load_any(of_token + padded + u));
            vector forget = sigmoid(load_any(of_token + 2 * padded + u));
            vector candidate = hyperbolic_tangent(load_any(of_token + 3 * padded + u));
            vector state = forget * load_any(cell + u) + input * candidate;
            store_any(cell + u, state);
            store_any(hidden + u, output * hyperbolic_tangent(state));
        }
        memcpy(out + t * stride, hidden, units * sizeof(real));
    }
}

/* The hidden states of one sentence, written into `out` (T, stride), of which each row gets H.

   `gates` (T + 1, 4 HP) holds the biases in each of the first T rows; what it holds is changed. The last row is room.
   `halves` says that the weights R are numbers of 16 bits. Returns 1 if this processor's level cannot read these. */
int lstm_sentence(const real *values, int64_t tokens, int64_t size, const real *input_weights,
                  const void *hidden_weights, int64_t halves, int64_t units, int64_t padded, int64_t backwards,
                  real *gates, real *out, int64_t stride) {
    if (halves && !HALVES) return 1;
    real *cell = gates + tokens * 4 * padded, *hidden = cell + padded;
    memset(cell, 0, 2 * padded * sizeof(real));
    add_input(values, tokens, size, input_weights, 4 * padded, gates);
    if (halves)
        steps(hidden_weights, 1, tokens, units, padded, backwards, gates, cell, hidden, out, stride);
    else
        steps(hidden_weights, 0, tokens, units, padded, backwards, gates, cell, hidden, out, stride);
    return 0;
}
