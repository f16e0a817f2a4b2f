#include "../../native/guard/needs.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>

#include "../../native/guard/check.h"
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

// As a promised call of a thread that ends meanwhile is: entered, and dropped.
template <class Need, class... A>
void drop(const A&... arguments) {
  Visit<Need, int> visit;
  check::that(visit.enter(fake::env, arguments...));
}

void never_run() {
  const fake::Pages mine(3);
  drop<Protects>(mine.address(), mine.length(), PROT_NONE);
  drop<Advises>(mine.address(), mine.length(), MADV_GUARD_INSTALL);
  drop<Unmaps>(mine.address(), mine.length());
  check::that(fake::owned(mine.start(), mine.length()) && counts().pins == 0);
  std::unique_ptr<Hold> hold;
  check::that(!begin_view(fake::env, mine.start(), mine.length(), hold));
  end_view(fake::env, std::move(hold));
}

void not_reallocated() {
  void* block = std::malloc(32);
  check::that(blocks::add(block));
  std::unique_ptr<Hold> hold;
  check::that(!begin_view(fake::env, reinterpret_cast<uintptr_t>(block), 32, hold));
  end_view(fake::env, std::move(hold));
  Reallocates need;
  check::that(need.enter(fake::env, block, size_t{1} << 46));
  need.leave({}, ENOMEM);
  // Whoever frees it looks for views first.
  check::that(blocks::claim(block) == blocks::Claim::Attended);
  blocks::remove(block);
  std::free(block);
  Reallocates none;
  check::that(none.enter(fake::env, nullptr, size_t{1} << 46) && none.leave({}, ENOMEM) == 0);
}

void not_recordable() {
  void* block = std::malloc(32);
  check::that(blocks::add(block));
  void* const far_away = reinterpret_cast<void*>(uintptr_t{0x98000} << blocks::kLeafBits);
  Reallocates need;
  bool entered = true;
  {
    const fake::NoRoom limit;
    blocks::add(far_away);  // uses the spare leaf up
    blocks::remove(far_away);
    entered = need.enter(fake::env, block, size_t{64});
  }
  check::that(!entered && need.refusal().number == ENOMEM);
  check::that(blocks::claim(block) == blocks::Claim::Taken);
  std::free(block);
}

void locked() {
  const fake::Pages mine(2);
  const fake::Pages theirs(1, false);
  void* block = std::malloc(32);
  blocks::add(block);
  const auto locks = [](void* address, size_t length) { return Locks().enter(fake::env, address, length); };
  check::that(locks(mine.address(), mine.length()) && locks(block, 32) && locks(nullptr, page_size()));
  check::that(!locks(theirs.address(), 1) && !locks(mine.address(), size_t{1} << 47));
  check::that(locks(mine.address(), SIZE_MAX) && locks(theirs.address(), 0));
  blocks::remove(block);
  std::free(block);
}

}  // namespace

void needs_tests() {
  check::fact("what mmap made is owned in whole pages, until munmap", mapped);
  check::fact("foreign memory is refused to what can destroy", foreign);
  check::fact("a call that failed gives nothing away", failed);
  check::fact("a block is freed once", freed);
  check::fact("of protected memory there is no view", protect);
  check::fact("a call that never ran leaves everything as it was", never_run);
  check::fact("a block that was not reallocated is attended to as before", not_reallocated);
  check::fact("a block whose new place might not be recorded is not reallocated", not_recordable);
  check::fact("ours is locked, others' anonymous memory is not", locked);
}
