/* The char-CNN (Ma and Hovy 2016) as sums of table rows.

   The product of a character's vector with one column of a filter does not depend on the characters beside it. So all
   of them are computed once, in a table (characters, width, F), and a convolution is a sum of `width` rows:

       score[p][f] = sum_k table[character_(p + k - width / 2)][k][f]          for the positions p of a word
       max[f] = max_p score[p][f]

   Letters: W words, N characters of all words with gaps between them, F filters. Compiled once with REAL_BITS=32 and
   once with 64. */

#include "vector.h"

/* The largest score of each filter within each word (W, F), and its position, counted from the word's first character.
   The first of equal positions is taken. */
int char_cnn_forward(const real *table, const int64_t *characters, const int64_t *lengths, int64_t words, int64_t gap,
                     int64_t width, int64_t filters, real *max, lane_int *positions) {
    const int64_t *word = characters;
    for (int64_t w = 0; w < words; word += lengths[w++] + gap)
        for (int64_t f = 0; f < filters; f += LANES) {
            vector largest = {0};
            int_vector position = {0};
            for (int64_t p = 0; p < lengths[w]; p++) {
                vector score = {0};
                for (int64_t k = 0; k < width; k++) {
                    int64_t q = p + k - width / 2;
                    if (q < 0 || q >= lengths[w]) continue;
                    score += load_first(table + (word[q] * width + k) * filters + f, filters - f, 0);
                }
                int_vector better = p ? score > largest : ~(int_vector){0};
                largest = choose(better, score, largest);
                position = (int_vector)choose(better, (vector)((int_vector){0} + (lane_int)p), (vector)position);
            }
            store_first(max + w * filters + f, filters - f, largest);
            if (positions) store_first((real *)positions + w * filters + f, filters - f, (vector)position);
        }
    return 0;
}

/* The gradient of the table, added to `grad_table`: that of each maximum goes to the rows of its sum. */
int char_cnn_backward(const real *grad_max, const lane_int *positions, const int64_t *characters,
                      const int64_t *lengths, int64_t words, int64_t gap, int64_t width, int64_t filters,
                      real *grad_table) {
    const int64_t *word = characters;
    for (int64_t w = 0; w < words; word += lengths[w++] + gap)
        for (int64_t f = 0; f < filters; f++)
            for (int64_t k = 0; k < width; k++) {
                int64_t q = positions[w * filters + f] + k - width / 2;
                if (q < 0 || q >= lengths[w]) continue;
                grad_table[(word[q] * width + k) * filters + f] += grad_max[w * filters + f];
            }
    return 0;
}
