#define FACTOREC_LEVEL avx2
#include "kernels/kernels.hpp"
#include "kernels/search_kernel.inc"
#include "kernels/training_kernel.inc"

namespace factorec::avx2 {
const Kernels table{search_kernels, training_kernels};
}
