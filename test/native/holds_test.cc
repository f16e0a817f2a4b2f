#include "../../native/guard/holds.h"

#include <cerrno>

#include "check.h"
#include "fake_napi.h"

using memprobe::guard::Hold;
using memprobe::guard::Holds;

namespace {

const std::thread::id kElsewhere;

std::unique_ptr<Hold> add_view(Holds& holds, uintptr_t start, uintptr_t end, fake::Buffer& buffer,
                               std::thread::id thread = std::this_thread::get_id()) {
  auto hold = holds.add({.start = start, .end = end, .thread = thread, .env = fake::env});
  napi_create_reference(fake::env, buffer.value(), 1, &hold->view);
  hold->kept = true;
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
  check::that(!holds.obstacle(fake::env, 0, 100));
  check::that(holds.view_of(fake::env, 10, 20) == buffer.value());
  check::that(holds.view_of(fake::env, 10, 19) == nullptr);
  holds.detach(fake::env, 19, 25);
  check::that(buffer.detached && buffer.references == 0 && hold->stale);
  check::that(!holds.obstacle(fake::env, 0, 100) && holds.view_of(fake::env, 10, 20) == nullptr);
}

void elsewhere() {
  Holds holds;
  fake::Buffer buffer;
  const auto hold = add_view(holds, 10, 20, buffer, kElsewhere);
  check::that(holds.obstacle(fake::env, 0, 100).number == EBUSY);
  holds.detach(fake::env, 0, 100);
  check::that(!buffer.detached && !holds.stale_in(0, 100));
}

void stale() {
  Holds holds;
  fake::Buffer buffer;
  const auto hold = add_view(holds, 10, 20, buffer);
  check::that(!holds.stale_in(10, 20));
  holds.detach(fake::env, 10, 11);
  check::that(holds.stale_in(19, 20) && !holds.stale_in(20, 30));
  check::that(holds.counts().stale == 1 && holds.counts().views == 0 && holds.counts().pins == 0);
  holds.remove(*hold);
  check::that(!holds.stale_in(10, 20));
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
  const auto hold = holds.add({.start = 10, .end = 20, .env = fake::env});
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
  napi_delete_reference(fake::env, third->view);
  holds.remove(*third);
}

}  // namespace

void holds_tests() {
  check::fact("a pin is in the way of everybody", pins);
  check::fact("a view is detached by its own thread", views);
  check::fact("a view of another thread's is in the way, and not detached", elsewhere);
  check::fact("a detached view is stale until it is removed", stale);
  check::fact("a view that was moved away is in the way of its own thread too", moved);
  check::fact("a view in the making is in the way", unfinished);
  check::fact("a hold that begins far below is found", long_ones);
  check::fact("all views that overlap are detached, and no other", several);
}
