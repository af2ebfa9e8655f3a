#define FACTOREC_LEVEL avx512_vnni
#include "kernels/codes_kernel.inc"
#include "kernels/kernels.hpp"

namespace factorec::avx512_vnni {
const CodesKernels codes_table = codes_kernels;
}
