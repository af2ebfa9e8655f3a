// A vector of floats as wide as the instruction set that the including file is compiled for. Only kernels
// include this, each inside its own namespace FACTOREC_LEVEL, and kernels use no standard-library templates:
// a weak symbol compiled here with wide instructions could be the one that the linker keeps for everybody.
#pragma once

#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef FACTOREC_LEVEL
#error "define FACTOREC_LEVEL before including a kernel"
#endif

namespace factorec::FACTOREC_LEVEL {

#if defined(__AVX512F__)

struct Floats {
  static constexpr int width = 16;
  __m512 v;

  static Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
  // The first n < width floats, then zeros; nothing beyond them is read.
  static Floats load_first(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)};
  }
  static Floats zero() { return {_mm512_setzero_ps()}; }
  static Floats all(float x) { return {_mm512_set1_ps(x)}; }
  // x in the first lane, zeros in the others.
  static Floats first(float x) { return {_mm512_zextps128_ps512(_mm_set_ss(x))}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  friend Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
  // a * b + c, rounded once.
  static Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
  static Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
  // One bit a lane: a >= b, false where either is NaN.
  static std::uint32_t ge(Floats a, Floats b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
  // x where a >= b, else 0.
  static Floats where_ge(Floats a, Floats b, Floats x) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ), x.v)};
  }
  static Floats abs(Floats a) { return {_mm512_abs_ps(a.v)}; }
  static Floats sqrt(Floats a) { return {_mm512_sqrt_ps(a.v)}; }
  // 2^n for n given as n + 1.5 * 2^23 (so that n stands in the low bits).
  static Floats exp2_of_shifted(Floats n) {
    return {_mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_castps_si512(n.v), _mm512_set1_epi32(127)), 23))};
  }
  float sum() const { return _mm512_reduce_add_ps(v); }
};

#elif defined(__AVX2__)

struct Floats {
  static constexpr int width = 8;
  __m256 v;

  static Floats load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Floats load_first(const float* p, int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane))};
  }
  static Floats zero() { return {_mm256_setzero_ps()}; }
  static Floats all(float x) { return {_mm256_set1_ps(x)}; }
  static Floats first(float x) { return {_mm256_zextps128_ps256(_mm_set_ss(x))}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  friend Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.v, b.v)}; }
  static Floats fma(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Floats min(Floats a, Floats b) { return {_mm256_min_ps(a.v, b.v)}; }
  static Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.v, b.v)}; }
  static std::uint32_t ge(Floats a, Floats b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)));
  }
  static Floats where_ge(Floats a, Floats b, Floats x) {
    return {_mm256_and_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ), x.v)};
  }
  static Floats abs(Floats a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  static Floats sqrt(Floats a) { return {_mm256_sqrt_ps(a.v)}; }
  static Floats exp2_of_shifted(Floats n) {
    return {_mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_castps_si256(n.v), _mm256_set1_epi32(127)), 23))};
  }
  float sum() const {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
};

#elif defined(__SSE2__)

struct Floats {
  static constexpr int width = 4;
  __m128 v;

  static Floats load(const float* p) { return {_mm_loadu_ps(p)}; }
  static Floats load_first(const float* p, int n) {
    return {_mm_setr_ps(n > 0 ? p[0] : 0.0f, n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f)};
  }
  static Floats zero() { return {_mm_setzero_ps()}; }
  static Floats all(float x) { return {_mm_set1_ps(x)}; }
  static Floats first(float x) { return {_mm_set_ss(x)}; }
  void store(float* p) const { _mm_storeu_ps(p, v); }
  friend Floats operator+(Floats a, Floats b) { return {_mm_add_ps(a.v, b.v)}; }
  friend Floats operator-(Floats a, Floats b) { return {_mm_sub_ps(a.v, b.v)}; }
  friend Floats operator*(Floats a, Floats b) { return {_mm_mul_ps(a.v, b.v)}; }
  friend Floats operator/(Floats a, Floats b) { return {_mm_div_ps(a.v, b.v)}; }
  // No fused instruction at this level: rounded twice, so its last bits may differ from the other levels'.
  static Floats fma(Floats a, Floats b, Floats c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
  static Floats min(Floats a, Floats b) { return {_mm_min_ps(a.v, b.v)}; }
  static Floats max(Floats a, Floats b) { return {_mm_max_ps(a.v, b.v)}; }
  static std::uint32_t ge(Floats a, Floats b) {
    return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmpge_ps(a.v, b.v)));
  }
  static Floats where_ge(Floats a, Floats b, Floats x) { return {_mm_and_ps(_mm_cmpge_ps(a.v, b.v), x.v)}; }
  static Floats abs(Floats a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
  static Floats sqrt(Floats a) { return {_mm_sqrt_ps(a.v)}; }
  static Floats exp2_of_shifted(Floats n) {
    return {_mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_castps_si128(n.v), _mm_set1_epi32(127)), 23))};
  }
  float sum() const {
    const __m128 half = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
};

#else  // any other CPU: four lanes that the compiler may put into whatever it has

struct Floats {
  static constexpr int width = 4;
  float v[4];

  static Floats load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static Floats load_first(const float* p, int n) {
    return {{n > 0 ? p[0] : 0.0f, n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f}};
  }
  static Floats zero() { return all(0.0f); }
  static Floats all(float x) { return {{x, x, x, x}}; }
  static Floats first(float x) { return {{x, 0.0f, 0.0f, 0.0f}}; }
  void store(float* p) const {
    for (int i = 0; i < 4; ++i) p[i] = v[i];
  }
  template <class Op>
  static Floats each(Op op) {
    return {{op(0), op(1), op(2), op(3)}};
  }
  friend Floats operator+(Floats a, Floats b) { return each([&](int i) { return a.v[i] + b.v[i]; }); }
  friend Floats operator-(Floats a, Floats b) { return each([&](int i) { return a.v[i] - b.v[i]; }); }
  friend Floats operator*(Floats a, Floats b) { return each([&](int i) { return a.v[i] * b.v[i]; }); }
  friend Floats operator/(Floats a, Floats b) { return each([&](int i) { return a.v[i] / b.v[i]; }); }
  static Floats fma(Floats a, Floats b, Floats c) {
    return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  static Floats min(Floats a, Floats b) { return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; }); }
  static Floats max(Floats a, Floats b) { return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
  static std::uint32_t ge(Floats a, Floats b) {
    std::uint32_t mask = 0;
    for (int i = 0; i < 4; ++i) mask |= static_cast<std::uint32_t>(a.v[i] >= b.v[i]) << i;
    return mask;
  }
  static Floats where_ge(Floats a, Floats b, Floats x) {
    return each([&](int i) { return a.v[i] >= b.v[i] ? x.v[i] : 0.0f; });
  }
  static Floats abs(Floats a) { return each([&](int i) { return __builtin_fabsf(a.v[i]); }); }
  static Floats sqrt(Floats a) { return each([&](int i) { return __builtin_sqrtf(a.v[i]); }); }
  static Floats exp2_of_shifted(Floats n) {
    return each([&](int i) {
      std::uint32_t bits = 0;
      __builtin_memcpy(&bits, &n.v[i], sizeof bits);
      bits = (bits + 127u) << 23;
      float power = 0;
      __builtin_memcpy(&power, &bits, sizeof power);
      return power;
    });
  }
  float sum() const { return (v[0] + v[2]) + (v[1] + v[3]); }
};

#endif

// One multiply-add, fused where `Floats::fma` is, so that scalar remainders round as the lanes do.
inline float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__AVX512F__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace factorec::FACTOREC_LEVEL
