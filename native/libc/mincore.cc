// mincore(2), cachestat(2)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "../topics.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451  // Linux 6.5
#endif

namespace memprobe {

// linux/mman.h since 6.5
struct cachestat_range {
  uint64_t off;
  uint64_t len;
};
struct cachestat {
  uint64_t nr_cache;
  uint64_t nr_dirty;
  uint64_t nr_writeback;
  uint64_t nr_evicted;
  uint64_t nr_recently_evicted;
};

template <>
struct js::Fields<cachestat> {
  static constexpr std::tuple list{FIELD(cachestat, nr_cache), FIELD(cachestat, nr_dirty),
                                   FIELD(cachestat, nr_writeback), FIELD(cachestat, nr_evicted),
                                   FIELD(cachestat, nr_recently_evicted)};
};

namespace {

// Asked in pieces: the vector grows only as far as the kernel has found memory, so an absurd length costs nothing.
constexpr size_t kPiecePages = size_t{1} << 18;

// The vector must fit into Node 20's longest Uint8Array. The kernel speaks first: of the last page it says what it would
// of a hole before.
constexpr size_t kMostPages = size_t{1} << 32;

Failure too_long(void* addr, size_t last, size_t length) {
  uint8_t resident = 0;
  if (::mincore(static_cast<std::byte*>(addr) + last, 1, &resident) == -1) return fail(errno);
  return fail("ERR_OUT_OF_RANGE", "The value of \"length\" is out of range. It must be at most 16 TiB. Received " +
                                      std::to_string(length));
}

Result<js::Filled> residency(void* addr, size_t length, js::Room vec) {
  const size_t page = guard::page_size();
  const size_t pages = length / page + (length % page != 0 ? 1 : 0);
  if (pages > kMostPages) return {.failure = too_long(addr, (pages - 1) * page, length)};
  Result<js::Filled> result{.value = {.argument = 2}};
  auto& bytes = result.value.bytes;
  do {
    const size_t piece = std::min(pages - bytes.size(), kPiecePages);
    const size_t done = bytes.size();
    bytes.resize(done + piece);
    if (::mincore(static_cast<std::byte*>(addr) + done * page, piece * page, bytes.data() + done) == -1) {
      return {.failure = fail(errno)};
    }
  } while (bytes.size() < pages);
  if (vec.given && vec.length < pages) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"vec\" is out of range. It must have a byte for each of " +
                                                    std::to_string(pages) + " pages. Received " +
                                                    std::to_string(vec.length))};
  }
  return result;
}

constexpr bind::Entry table[] = {
    SHAPE(mincore, Told, "addr length vec",
          [](void* addr, size_t length, js::Room vec) { return residency(addr, length, vec); })
        .blocking(),
    SHAPE(cachestat, Told, "fd offset length flags",
          [](int fd, size_t offset, size_t length, std::optional<unsigned> flags) {
            cachestat_range range{offset, length};
            Result<struct cachestat> result;
            if (syscall(SYS_cachestat, fd, &range, &result.value, flags.value_or(0)) == -1) {
              result.failure = fail(errno);
            }
            return result;
          })
        .since("Linux 6.5")
        .blocking(),
};

}  // namespace

const bind::Topic topic::mincore{"mincore", "sys/mman.h", table};

}  // namespace memprobe
