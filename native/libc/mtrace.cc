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

Function function(const char* name) { return reinterpret_cast<Function>(malloc_debug::symbol(name)); }

// The stream that glibc writes its lines to. Its muntrace would free it at once, and let a thread that is in
// the midst of a line, or on its way to one, write to what is gone. So it is never closed: when a trace ends,
// /dev/null takes the place of its file, and the next trace's file takes that one's.
class Stream {
 public:
  explicit Stream(int fd) { take(fd); }

  void take(int fd) {
    fd_ = fd;
    known_ = {};
    if (fd_ != -1 && fstat(fd_, &known_) != 0) fd_ = -1;
  }

  // Others in this process may have closed it, and opened something else.
  bool is_there() const {
    struct stat now {};
    return fd_ != -1 && fstat(fd_, &now) == 0 && now.st_dev == known_.st_dev && now.st_ino == known_.st_ino;
  }

  int copy() const { return fcntl(fd_, F_DUPFD_CLOEXEC, 0); }

  // What is buffered still goes to the old file; a line under way is waited for.
  bool lead_to(int file) {
    fflush(nullptr);
    if (dup3(file, fd_, O_CLOEXEC) == -1) return false;
    take(fd_);
    return true;
  }

 private:
  int fd_ = -1;
  struct stat known_ {};
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ != -1) close(fd_);
  }
  operator int() const { return fd_; }

 private:
  int fd_;
};

int from_start() {
  static const auto* fd = static_cast<const int*>(dlsym(RTLD_DEFAULT, "memprobe_trace_from_start"));
  return fd == nullptr ? -1 : *fd;
}

std::mutex one_at_a_time;

Stream& stream() {
  static Stream found(from_start());
  return found;
}

std::atomic<bool>& tracing() {
  static std::atomic<bool> on = from_start() != -1;
  return on;
}

Failure busy(const char* why) { return fail("ERR_MEMPROBE_BUSY", why); }

Failure obstacle() {
  if (Failure inactive = malloc_debug::inactive()) return inactive;
  if (tracing()) return busy("mtrace is writing a log already; muntrace() ends that one");
  if (hooks::running())
    return busy("the hooks are started, and nothing would reach the log; hooks.stop() first");
  if (!malloc_debug::mcheck_is_on()) return {};
  return busy(
      "mcheck is on, under which glibc logs other addresses for frees than for allocations; start the "
      "program with 'memprobe run --malloc-debug' alone");
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

int begin(const char* path) {
  int fd = -1;
  const int error = memprobe_start_trace(function("mtrace"), path, &fd);
  stream().take(fd);
  malloc_debug::stay_loaded();
  return error;
}

int begin_again(const char* path) {
  constexpr std::string_view first = "= Start\n";
  const Descriptor log(memprobe_open_log(path));
  if (log == -1 || ftruncate(log, 0) != 0 || write(log, first.data(), first.size()) == -1) return errno;
  if (!stream().lead_to(log)) return errno;
  hooks::bypass(false);
  return 0;
}

Done start(const char* path) {
  const std::lock_guard lock(one_at_a_time);
  if (Failure failure = obstacle()) return {.failure = std::move(failure)};
  const int error = stream().is_there() ? begin_again(path) : begin(path);
  tracing() = error == 0;
  return {.failure = why_not(error)};
}

// Where allocation can't be led past the tracer, under MALLOC_CHECK_, its lines go on into /dev/null.
Failure end() {
  constexpr std::string_view last = "= End\n";
  const Descriptor log(stream().copy());
  const Descriptor nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (log == -1 || nowhere == -1) return fail(errno);
  hooks::bypass(true);
  tracing() = false;
  if (!stream().lead_to(nowhere) || write(log, last.data(), last.size()) == -1) return fail(errno);
  return {};
}

// A log that C code has begun: its stream is not known, so the best that can be done is to lead other threads
// past it and give them time to come out. A line takes microseconds.
void end_of_others() {
  constexpr auto grace = std::chrono::milliseconds(20);
  hooks::bypass(true);
  std::this_thread::sleep_for(grace);
  function("muntrace")();
  hooks::bypass(false);
}

Done stop() {
  const std::lock_guard lock(one_at_a_time);
  if (Failure inactive = malloc_debug::inactive()) return {.failure = std::move(inactive)};
  const bool ours = stream().is_there();
  if (ours && tracing()) return {.failure = end()};
  tracing() = false;
  if (!ours) end_of_others();
  return {};
}

constexpr bind::Entry table[] = {
    SHAPE(mtrace, Told, "path", [](const char* path) { return start(path); }),
    SHAPE(muntrace, Told, "", [] { return stop(); }).blocking(),
};

}  // namespace

bool malloc_debug::traced() { return tracing(); }

const bind::Topic topic::mtrace{"mtrace", "mcheck.h", table};

}  // namespace memprobe
