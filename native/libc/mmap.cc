// mmap(2), munmap(2), mremap(2), mprotect(2), msync(2), memfd_create(2), mseal(2)
#include <linux/memfd.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../topics.h"

#ifndef SYS_mseal
#define SYS_mseal 462  // Linux 6.10
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08  // Linux 6.11
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3
#define MFD_EXEC 0x0010U         // Linux 6.3
#endif

namespace memprobe {
namespace {

constexpr bind::Entry table[] = {
    FN(mmap, MapFailed, "addr length prot flags fd offset").guarded<guard::Maps>().blocking(),
    SHAPE(munmap, MinusOne, "addr length", [](void* addr, size_t length) { return guard::unmap(addr, length); })
        .guarded<guard::Unmaps>()
        .blocking(),
    // The kernel reads a fifth argument with MREMAP_DONTUNMAP too; absent, it is 0 as in C.
    SHAPE(mremap, MapFailed, "oldAddr oldSize newSize flags newAddr",
          [](void* old, size_t old_size, size_t new_size, int flags, std::optional<void*> new_addr) {
            return ::mremap(old, old_size, new_size, flags, new_addr.value_or(nullptr));
          })
        .guarded<guard::Remaps>()
        .blocking(),
    FN(mprotect, MinusOne, "addr length prot").guarded<guard::Protects>().blocking(),
    FN(msync, MinusOne, "addr length flags").blocking(),
    FN(memfd_create, ValueOrMinusOne, "name flags"),
    SHAPE(mseal, MinusOne, "addr length flags",
          [](void* addr, size_t length, unsigned long flags) { return syscall(SYS_mseal, addr, length, flags); })
        .since("Linux 6.10")
        .guarded<guard::Seals>(),
};

constexpr bind::Constant constants[] = {
    CONST(PROT_NONE),          CONST(PROT_READ),       CONST(PROT_WRITE),
    CONST(PROT_EXEC),          CONST(PROT_SEM),        CONST(PROT_GROWSDOWN),
    CONST(PROT_GROWSUP),
    CONST(MAP_SHARED),         CONST(MAP_PRIVATE),     CONST(MAP_SHARED_VALIDATE),
    CONST(MAP_DROPPABLE),      CONST(MAP_FIXED),       CONST(MAP_FIXED_NOREPLACE),
    CONST(MAP_ANONYMOUS),      CONST(MAP_ANON),        CONST(MAP_GROWSDOWN),
    CONST(MAP_LOCKED),         CONST(MAP_NORESERVE),   CONST(MAP_POPULATE),
    CONST(MAP_NONBLOCK),       CONST(MAP_STACK),       CONST(MAP_HUGETLB),
    CONST(MAP_SYNC),           CONST(MAP_DENYWRITE),   CONST(MAP_EXECUTABLE),
    CONST(MAP_FILE),           CONST(MAP_TYPE),        CONST(MAP_UNINITIALIZED),
#ifdef MAP_32BIT
    CONST(MAP_32BIT),
#endif
    CONST(MAP_HUGE_SHIFT),     CONST(MAP_HUGE_MASK),
    CONST(MAP_HUGE_16KB),
    CONST(MAP_HUGE_64KB),
    CONST(MAP_HUGE_512KB),
    CONST(MAP_HUGE_1MB),
    CONST(MAP_HUGE_2MB),
    CONST(MAP_HUGE_8MB),
    CONST(MAP_HUGE_16MB),
    CONST(MAP_HUGE_32MB),
    CONST(MAP_HUGE_256MB),
    CONST(MAP_HUGE_512MB),
    CONST(MAP_HUGE_1GB),
    CONST(MAP_HUGE_2GB),
    CONST(MAP_HUGE_16GB),
       CONST(MREMAP_MAYMOVE),
    CONST(MREMAP_FIXED),       CONST(MREMAP_DONTUNMAP), CONST(MS_ASYNC),
    CONST(MS_INVALIDATE),      CONST(MS_SYNC),         CONST(MFD_CLOEXEC),
    CONST(MFD_ALLOW_SEALING),  CONST(MFD_HUGETLB),     CONST(MFD_NOEXEC_SEAL),
    CONST(MFD_EXEC),           CONST(MFD_HUGE_SHIFT),  CONST(MFD_HUGE_MASK),
    CONST(MFD_HUGE_64KB),   CONST(MFD_HUGE_512KB),
    CONST(MFD_HUGE_1MB),       CONST(MFD_HUGE_2MB),    CONST(MFD_HUGE_8MB),
    CONST(MFD_HUGE_16MB),      CONST(MFD_HUGE_32MB),   CONST(MFD_HUGE_256MB),
    CONST(MFD_HUGE_512MB),     CONST(MFD_HUGE_1GB),    CONST(MFD_HUGE_2GB),
    CONST(MFD_HUGE_16GB),
};

}  // namespace

const bind::Topic topic::mmap{"mmap", "sys/mman.h", table, constants};

}  // namespace memprobe
