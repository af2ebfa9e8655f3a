#include <chrono>
#include <thread>

#include "check.hpp"
#include "factorec/control.hpp"

using namespace factorec;

FACTOREC_TEST(control, without_a_question_it_never_stops) {
  Control control;
  CHECK(!control.stop());
  control.throw_if_stopped();
}

FACTOREC_TEST(control, only_the_owner_asks) {
  bool asked = false;
  Control control([&] { return asked = true; });
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  std::thread([&] { CHECK(!control.stop()); }).join();
  CHECK(!asked);
  CHECK(control.stop());
  CHECK(asked);
}

FACTOREC_TEST(control, a_stop_stays) {
  int asked = 0;
  Control control([&] { return ++asked > 0; });
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(control.stop());
  CHECK(control.stop());
  CHECK_EQUAL(asked, 1);
  CHECK_THROWS(Interrupted, control.throw_if_stopped(), "interrupted");
}

FACTOREC_TEST(control, it_asks_no_oftener_than_every_50_ms) {
  int asked = 0;
  Control control([&] { return ++asked < 0; });
  for (int i = 0; i < 1000; ++i) CHECK(!control.stop());
  CHECK(asked <= 1);
}
