#include "../../native/guard/holds.h"

#include <cerrno>

#include "check.h"
#include "fake_napi.h"

using memprobe::guard::Hold;
using memprobe::guard::Holds;

namespace {

std::unique_ptr<Hold> add_view(Holds& holds, uintptr_t start, uintptr_t end, fake::Buffer& buffer,
                               napi_env env = fake::env) {
  auto hold = holds.add({.start = start, .end = end, .thread = std::this_thread::get_id(), .env = env});
  napi_create_reference(env, buffer.value(), 1, &hold->view);
  return hold;
}

void pins() {
  Holds holds;
  const auto pin = holds.add({.start = 10, .end = 20});
  check::that(holds.obstacle(fake::env, 15, 16).number == EBUSY && holds.obstacle(fake::env, 0, 11).number == EBUSY);
  check::that(!holds.obstacle(fake::env, 0, 10) && !holds.obstacle(fake::env, 20, 30));
  holds.remove(*pin);
  check::that(!holds.obstacle(fake::env, 15, 16));
  holds.remove(*pin);
}

void views() {
  Holds holds;
  fake::Buffer buffer;
  const auto hold = add_view(holds, 10, 20, buffer);
  const auto obstacle = [&] { return holds.obstacle(fake::env, 0, 100); };
  const auto view = [&] { return holds.view_of(fake::env, 10, 20); };
  check::that(!obstacle() && fake::elsewhere(obstacle).number == EBUSY);
  check::that(view() == buffer.value() && fake::elsewhere(view) == nullptr);
  check::that(holds.view_of(fake::env, 10, 19) == nullptr);
  holds.detach(fake::env, 19, 25);
  check::that(buffer.detached && buffer.references == 0 && !hold->listed);
  check::that(!fake::elsewhere(obstacle) && view() == nullptr);
}

void moved() {
  Holds holds;
  fake::Buffer buffer;
  const auto hold = add_view(holds, 10, 20, buffer);
  buffer.detached = true;  // as ArrayBuffer.prototype.transfer leaves it
  check::that(holds.obstacle(fake::env, 10, 20).number == EBUSY);
  holds.remove(*hold);
  check::that(!holds.obstacle(fake::env, 10, 20));
}

void unfinished() {
  Holds holds;
  const auto hold = holds.add({.start = 10, .end = 20, .thread = std::this_thread::get_id(), .env = fake::env});
  check::that(holds.obstacle(fake::env, 10, 20).number == EBUSY && holds.view_of(fake::env, 10, 20) == nullptr);
  holds.remove(*hold);
}

void long_ones() {
  Holds holds;
  const auto wide = holds.add({.start = 100, .end = 10'000});
  const auto narrow = holds.add({.start = 200, .end = 201});
  check::that(holds.obstacle(fake::env, 9'999, 10'001).number == EBUSY);
  holds.remove(*wide);
  check::that(!holds.obstacle(fake::env, 9'999, 10'001) && holds.obstacle(fake::env, 200, 201).number == EBUSY);
  holds.remove(*narrow);
}

void several() {
  Holds holds;
  fake::Buffer a;
  fake::Buffer b;
  fake::Buffer far;
  const auto first = add_view(holds, 10, 20, a);
  const auto second = add_view(holds, 10, 20, b);
  const auto third = add_view(holds, 30, 40, far);
  holds.detach(fake::env, 0, 25);
  check::that(a.detached && b.detached && !far.detached);
  fake::elsewhere([&] { return holds.detach(fake::env, 30, 40), true; });
  check::that(!far.detached);
  holds.detach(fake::other, 30, 40);
  check::that(far.detached);
}

}  // namespace

void holds_tests() {
  check::fact("a pin is in the way of everybody", pins);
  check::fact("a view is in the way of other threads, and detached by its own", views);
  check::fact("a view that was moved away is in the way of its own thread too", moved);
  check::fact("a view in the making is in the way", unfinished);
  check::fact("a hold that begins far below is found", long_ones);
  check::fact("all views that overlap are detached, by either addon, and no other", several);
}
