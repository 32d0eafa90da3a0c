/* AdamW and an exponential moving average, for the rows of an embedding table that a batch reads; see
   `training/sparse_adamw.py`.

   Letters: V rows of the table, R rows that the batch reads, D values of a row. The weight, its average and Adam's two
   moments are (V, D). `rows` (R,) are the numbers of the rows that are read, without repetition; `lr_scale` (V,) is the
   learning rate of each row as a share of that of the others; `last_step` (V,) is the step that each row is up to date
   with. Compiled once with REAL_BITS=32 and once with 64. */

#include <math.h>

#include "vector.h"

#define BETA1 0.9
#define BETA2 0.999
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

/* Bring rows up to date with step number `steps`: add up what their steps without a gradient would have done.

   In such a step the moments fade, first *= BETA1 and second *= BETA2, so the momentum carries a row less at each step.
   `history` (3, room) has for each step s, in this order: the sum of what the momentum after s has carried a row since,
   as a multiple of first / sqrt(second); the logs of what weight decay leaves of a weight, and steps leave of an
   average, from the beginning until s. */
int sparse_adamw_catch_up(real *weight, real *average, real *first, real *second, int64_t *last_step,
                          const real *lr_scale, const int64_t *rows, int64_t count, int64_t size, int64_t steps,
                          const double *history, int64_t room) {
    const double *carried_since = history, *log_weight = history + room, *log_average = history + 2 * room;
    for (int64_t r = 0; r < count; r++) {
        int64_t since = last_step[rows[r]], missed = steps - since;
        if (missed <= 0) continue;
        row to = row_at(weight, average, first, second, rows[r], size);
        /* 1. The factors that are the same for all values of the row. */
        real scale = lr_scale[rows[r]], carried = (real)carried_since[since] * scale;
        real weight_left = (real)exp(scale * (log_weight[steps] - log_weight[since]));
        real average_left = (real)exp(log_average[steps] - log_average[since]);
        real first_left = (real)pow(BETA1, missed), second_left = (real)pow(BETA2, missed);
        /* 2. The values. */
        for (int64_t i = 0; i < size; i++) {
            real updated = to.weight[i] * weight_left - to.first[i] / (sqrt_of(to.second[i]) + EPSILON) * carried;
            to.weight[i] = updated;
            to.average[i] = updated + average_left * (to.average[i] - updated);
            to.first[i] *= first_left;
            to.second[i] *= second_left;
        }
        last_step[rows[r]] = steps;
    }
    return 0;
}

/* Step number `steps` of AdamW (Loshchilov and Hutter 2019, algorithm 2) with these gradients (R, D).

       first  = BETA1 first  + (1 - BETA1) gradient            second = BETA2 second + (1 - BETA2) gradient^2
       weight = (1 - rate decay) weight
                - rate (first / (1 - BETA1^steps)) / (sqrt(second / (1 - BETA2^steps)) + EPSILON)
       average = ema_decay average + (1 - ema_decay) weight

   `settings` are the learning rate, the weight decay and ema_decay. */
int sparse_adamw_step(real *weight, real *average, real *first, real *second, int64_t *last_step, const real *lr_scale,
                      const int64_t *rows, int64_t count, int64_t size, int64_t steps, const real *gradients,
                      const double *settings) {
    double learning_rate = settings[0], correction1 = 1 - pow(BETA1, steps), correction2 = 1 - pow(BETA2, steps);
    real ema_decay = (real)settings[2], sqrt_scale = (real)(1 / sqrt(correction2));
    for (int64_t r = 0; r < count; r++) {
        row to = row_at(weight, average, first, second, rows[r], size);
        const real *gradient = gradients + r * size;
        double rate = learning_rate * lr_scale[rows[r]];
        real weight_left = (real)(1 - rate * settings[1]), step = (real)(rate / correction1);
        for (int64_t i = 0; i < size; i++) {
            to.first[i] += (real)(1 - BETA1) * (gradient[i] - to.first[i]);
            to.second[i] = (real)BETA2 * to.second[i] + (real)(1 - BETA2) * gradient[i] * gradient[i];
            real updated =
                to.weight[i] * weight_left - step * to.first[i] / (sqrt_of(to.second[i]) * sqrt_scale + EPSILON);
            to.weight[i] = updated;
            to.average[i] = updated + ema_decay * (to.average[i] - updated);
        }
        last_step[rows[r]] = steps;
    }
    return 0;
}
