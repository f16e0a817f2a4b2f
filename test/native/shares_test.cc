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

}  // namespace

void* operator new(size_t size) {
  if (allowance == 0) throw std::bad_alloc();
  if (allowance > 0) allowance--;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

void shares_tests() { check::fact("a share that there is no memory for leaves no trace", out_of_memory); }
