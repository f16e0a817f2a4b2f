#include "../../native/guard/shares.h"

#include <cstdlib>
#include <new>

#include "../../native/guard/check.h"
#include "check.h"
#include "fake_napi.h"
#include "memory.h"

namespace shares = memprobe::guard::shares;
using memprobe::guard::books;
using memprobe::guard::Lock;
using memprobe::guard::Hold;
using memprobe::guard::Pin;
using memprobe::guard::Range;

namespace {

// Of this thread: how many allocations succeed yet; less than 0: all.
thread_local int allowance = -1;

bool any_shared(const fake::Pages& pages) {
  const Lock lock(books().lock);
  for (const Range& part : books().ranges.within(pages.start(), pages.end())) {
    if (part.share != 0) return true;
  }
  return false;
}

// The middle one of three pages, with so much memory left: false where it was not enough.
bool created(const fake::Pages& pages, int allocations) {
  void* middle = static_cast<std::byte*>(pages.address()) + memprobe::guard::page_size();
  const std::string about(100, 'x');
  shares::Held held;
  allowance = allocations;
  try {
    held = shares::create(middle, memprobe::guard::page_size(), -1, about).value;
  } catch (const std::bad_alloc&) {
  }
  allowance = -1;
  if (held == nullptr) return false;
  check::that(any_shared(pages) && shares::counts().shares == 1);
  shares::let_go(fake::env, held);
  return true;
}

void out_of_memory() {
  int allocations = 0;
  for (bool done = false; !done; allocations++) {
    const fake::Pages pages(3);
    done = created(pages, allocations);
    check::that(!any_shared(pages) && shares::counts().shares == 0);
    check::that(done || fake::owned(pages.start(), pages.length()));
  }
  check::that(allocations > 3);
}

// The first of three pages, shared; its neighbours' books are cut there already.
shares::Held shared(const fake::Pages& pages) {
  return shares::create(pages.address(), memprobe::guard::page_size(), -1, std::string(100, 'x')).value;
}

void let_go_without_memory() {
  const fake::Pages pages(3);
  const shares::Held held = shared(pages);
  allowance = 0;
  shares::let_go(fake::env, held);
  allowance = -1;
  check::that(shares::counts().shares == 0 && !fake::owned(pages.start(), 1));
  check::that(fake::owned(pages.start() + memprobe::guard::page_size(), 1));
}

void waits_without_memory() {
  const fake::Pages pages(3);
  const shares::Held held = shared(pages);
  Pin pin;
  pin.hold(pages.start(), 1);
  allowance = 0;
  shares::let_go(fake::env, held);
  allowance = -1;
  check::that(shares::counts().orphans == 1 && any_shared(pages));
  allowance = 0;
  pin.release();
  allowance = -1;
  check::that(shares::counts().shares == 0 && shares::counts().orphans == 0 && !any_shared(pages));
}

// Its addresses stay reserved, so that nobody else gets them while a call may use the view.
void stale_without_memory() {
  const fake::Pages pages(3);
  const shares::Held held = shared(pages);
  fake::Buffer buffer;
  buffer.used = true;
  std::unique_ptr<Hold> hold;
  check::that(!begin_view(fake::env, pages.start(), 1, hold));
  name_view(fake::env, *hold, buffer.value(), true);
  allowance = 0;
  shares::let_go(fake::env, held);
  allowance = -1;
  check::that(buffer.detached && shares::counts().shares == 0);
  end_view(fake::env, std::move(hold));
  buffer.end_use();
  check::that(fake::is_mapped(pages.start()));
}

}  // namespace

void* operator new(size_t size) {
  if (allowance == 0) throw std::bad_alloc();
  if (allowance > 0) allowance--;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

void shares_tests() {
  check::fact("a share that there is no memory for leaves no trace", out_of_memory);
  check::fact("letting go needs no memory", let_go_without_memory);
  check::fact("nor does waiting for a call to end", waits_without_memory);
  check::fact("without memory for its remains a stale view keeps its addresses for good", stale_without_memory);
}
