#include "factorec/cpu.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
#ifdef FACTOREC_X86
namespace {

const Kernels& vnni_table() {
  static const Kernels table = [] {
    Kernels kernels = avx512::table;
    kernels.codes = &avx512_vnni::codes_table;
    return kernels;
  }();
  return table;
}

}  // namespace
#endif

const Kernels& kernels() {
  switch (active_level()) {
#ifdef FACTOREC_X86
    case SimdLevel::avx512_vnni:
      return vnni_table();
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
