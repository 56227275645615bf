// A check with failures of every kind, which must be reported, and comparisons that hold, which must not.
#include <cmath>

#include "native/check.h"

YOLOX_CHECK(failing) {
  checker.expect_near("near", {1, 2, 3}, {1, 2.1f, 3});
  checker.expect_near("lengths", {1, 2}, {1});
  checker.expect_near("one NaN", {NAN}, {0});
  checker.expect_equal("equal", {0, 1}, {0, 1.0000001f});
  checker.expect("a condition", false);
}

YOLOX_CHECK(holding) {
  checker.expect_near("near", {1, 1e6f, 0}, {1.000001f, 1e6f + 1, 1e-7f});
  checker.expect_near("not numbers", {NAN, INFINITY}, {NAN, INFINITY});
  checker.expect_equal("equal", {0, NAN}, {-0.f, NAN});
  checker.expect("a condition", true);
  checker.expect("values of the range", checker.uniform(5, 2, 3).size() == 5);
  int64_t sum = 0;
  std::vector<int64_t> seen(1000);
  checker.parallel_for()(1000, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) seen[i] += i;
  });
  for (int64_t each : seen) sum += each;
  checker.expect("every index once", sum == 999 * 1000 / 2);
}
