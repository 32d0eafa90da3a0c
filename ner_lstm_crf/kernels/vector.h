/* Vectors of the processor's width, of float or double (REAL_BITS is 32 or 64).

   LANES values make a vector. A row of K values is padded to KP values, K rounded up to a multiple of LANES. */

#ifndef VECTOR_H
#define VECTOR_H

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t lane_int;
typedef uint32_t lane_bits;
#define MANTISSA 23
#define BIAS 127
#else
typedef double real;
typedef int64_t lane_int;
typedef uint64_t lane_bits;
#define MANTISSA 52
#define BIAS 1023
#endif

typedef real vector __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_int int_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_bits bits_vector __attribute__((vector_size(VECTOR_BYTES))); /* as unsigned numbers, which may overflow */

#define LANES ((int64_t)(sizeof(vector) / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))

INLINE vector broadcast(real value) { return value - (vector){0}; }

/* Lane by lane `yes` where the mask is all ones, `no` where it is zero. */
INLINE vector choose(int_vector mask, vector yes, vector no) {
    return (vector)((mask & (int_vector)yes) | (~mask & (int_vector)no));
}

INLINE vector load(const real *from) { return *(const vector *)from; }

INLINE void store(real *to, vector value) { *(vector *)to = value; }

#if defined(__AVX512F__) && REAL_BITS == 32
INLINE vector larger(vector a, vector b) { return (vector)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE real sum_of(vector a) { return _mm512_reduce_add_ps((__m512)a); }
INLINE real largest_of(vector a) { return _mm512_reduce_max_ps((__m512)a); }
INLINE vector load_first(const real *from, int64_t count, real beyond) {
    __mmask16 mask = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
    return (vector)_mm512_mask_loadu_ps(_mm512_set1_ps(beyond), mask, from);
}
INLINE void store_first(real *to, int64_t count, vector value) {
    _mm512_mask_storeu_ps(to, count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1), (__m512)value);
}
#else
INLINE vector larger(vector a, vector b) { return choose(a > b, a, b); }
INLINE real sum_of(vector a) {
    for (int64_t half = LANES / 2; half; half /= 2)
        for (int64_t lane = 0; lane < half; lane++) a[lane] += a[lane + half];
    return a[0];
}
INLINE real largest_of(vector a) {
    for (int64_t half = LANES / 2; half; half /= 2)
        for (int64_t lane = 0; lane < half; lane++) a[lane] = a[lane] > a[lane + half] ? a[lane] : a[lane + half];
    return a[0];
}
INLINE int64_t bytes_of(int64_t count) { return (count < 0 ? 0 : count < LANES ? count : LANES) * sizeof(real); }
/* The first `count` values (at most a vector, perhaps none) from unaligned memory. */
INLINE vector load_first(const real *from, int64_t count, real beyond) {
    vector value = broadcast(beyond);
    memcpy(&value, from, bytes_of(count));
    return value;
}
INLINE void store_first(real *to, int64_t count, vector value) {
    memcpy(to, &value, bytes_of(count));
}
#endif

/* The lanes whose mask is all ones, as bits: lane i is bit i. */
INLINE uint64_t lanes_of(int_vector mask) {
#if defined(__AVX512F__) && REAL_BITS == 32
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#else
    uint64_t bits = 0;
    for (int64_t lane = 0; lane < LANES; lane++) bits |= (uint64_t)(mask[lane] & 1) << lane;
    return bits;
#endif
}

/* exp(x) for x <= 0, to about one unit in the last place; 0 where the result would not be a normal number.

   x = n log 2 + r with an integer n and |r| <= log 2 / 2, so exp(x) = 2^n exp(r). The Taylor series of exp(r) ends
   where its next term is below rounding; log 2 is subtracted in two parts, which keeps the digits of r. */
INLINE vector exponential(vector x) {
    /* 1.5 * 2^MANTISSA: adding it rounds to an integer */
    const real magic = REAL_BITS == 32 ? 12582912.0f : 6755399441055744.0;
    const real high = REAL_BITS == 32 ? 0.693359375f : 0.693147180369123816490;
    const real low = REAL_BITS == 32 ? -2.12194440e-4f : 1.90821492927058770002e-10;
    const real lowest = REAL_BITS == 32 ? -87.0f : -708.0;
    int_vector representable = x > lowest;
    vector shifted = x * (real)1.44269504088896340736 + magic;
    vector n = shifted - magic;
    vector r = x - n * high - n * low;
    const int terms = REAL_BITS == 32 ? 7 : 13;
    vector sum = broadcast(1);
    for (int term = terms; term; term--) sum = 1 + sum * r * (real)(1.0 / term);
    bits_vector scaled = (bits_vector)sum + ((bits_vector)shifted << MANTISSA);
    return (vector)((int_vector)scaled & representable);
}

/* The integer k with 2^k <= x < 2^(k+1), for a normal x > 0. */
INLINE int64_t exponent_of(real x) {
    lane_int bits;
    memcpy(&bits, &x, sizeof bits);
    return (int64_t)(bits >> MANTISSA) - BIAS;
}

/* 2^k, for a k between -BIAS and BIAS. */
INLINE real power_of_two(int64_t k) {
    lane_int bits = (lane_int)(k + BIAS) << MANTISSA;
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
