#define FACTOREC_LEVEL avx2
#include "kernels/kernels.hpp"
#include "kernels/adam_kernel.inc"
#include "kernels/gibbs_kernel.inc"
#include "kernels/implicit_kernel.inc"
#include "kernels/metrics_kernel.inc"
#include "kernels/normal_kernel.inc"
#include "kernels/ranking_kernel.inc"
#include "kernels/scoring_kernel.inc"
#include "kernels/search_kernel.inc"
#include "kernels/training_kernel.inc"

namespace factorec::avx2 {
const Kernels table{gibbs_kernels, implicit_kernels, metrics_kernels, normal_kernels, scoring_kernels, search_kernels, training_kernels, adam_kernels, ranking_kernels};
}
