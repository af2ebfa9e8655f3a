// What a training kernel must offer; see training_kernel.inc.
#pragma once

namespace factorec {

struct TrainingKernels {
  int width = 0;  // floats in a vector
};

}  // namespace factorec
