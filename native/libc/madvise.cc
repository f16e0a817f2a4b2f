// madvise(2), posix_madvise(3), process_madvise(2)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../topics.h"

namespace memprobe {
namespace {

// glibc makes POSIX_MADV_DONTNEED a no-op, so no posix advice can destroy anything; but what posix does not know it passes
// on to madvise as it is.
struct AdvisesInPosix : guard::Advises {
  bool enter(napi_env env, void* addr, size_t length, int advice) {
    return advice == POSIX_MADV_DONTNEED || Advises::enter(env, addr, length, advice);
  }
};

constexpr bind::Entry table[] = {
    FN(madvise, MinusOne, "addr length advice").guarded<guard::Advises>().blocking(),
    FN(posix_madvise, Returned, "addr length advice").guarded<AdvisesInPosix>().blocking(),
    SHAPE(process_madvise, ValueOrMinusOne, "pidfd ranges advice flags",
          [](int pidfd, const js::Ranges& ranges, int advice, unsigned flags) {
            return syscall(SYS_process_madvise, pidfd, ranges.data(), ranges.size(), advice, flags);
          })
        .since("Linux 5.10")
        .guarded<guard::Advises>()
        .blocking(),
};

constexpr bind::Constant constants[] = {
    CONST(MADV_NORMAL),          CONST(MADV_RANDOM),         CONST(MADV_SEQUENTIAL),
    CONST(MADV_WILLNEED),        CONST(MADV_DONTNEED),       CONST(MADV_FREE),
    CONST(MADV_REMOVE),          CONST(MADV_DONTFORK),       CONST(MADV_DOFORK),
    CONST(MADV_MERGEABLE),       CONST(MADV_UNMERGEABLE),    CONST(MADV_HUGEPAGE),
    CONST(MADV_NOHUGEPAGE),      CONST(MADV_DONTDUMP),       CONST(MADV_DODUMP),
    CONST(MADV_WIPEONFORK),      CONST(MADV_KEEPONFORK),     CONST(MADV_COLD),
    CONST(MADV_PAGEOUT),         CONST(MADV_POPULATE_READ),  CONST(MADV_POPULATE_WRITE),
    CONST(MADV_DONTNEED_LOCKED), CONST(MADV_COLLAPSE),       CONST(MADV_HWPOISON),
    CONST(MADV_SOFT_OFFLINE),    CONST(MADV_GUARD_INSTALL),  CONST(MADV_GUARD_REMOVE),
    CONST(POSIX_MADV_NORMAL),    CONST(POSIX_MADV_RANDOM),   CONST(POSIX_MADV_SEQUENTIAL),
    CONST(POSIX_MADV_WILLNEED),  CONST(POSIX_MADV_DONTNEED),
};

}  // namespace

const bind::Topic topic::madvise{"madvise", "sys/mman.h", table, constants};

}  // namespace memprobe
