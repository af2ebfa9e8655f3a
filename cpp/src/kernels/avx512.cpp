#define FACTOREC_LEVEL avx512
#include "kernels/kernels.hpp"
#include "kernels/search_kernel.inc"
#include "kernels/training_kernel.inc"

namespace factorec::avx512 {
const Kernels table{search_kernels, training_kernels};
}
