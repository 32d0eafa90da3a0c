/* The char-CNN as sums of table rows: what a filter says of a character at one of its places does not depend on the
   characters beside it, so it is looked up, and a convolution is a sum of `width` rows.

   W words, N characters of all of them with gaps between the words, F filters. A table is (characters, width, F).
   Compiled once with REAL_BITS=32 and once with 64. */

#include "vector.h"

/* The largest score of each filter within each word (W, F), and where, counted from the word's first character. */
int char_cnn_forward(const real *table, const int64_t *characters, const int64_t *lengths, int64_t words, int64_t gap,
                     int64_t width, int64_t filters, real *best, whole *where) {
    const int64_t *word = characters;
    for (int64_t w = 0; w < words; word += lengths[w++] + gap)
        for (int64_t f = 0; f < filters; f += LANES) {
            vector largest = {0};
            wholes found = {0};
            for (int64_t p = 0; p < lengths[w]; p++) {
                vector score = {0};
                for (int64_t k = 0; k < width; k++) {
                    int64_t q = p + k - width / 2;
                    if (q < 0 || q >= lengths[w]) continue;
                    score += load_first(table + (word[q] * width + k) * filters + f, filters - f, 0);
                }
                wholes better = p ? score > largest : ~(wholes){0};
                largest = choose(better, score, largest);
                found = (wholes)choose(better, (vector)((wholes){0} + (whole)p), (vector)found);
            }
            store_first(best + w * filters + f, filters - f, largest);
            if (where) store_first((real *)where + w * filters + f, filters - f, (vector)found);
        }
    return 0;
}

/* The gradient of the table, added to `of_table`: that of each maximum goes to the rows it was the sum of. */
int char_cnn_backward(const real *of_best, const whole *where, const int64_t *characters, const int64_t *lengths,
                      int64_t words, int64_t gap, int64_t width, int64_t filters, real *of_table) {
    const int64_t *word = characters;
    for (int64_t w = 0; w < words; word += lengths[w++] + gap)
        for (int64_t f = 0; f < filters; f++)
            for (int64_t k = 0; k < width; k++) {
                int64_t q = where[w * filters + f] + k - width / 2;
                if (q < 0 || q >= lengths[w]) continue;
                of_table[(word[q] * width + k) * filters + f] += of_best[w * filters + f];
            }
    return 0;
}
