// mlock(2), mlock2(2), munlock(2), mlockall(2), munlockall(2)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../topics.h"

namespace memprobe {
namespace {

constexpr bind::Entry table[] = {
    FN(mlock, MinusOne, "addr length").guarded<guard::Locks>().blocking(),
    SHAPE(mlock2, MinusOne, "addr length flags",
          [](void* addr, size_t length, unsigned flags) { return syscall(SYS_mlock2, addr, length, flags); })
        .since("Linux 4.4")
        .guarded<guard::Locks>()
        .blocking(),
    FN(munlock, MinusOne, "addr length").blocking(),
    FN(mlockall, MinusOne, "flags").guarded<guard::LocksAll>().blocking(),
    FN(munlockall, MinusOne, "").blocking(),
};

constexpr bind::Constant constants[] = {
    CONST(MCL_CURRENT),
    CONST(MCL_FUTURE),
    CONST(MCL_ONFAULT),
    CONST(MLOCK_ONFAULT),
};

}  // namespace

const bind::Topic topic::mlock{"mlock", "sys/mman.h", table, constants};

}  // namespace memprobe
