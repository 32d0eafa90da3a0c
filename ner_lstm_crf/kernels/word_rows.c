/* AdamW and a running average of the rows of a table that a batch reads; see `tasks/word_rows.py` for what is computed.

   `rows` (R,) say which, without repetition; the weight, its average and Adam's two means are (V, D). `shares` (V,) say
   what share of the learning rate each row has. */

#include <math.h>

#include "vector.h"

#define MOMENTUM 0.9
#define VARIANCE 0.999
#define EPSILON ((real)1e-8)
#if REAL_BITS == 32
#define sqrt_of sqrtf
#else
#define sqrt_of sqrt
#endif

typedef struct {
    real *weight, *average, *first, *second;
} row;

INLINE row row_at(real *weight, real *average, real *first, real *second, int64_t number, int64_t size) {
    int64_t at = number * size;
    return (row){weight + at, average + at, first + at, second + at};
}

/* What rows missed since the step in `last`, up to `steps`. The history (3, room) has for each step how far its
   momentum has carried, and the logs of what is left of a weight and of an average. */
int word_rows_catch_up(real *weight, real *average, real *first, real *second, int64_t *last, const real *shares,
                       const int64_t *rows, int64_t count, int64_t size, int64_t steps, const double *history,
                       int64_t room) {
    for (int64_t r = 0; r < count; r++) {
        int64_t since = last[rows[r]], missed = steps - since;
        if (missed <= 0) continue;
        row to = row_at(weight, average, first, second, rows[r], size);
        real share = shares[rows[r]], carried = (real)history[since] * share;
        real kept = (real)exp(share * (history[room + steps] - history[room + since]));
        real drawn = (real)exp(history[2 * room + steps] - history[2 * room + since]);
        real fade_first = (real)pow(MOMENTUM, missed), fade_second = (real)pow(VARIANCE, missed);
        for (int64_t i = 0; i < size; i++) {
            real moved = to.weight[i] * kept - to.first[i] / (sqrt_of(to.second[i]) + EPSILON) * carried;
            to.weight[i] = moved;
            to.average[i] = moved + drawn * (to.average[i] - moved);
            to.first[i] *= fade_first;
            to.second[i] *= fade_second;
        }
        last[rows[r]] = steps;
    }
    return 0;
}

/* The step number `steps` with these gradients (R, D). Numbers: learning rate, weight decay, what the average keeps. */
int word_rows_step(real *weight, real *average, real *first, real *second, int64_t *last, const real *shares,
                   const int64_t *rows, int64_t count, int64_t size, int64_t steps, const real *gradients,
                   const double *numbers) {
    double rate = numbers[0], of_first = 1 - pow(MOMENTUM, steps), of_second = 1 - pow(VARIANCE, steps);
    real kept = (real)numbers[2], scale = (real)(1 / sqrt(of_second));
    for (int64_t r = 0; r < count; r++) {
        row to = row_at(weight, average, first, second, rows[r], size);
        const real *gradient = gradients + r * size;
        double own = rate * shares[rows[r]];
        real left = (real)(1 - own * numbers[1]), step = (real)(own / of_first);
        for (int64_t i = 0; i < size; i++) {
            to.first[i] += (real)(1 - MOMENTUM) * (gradient[i] - to.first[i]);
            to.second[i] = (real)VARIANCE * to.second[i] + (real)(1 - VARIANCE) * gradient[i] * gradient[i];
            real moved = to.weight[i] * left - step * to.first[i] / (sqrt_of(to.second[i]) * scale + EPSILON);
            to.weight[i] = moved;
            to.average[i] = moved + kept * (to.average[i] - moved);
        }
        last[rows[r]] = steps;
    }
    return 0;
}
