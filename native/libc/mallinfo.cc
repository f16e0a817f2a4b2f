// mallinfo(3), mallinfo2(3), malloc_info(3), malloc_stats(3), malloc_trim(3), mallopt(3), malloc_get_state(3)
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "../topics.h"
#include "malloc_debug.h"

namespace memprobe {

using Mallinfo = struct mallinfo;
// Its own type, since mallinfo2 came with glibc 2.33.
struct Mallinfo2 {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

#define MALLINFO_FIELDS(S)                                                                                 \
  FIELD(S, arena), FIELD(S, ordblks), FIELD(S, smblks), FIELD(S, hblks), FIELD(S, hblkhd), FIELD(S, usmblks), \
      FIELD(S, fsmblks), FIELD(S, uordblks), FIELD(S, fordblks), FIELD(S, keepcost)

template <>
struct js::Fields<Mallinfo> {
  static constexpr std::tuple list{MALLINFO_FIELDS(Mallinfo)};
};
template <>
struct js::Fields<Mallinfo2> {
  static constexpr std::tuple list{MALLINFO_FIELDS(Mallinfo2)};
};

namespace {

// Deprecated since its ints overflow at 2 GiB; bound all the same, as it is.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Mallinfo mallinfo_as_ever() { return ::mallinfo(); }
#pragma GCC diagnostic pop

Result<Mallinfo2> mallinfo2_if_there() {
  static const auto function = reinterpret_cast<Mallinfo2 (*)()>(dlsym(RTLD_DEFAULT, "mallinfo2"));
  if (function == nullptr) return {.failure = fail(ENOSYS)};
  return {.value = function()};
}

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

Result<std::string> info_text(int options) {
  char* text = nullptr;
  size_t length = 0;
  std::unique_ptr<FILE, CloseFile> stream(open_memstream(&text, &length));
  if (!stream) return {.failure = fail(errno)};
  const int error = ::malloc_info(options, stream.get());
  stream.reset();
  const std::unique_ptr<char, decltype(&std::free)> owner(text, std::free);
  // EINVAL is returned, not set, and is positive.
  return error != 0 ? Result<std::string>{.failure = fail(error > 0 ? error : errno)}
                    : Result<std::string>{.value = std::string(text, length)};
}

// malloc_stats writes to the C library's `stderr`. That variable may be assigned, but other threads may be writing to
// it: so the stream put there lives for ever, and passes on to descriptor 2 whatever is not the printing thread's. Since
// malloc_stats has an arena locked while it writes, nothing here may allocate: the text goes into a memfd, and who prints
// is no thread_local, whose first use in a thread allocates.
struct Printing {
  std::atomic<pthread_t> thread{};
  int file = -1;  // the printing thread's own
};
Printing printing;

ssize_t capture(void*, const char* bytes, size_t length) {
  const int file = printing.thread == pthread_self() ? printing.file : STDERR_FILENO;
  const ssize_t written = write(file, bytes, length);
  return written == -1 ? 0 : written;  // fopencookie's way to say that it failed
}

FILE* capturing_stream() {
  static FILE* const stream = [] {
    FILE* made = fopencookie(nullptr, "w", {.read = nullptr, .write = capture, .seek = nullptr, .close = nullptr});
    if (made != nullptr) std::setvbuf(made, nullptr, _IONBF, 0);
    return made;
  }();
  return stream;
}

void print_stats(FILE* stream, int file) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  printing.file = file;
  printing.thread = pthread_self();
  FILE* before = std::exchange(stderr, stream);
  ::malloc_stats();
  stderr = before;
  printing.thread = pthread_t{};
}

Result<std::string> stats_text() {
  FILE* stream = capturing_stream();
  const int file = memfd_create("malloc_stats", MFD_CLOEXEC);
  const std::unique_ptr<FILE, CloseFile> owner(file == -1 ? nullptr : fdopen(file, "r"));
  if (stream == nullptr || !owner) return {.failure = fail(errno)};
  print_stats(stream, file);
  std::string text(static_cast<size_t>(lseek(file, 0, SEEK_CUR)), '\0');
  if (pread(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return {.failure = fail(EIO)};
  return {.value = std::move(text)};
}

// Both are left in libc_malloc_debug.so.0 alone, for old Emacs binaries.
Result<void*> saved_state() {
  const auto function = reinterpret_cast<void* (*)()>(malloc_debug::symbol("malloc_get_state"));
  if (function == nullptr) return {.failure = malloc_debug::inactive()};
  void* state = function();
  return {.value = state, .failure = fail(state == nullptr ? errno : 0)};
}

Result<int> restore_state(void* state) {
  const auto function = reinterpret_cast<int (*)(void*)>(malloc_debug::symbol("malloc_set_state"));
  if (function == nullptr) return {.failure = malloc_debug::inactive()};
  if (state == nullptr) return {.failure = fail(EINVAL)};  // glibc reads it unasked
  return {.value = function(state)};
}

constexpr bind::Entry table[] = {
    SHAPE(mallinfo, Never, "", [] { return mallinfo_as_ever(); }),
    SHAPE(mallinfo2, Told, "", [] { return mallinfo2_if_there(); }).since("glibc 2.33"),
    SHAPE(malloc_info, Told, "options", [](int options) { return info_text(options); }).blocking(),
    SHAPE(malloc_stats, Told, "", [] { return stats_text(); }).blocking(),
    FN(malloc_trim, Never, "pad").blocking(),
    FN(mallopt, Never, "param value"),
    SHAPE(malloc_get_state, Told, "", [] { return saved_state(); }),
    SHAPE(malloc_set_state, Told, "ptr", [](void* ptr) { return restore_state(ptr); }).guarded<guard::KnowsBlock>(),
};

constexpr bind::Constant constants[] = {
    CONST(M_MXFAST),       CONST(M_NLBLKS),         CONST(M_GRAIN),          CONST(M_KEEP),
    CONST(M_TRIM_THRESHOLD), CONST(M_TOP_PAD),      CONST(M_MMAP_THRESHOLD), CONST(M_MMAP_MAX),
    CONST(M_CHECK_ACTION), CONST(M_PERTURB),        CONST(M_ARENA_TEST),     CONST(M_ARENA_MAX),
};

}  // namespace

const bind::Topic topic::mallinfo{"mallinfo", "malloc.h", table, constants};

}  // namespace memprobe
