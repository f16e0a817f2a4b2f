// mtrace(3)
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "../preload/trace_log.h"
#include "../topics.h"
#include "hooks.h"
#include "malloc_debug.h"

namespace memprobe {

namespace {

using Function = void (*)();
using Done = Result<bind::Void>;

std::mutex one_at_a_time;
std::atomic<bool> tracing = false;
std::atomic<bool> ended = false;  // a trace that the preloaded mtrace.c had begun, among others

bool traced_from_start() {
  static const auto* flag = static_cast<const int*>(dlsym(RTLD_DEFAULT, "memprobe_traced_from_start"));
  return flag != nullptr && *flag != 0 && !ended;
}

Function function(const char* name) { return reinterpret_cast<Function>(malloc_debug::symbol(name)); }

Failure busy(const char* why) { return fail("ERR_MEMPROBE_BUSY", why); }

Failure obstacle() {
  if (Failure inactive = malloc_debug::inactive()) return inactive;
  if (malloc_debug::traced()) return busy("mtrace is writing a log already; muntrace() ends that one");
  if (hooks::running())
    return busy("the hooks are started, and nothing would reach the log; hooks.stop() first");
  if (!malloc_debug::mcheck_is_on()) return {};
  return busy(
      "mcheck is on, under which glibc logs other addresses for frees than for allocations; start the "
      "program "
      "with 'memprobe run --malloc-debug' alone");
}

Failure why_not(int error) {
  switch (error) {
    case 0:
      return {};
    case EAGAIN:
      return busy("mtrace did nothing: someone else in this process has it write a log already");
    case ELOOP:
      return fail("ERR_MEMPROBE_BAD_FILE", "it is a symbolic link; name the file itself");
    case EINVAL:
      return fail("ERR_MEMPROBE_BAD_FILE", "only a regular file with a single name can take the log");
    default:
      return fail(error);
  }
}

Done start(const char* path) {
  const std::lock_guard lock(one_at_a_time);
  if (Failure failure = obstacle()) return {.failure = std::move(failure)};
  const int error = memprobe_start_trace(function("mtrace"), path);
  tracing = error == 0;
  return {.failure = why_not(error)};
}

// muntrace closes the log while other threads may be about to write to it. They are led past it first, and
// given the time to come out: a line takes microseconds.
Done stop() {
  constexpr auto grace = std::chrono::milliseconds(20);
  const std::lock_guard lock(one_at_a_time);
  if (Failure inactive = malloc_debug::inactive()) return {.failure = std::move(inactive)};
  const malloc_debug::Detour detour;
  std::this_thread::sleep_for(grace);
  function("muntrace")();
  tracing = false;
  ended = true;
  return {};
}

constexpr bind::Entry table[] = {
    SHAPE(mtrace, Told, "path", [](const char* path) { return start(path); }),
    SHAPE(muntrace, Told, "", [] { return stop(); }).blocking(),
};

}  // namespace

bool malloc_debug::traced() { return tracing || traced_from_start(); }

const bind::Topic topic::mtrace{"mtrace", "mcheck.h", table};

}  // namespace memprobe
