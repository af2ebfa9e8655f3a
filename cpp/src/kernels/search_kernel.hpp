// What a search kernel must offer; see search_kernel.inc.
#pragma once

namespace factorec {

struct SearchKernels {
  int width = 0;  // floats in a vector
};

}  // namespace factorec
