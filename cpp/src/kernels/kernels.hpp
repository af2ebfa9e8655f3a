// The table of kernels: one per instruction set, filled by baseline.cpp, avx2.cpp and avx512.cpp from the same
// `.inc` files (avx512_vnni.cpp adds what that level has besides), chosen once per call by `kernels()`.
#pragma once

#include "kernels/adam_kernel.hpp"
#include "kernels/codes_kernel.hpp"
#include "kernels/gibbs_kernel.hpp"
#include "kernels/implicit_kernel.hpp"
#include "kernels/metrics_kernel.hpp"
#include "kernels/normal_kernel.hpp"
#include "kernels/ranking_kernel.hpp"
#include "kernels/scoring_kernel.hpp"
#include "kernels/search_kernel.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

struct Kernels {
  GibbsKernels gibbs;
  ImplicitKernels implicit;
  MetricsKernels metrics;
  NormalKernels normal;
  ScoringKernels scoring;
  SearchKernels search;
  TrainingKernels training;
  AdamKernels adam;
  RankingKernels ranking;
  const CodesKernels* codes = nullptr;  // null where the level has none
};

// The table of the active SIMD level.
const Kernels& kernels();

namespace baseline {
extern const Kernels table;
}
#ifdef FACTOREC_X86
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace avx512_vnni {
extern const CodesKernels codes_table;  // the rest is that of avx512
}
#endif

}  // namespace factorec
