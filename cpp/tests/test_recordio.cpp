#include "check.hpp"
#include "factorec/recordio.hpp"
FACTOREC_TEST(recordio, empty) { CHECK_EQUAL(factorec::record_starts({}, 5, true, {}).size(), 1u); }
