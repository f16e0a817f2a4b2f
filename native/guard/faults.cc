#include "faults.h"

#include <csignal>
#include <sys/mman.h>

#include <algorithm>
#include <mutex>

#include "advice.h"
#include "owned.h"

namespace memprobe::guard::faults {
namespace {

constexpr int kZeroes = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

struct sigaction previous_bus;
struct sigaction previous_segv;

Gap page_at(uintptr_t address) {
  const uintptr_t start = address & ~(page_size() - 1);
  return {start, start + page_size()};
}

bool put_zeroes(uintptr_t start, size_t length) {
  return mmap(reinterpret_cast<void*>(start), length, kReadWrite, kZeroes | MAP_FIXED, -1, 0) != MAP_FAILED;
}

// The handlers take the guard's lock, allocate nothing and call nothing but the kernel. That is safe because the signal
// is raised by the very access that failed (si_code > 0) and the guard touches no mapped memory under its lock; should
// that access be the guard's own all the same, the signal is passed on.
bool mend_missing(uintptr_t address) {
  const Lock lock(books().lock);
  Gap gap = books().ranges.mark_faulted(address);
  if (gap.end == 0 && books().holds.stale_in(address, address + 1)) gap = page_at(address);
  if (gap.end == 0) return false;
  if (put_zeroes(gap.start, gap.end - gap.start)) return true;
  // Where the kernel does not overcommit there may be room for a page, and none for all that is missing.
  return put_zeroes(gap.start, std::max(books().ranges.unit_at(address), page_size()));
}

bool mend_forbidden(uintptr_t address) {
  const Lock lock(books().lock);
  if (!books().holds.stale_in(address, address + 1)) return false;
  const size_t unit = std::max(books().ranges.unit_at(address), page_size());
  void* page = reinterpret_cast<void*>(address & ~(unit - 1));
  madvise(page, unit, MADV_GUARD_REMOVE);
  return mprotect(page, unit, kReadWrite) == 0 ||
         mmap(page, unit, kReadWrite, kZeroes | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
}

void pass_on(int number, siginfo_t* info, void* context, const struct sigaction& previous) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    // The default: the access is repeated without us and ends the process as it would have.
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    sigaction(number, &fatal, nullptr);
    if (info->si_code <= 0) raise(number);
  }
}

void handle(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const bool ours = info->si_code > 0 && !books().lock.mine() &&
                    (number == SIGBUS ? mend_missing(address) : mend_forbidden(address));
  if (!ours) pass_on(number, info, context, number == SIGBUS ? previous_bus : previous_segv);
  errno = saved;
}

}  // namespace

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction ours = {};
    ours.sa_sigaction = handle;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    // What was there before must be known before the first signal comes.
    sigaction(SIGBUS, nullptr, &previous_bus);
    sigaction(SIGSEGV, nullptr, &previous_segv);
    sigaction(SIGBUS, &ours, nullptr);
    sigaction(SIGSEGV, &ours, nullptr);
  });
}

}  // namespace memprobe::guard::faults
