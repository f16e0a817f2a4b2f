// mallinfo(3), mallinfo2(3), malloc_info(3), malloc_stats(3), malloc_trim(3), mallopt(3)
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "../topics.h"

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
// it: so the stream put there lives for ever, and passes on to descriptor 2 whatever is not this thread's.
thread_local std::string* captured = nullptr;

ssize_t capture(void*, const char* bytes, size_t length) {
  if (captured == nullptr) return write(STDERR_FILENO, bytes, length);
  captured->append(bytes, length);
  return static_cast<ssize_t>(length);
}

FILE* capturing_stream() {
  static FILE* const stream = [] {
    FILE* made = fopencookie(nullptr, "w", {.read = nullptr, .write = capture, .seek = nullptr, .close = nullptr});
    if (made != nullptr) std::setvbuf(made, nullptr, _IONBF, 0);
    return made;
  }();
  return stream;
}

Result<std::string> stats_text() {
  static std::mutex one_at_a_time;
  FILE* stream = capturing_stream();
  if (stream == nullptr) return {.failure = fail(errno)};
  Result<std::string> result;
  const std::lock_guard lock(one_at_a_time);
  captured = &result.value;
  FILE* before = std::exchange(stderr, stream);
  ::malloc_stats();
  stderr = before;
  captured = nullptr;
  return result;
}

constexpr bind::Entry table[] = {
    SHAPE(mallinfo, Never, "", [] { return mallinfo_as_ever(); }),
    SHAPE(mallinfo2, Told, "", [] { return mallinfo2_if_there(); }).since("glibc 2.33"),
    SHAPE(malloc_info, Told, "options", [](int options) { return info_text(options); }).blocking(),
    SHAPE(malloc_stats, Told, "", [] { return stats_text(); }).blocking(),
    FN(malloc_trim, Never, "pad").blocking(),
    FN(mallopt, Never, "param value"),
};

constexpr bind::Constant constants[] = {
    CONST(M_MXFAST),       CONST(M_NLBLKS),         CONST(M_GRAIN),          CONST(M_KEEP),
    CONST(M_TRIM_THRESHOLD), CONST(M_TOP_PAD),      CONST(M_MMAP_THRESHOLD), CONST(M_MMAP_MAX),
    CONST(M_CHECK_ACTION), CONST(M_PERTURB),        CONST(M_ARENA_TEST),     CONST(M_ARENA_MAX),
};

}  // namespace

const bind::Topic topic::mallinfo{"mallinfo", table, constants};

}  // namespace memprobe
