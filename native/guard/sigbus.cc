#include "sigbus.h"

#include <csignal>
#include <sys/mman.h>

#include <mutex>

#include "owned.h"

namespace memprobe::guard::sigbus {
namespace {

struct sigaction previous;

// Taking the lock is safe here: the signal is raised by the very access that failed (si_code > 0), and nothing
// touches foreign memory while it holds the lock.
size_t unit_of(uintptr_t address) {
  const Lock lock(books().lock);
  return books().ranges.unit_at(address);
}

bool mend(const siginfo_t* info) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const size_t unit = info->si_code > 0 ? unit_of(address) : 0;
  if (unit == 0) return false;
  return mmap(reinterpret_cast<void*>(address & ~(unit - 1)), unit, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void pass_on(int number, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    // The default: the access is repeated without us and ends the process as it would have.
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    sigaction(SIGBUS, &fatal, nullptr);
    if (info->si_code <= 0) raise(SIGBUS);
  }
}

void handle(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  if (!mend(info)) pass_on(number, info, context);
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
    sigaction(SIGBUS, &ours, &previous);
  });
}

}  // namespace memprobe::guard::sigbus
