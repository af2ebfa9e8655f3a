#include "factorec/cpu.hpp"
#include "kernels/kernels.hpp"

namespace factorec {

const Kernels& kernels() {
  switch (active_level()) {
#ifdef FACTOREC_X86
    case SimdLevel::avx512:
      return avx512::table;
    case SimdLevel::avx2:
      return avx2::table;
#endif
    default:
      return baseline::table;
  }
}

}  // namespace factorec
