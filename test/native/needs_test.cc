#include "../../native/guard/needs.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>

#include "check.h"
#include "fake_napi.h"
#include "memory.h"

using namespace memprobe::guard;

namespace {

constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

void mapped() {
  void* made = nullptr;
  {
    Maps need;
    check::that(need.enter(fake::env, nullptr, 1, kReadWrite, kPrivate, -1, 0));
    made = mmap(nullptr, 1, kReadWrite, kPrivate, -1, 0);
    check::that(need.leave(made, 0) == 0);
  }
  const auto start = reinterpret_cast<uintptr_t>(made);
  check::that(fake::owned(start, page_size()) && !fake::owned(start, page_size() + 1));
  Unmaps need;
  check::that(need.enter(fake::env, made, 1));
  munmap(made, 1);
  check::that(need.leave(0, 0) == 0 && !fake::owned(start, 1));
}

void foreign() {
  const fake::Pages theirs(1, false);
  Unmaps unmaps;
  check::that(!unmaps.enter(fake::env, theirs.address(), 1));
  check::that(unmaps.refusal().code == "ERR_MEMPROBE_NOT_OWNED");
  Protects protects;
  check::that(!protects.enter(fake::env, theirs.address(), 1, PROT_READ));
  Maps maps;
  check::that(!maps.enter(fake::env, theirs.address(), 1, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
  Advises advises;
  check::that(!advises.enter(fake::env, theirs.address(), 1, MADV_DONTNEED));
  Advises harmless;
  check::that(harmless.enter(fake::env, theirs.address(), 1, MADV_WILLNEED));
}

void failed() {
  const fake::Pages mine(1);
  {
    Unmaps need;
    check::that(need.enter(fake::env, mine.address(), mine.length()) && !fake::owned(mine.start(), 1));
    need.leave(-1, EINVAL);
  }
  check::that(fake::owned(mine.start(), mine.length()));
}

void freed() {
  void* block = std::malloc(32);
  Allocates().leave(block, 0);
  Frees once;
  check::that(once.enter(fake::env, block));
  Frees twice;
  check::that(!twice.enter(fake::env, block) && twice.refusal().code == "ERR_MEMPROBE_NOT_OWNED");
  std::free(block);
  Frees null;
  check::that(null.enter(fake::env, nullptr));
}

void protect() {
  const fake::Pages mine(1);
  {
    Protects need;
    check::that(need.enter(fake::env, mine.address(), mine.length(), PROT_NONE));
    need.leave(mprotect(mine.address(), mine.length(), PROT_NONE), 0);
  }
  std::unique_ptr<Hold> hold;
  check::that(begin_view(fake::env, mine.start(), 1, hold).number == EACCES);
}

}  // namespace

void needs_tests() {
  check::fact("what mmap made is owned in whole pages, until munmap", mapped);
  check::fact("foreign memory is refused to what can destroy", foreign);
  check::fact("a call that failed gives nothing away", failed);
  check::fact("a block is freed once", freed);
  check::fact("of protected memory there is no view", protect);
}
