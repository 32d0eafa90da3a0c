/* IntNet (Xin et al. 2018): dense convolutions over the characters of words, and the maximum over positions.

   For each position p of a word, with the positions outside the word taken as zero:

       found[p] = ReLU(b + sum_k table[character_(p + k - gap)][k])        of all widths, as in char_cnn.c
       for each block:
           narrow[p] = ReLU(nb + found[p] N)                               N (columns of found so far, G)
           found[p]  = found[p], ReLU(cb + window_p(narrow) C)             C (K G, G'), a window is K positions, K = 2 gap + 1
       max = max_p found[p]

   A word is computed whole before the next, so its values stay in the cache, and do not depend on other words. The
   narrow values lie with `gap` rows of zeros around each word, so that a window is one row of K G values.

   Letters: W words, N characters of all words with gaps between them, F values of the first convolution, G and G' those
   of a block, D = F + blocks * G' values of a position. `weights` holds N, nb, C, cb of each block, end to end. Compiled
   once with REAL_BITS=32 and once with 64. */

#include "vector.h"

#define ROWS 4 /* that a product computes at once, as BY_ROWS has them */

/* The first `count` values, at most a vector, perhaps none or less; whole vectors without a mask. */
INLINE vector load_some(const real *from, int64_t count) {
    vector value = {0};
    if (count < LANES) return count > 0 ? load_first(from, count, 0) : value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store_some(real *to, int64_t count, vector value) {
    if (count < LANES) {
        if (count > 0) store_first(to, count, value);
    } else
        memcpy(to, &value, sizeof value);
}

/* Two vectors of columns of `rows` rows: out += in * matrix. Rows of `in` may overlap. */
INLINE void product_rows(const real *in, int64_t in_step, int64_t rows, int64_t inner, const real *matrix,
                         int64_t columns, int64_t left, real *out, int64_t out_step) {
    vector sum[ROWS][2];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t v = 0; v < 2; v++) sum[r][v] = load_some(out + r * out_step + v * LANES, left - v * LANES);
    for (int64_t i = 0; i < inner; i++) {
        vector low = load_some(matrix + i * columns, left), high = load_some(matrix + i * columns + LANES, left - LANES);
        for (int64_t r = 0; r < rows; r++) {
            vector factor = broadcast(in[r * in_step + i]);
            sum[r][0] += factor * low;
            sum[r][1] += factor * high;
        }
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t v = 0; v < 2; v++) store_some(out + r * out_step + v * LANES, left - v * LANES, sum[r][v]);
}

/* Two vectors of columns: matrix += in transposed * grad. */
INLINE void outer_rows(const real *in, int64_t in_step, int64_t rows, int64_t inner, const real *grad, int64_t grad_step,
                       int64_t columns, int64_t left, real *matrix) {
    vector of_row[ROWS][2];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t v = 0; v < 2; v++) of_row[r][v] = load_some(grad + r * grad_step + v * LANES, left - v * LANES);
    for (int64_t i = 0; i < inner; i++) {
        real *to = matrix + i * columns;
        vector low = load_some(to, left), high = load_some(to + LANES, left - LANES);
        for (int64_t r = 0; r < rows; r++) {
            vector factor = broadcast(in[r * in_step + i]);
            low += factor * of_row[r][0];
            high += factor * of_row[r][1];
        }
        store_some(to, left, low);
        store_some(to + LANES, left - LANES, high);
    }
}

/* Call a function for some of `rows` rows, their number known to the compiler. A row by itself waits for its own sums,
   so five are three and two. */
#define BY_ROWS(taken, rows, call)                                               \
    do {                                                                         \
        taken = (rows) == ROWS + 1 ? ROWS - 1 : (rows) < ROWS ? (rows) : ROWS;   \
        if (taken == 4) call(4);                                                 \
        else if (taken == 3) call(3);                                            \
        else if (taken == 2) call(2);                                            \
        else call(1);                                                            \
    } while (0)

/* out (rows, columns) += in (rows, inner) * matrix (inner, columns). */
static void add_product(const real *in, int64_t in_step, int64_t rows, int64_t inner, const real *matrix,
                        int64_t columns, real *out, int64_t out_step) {
#define PRODUCT(n)                                                                                                 \
    product_rows(in + r * in_step, in_step, n, inner, matrix + first, columns, columns - first,                    \
                 out + r * out_step + first, out_step)
    for (int64_t first = 0; first < columns; first += 2 * LANES)
        for (int64_t r = 0, taken; r < rows; r += taken) BY_ROWS(taken, rows - r, PRODUCT);
}

/* matrix (inner, columns) += in (rows, inner) transposed * grad (rows, columns), bias (columns,) += the rows of grad. */
static void add_outer(const real *in, int64_t in_step, int64_t rows, int64_t inner, const real *grad, int64_t grad_step,
                      int64_t columns, real *matrix, real *bias) {
#define OUTER(n)                                                                                                   \
    outer_rows(in + r * in_step, in_step, n, inner, grad + r * grad_step + first, grad_step, columns,              \
               columns - first, matrix + first)
    for (int64_t first = 0; first < columns; first += 2 * LANES)
        for (int64_t r = 0, taken; r < rows; r += taken) BY_ROWS(taken, rows - r, OUTER);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) bias[c] += grad[r * grad_step + c];
}

INLINE void rectify(real *values, int64_t step, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) values[r * step + c] = values[r * step + c] < 0 ? 0 : values[r * step + c];
}

/* The gradient is zero where the value was cut off. */
INLINE void cut_off(real *grad, int64_t grad_step, const real *values, int64_t step, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            grad[r * grad_step + c] = values[r * step + c] > 0 ? grad[r * grad_step + c] : 0;
}

INLINE void fill(real *to, int64_t step, int64_t rows, const real *values, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) memcpy(to + r * step, values, columns * sizeof(real));
}

/* The largest values of each word (W, D), and the first position of each, counted from the word's first character.

   `found` (N, D) and `narrow` (blocks, N + gap, G) are what the other function reads; the second is zero before. */
int intnet_forward(const real *table, const real *bias, const real *weights, const int64_t *characters,
                   const int64_t *lengths, int64_t words, int64_t gap, int64_t first_size, int64_t narrow_size,
                   int64_t block_size, int64_t blocks, int64_t count, real *found, real *narrow, real *max,
                   lane_int *positions) {
    const int64_t window = 2 * gap + 1, size = first_size + blocks * block_size, wide = window * narrow_size;
    for (int64_t w = 0, begin = 0; w < words; begin += lengths[w++] + gap) {
        const int64_t length = lengths[w], *word = characters + begin;
        real *here = found + begin * size;
        /* 1. The first convolution: sums of table rows. */
        fill(here, size, length, bias, first_size);
        for (int64_t p = 0; p < length; p++)
            for (int64_t k = 0; k < window; k++) {
                const int64_t q = p + k - gap;
                if (q < 0 || q >= length) continue;
                const real *row = table + (word[q] * window + k) * first_size;
                for (int64_t f = 0; f < first_size; f++) here[p * size + f] += row[f];
            }
        rectify(here, size, length, first_size);
        /* 2. The blocks. */
        const real *matrix = weights;
        for (int64_t b = 0, columns = first_size; b < blocks; b++, columns += block_size) {
            real *inside = narrow + (b * (count + gap) + gap + begin) * narrow_size;
            fill(inside, narrow_size, length, matrix + columns * narrow_size, narrow_size);
            add_product(here, size, length, columns, matrix, narrow_size, inside, narrow_size);
            rectify(inside, narrow_size, length, narrow_size);
            matrix += (columns + 1) * narrow_size;
            fill(here + columns, size, length, matrix + wide * block_size, block_size);
            add_product(inside - gap * narrow_size, narrow_size, length, wide, matrix, block_size, here + columns, size);
            rectify(here + columns, size, length, block_size);
            matrix += (wide + 1) * block_size;
        }
        /* 3. The maximum. */
        for (int64_t d = 0; d < size; d += LANES) {
            vector largest = load_some(here + d, size - d);
            int_vector position = {0};
            for (int64_t p = 1; p < length; p++) {
                vector value = load_some(here + p * size + d, size - d);
                int_vector better = value > largest;
                largest = choose(better, value, largest);
                position = (int_vector)choose(better, (vector)((int_vector){0} + (lane_int)p), (vector)position);
            }
            store_some(max + w * size + d, size - d, largest);
            if (positions) store_some((real *)positions + w * size + d, size - d, (vector)position);
        }
    }
    return 0;
}

/* The gradients of table, bias and weights, added to what is there.

   `turned` holds of each block N transposed (G, columns), and C with its window turned round and each part of it
   transposed (K G', G). `grad` (longest word, D), `grad_block` (longest word + 2 gap, G') and `grad_narrow` (longest
   word, G) are memory to work in. */
int intnet_backward(const real *grad_max, const lane_int *positions, const real *found, const real *narrow,
                    const real *turned, const int64_t *characters, const int64_t *lengths, int64_t words, int64_t gap,
                    int64_t first_size, int64_t narrow_size, int64_t block_size, int64_t blocks, int64_t count,
                    real *grad, real *grad_block, real *grad_narrow, real *grad_table, real *grad_bias,
                    real *grad_weights) {
    const int64_t window = 2 * gap + 1, size = first_size + blocks * block_size, wide = window * narrow_size;
    int64_t all = 0;
    for (int64_t b = 0; b < blocks; b++)
        all += (first_size + b * block_size + 1) * narrow_size + (wide + 1) * block_size;
    for (int64_t w = 0, begin = 0; w < words; begin += lengths[w++] + gap) {
        const int64_t length = lengths[w], *word = characters + begin;
        const real *here = found + begin * size;
        /* 1. That of each maximum goes to its position. */
        memset(grad, 0, length * size * sizeof(real));
        for (int64_t d = 0; d < size; d++) grad[positions[w * size + d] * size + d] = grad_max[w * size + d];
        /* 2. The blocks, the last first. */
        real *to = grad_weights + all;
        const real *matrix = turned + all - blocks * (narrow_size + block_size);
        for (int64_t b = blocks - 1; b >= 0; b--) {
            const int64_t columns = first_size + b * block_size;
            const real *inside = narrow + (b * (count + gap) + gap + begin) * narrow_size;
            real *of_block = grad_block + gap * block_size;
            memset(grad_block, 0, gap * block_size * sizeof(real));
            memset(of_block + length * block_size, 0, gap * block_size * sizeof(real));
            for (int64_t p = 0; p < length; p++)
                memcpy(of_block + p * block_size, grad + p * size + columns, block_size * sizeof(real));
            cut_off(of_block, block_size, here + columns, size, length, block_size);
            to -= (wide + 1) * block_size;
            add_outer(inside - gap * narrow_size, narrow_size, length, wide, of_block, block_size, block_size, to,
                      to + wide * block_size);
            matrix -= window * block_size * narrow_size;
            memset(grad_narrow, 0, length * narrow_size * sizeof(real));
            add_product(grad_block, block_size, length, window * block_size, matrix, narrow_size, grad_narrow,
                        narrow_size);
            cut_off(grad_narrow, narrow_size, inside, narrow_size, length, narrow_size);
            to -= (columns + 1) * narrow_size;
            add_outer(here, size, length, columns, grad_narrow, narrow_size, narrow_size, to, to + columns * narrow_size);
            matrix -= columns * narrow_size;
            add_product(grad_narrow, narrow_size, length, narrow_size, matrix, columns, grad, size);
        }
        /* 3. The first convolution. */
        cut_off(grad, size, here, size, length, first_size);
        for (int64_t p = 0; p < length; p++) {
            for (int64_t f = 0; f < first_size; f++) grad_bias[f] += grad[p * size + f];
            for (int64_t k = 0; k < window; k++) {
                const int64_t q = p + k - gap;
                if (q < 0 || q >= length) continue;
                real *row = grad_table + (word[q] * window + k) * first_size;
                for (int64_t f = 0; f < first_size; f++) row[f] += grad[p * size + f];
            }
        }
    }
    return 0;
}
