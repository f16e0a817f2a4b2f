// flock(2), fallocate(2): what heaps in files need of their file
#include <fcntl.h>
#include <sys/file.h>

#include "../topics.h"

namespace memprobe {
namespace {

constexpr bind::Entry table[] = {
    // A descriptor that Node knows nothing of: those that a worker opened with node:fs it closes when it ends, also if
    // the number is somebody else's by then.
    SHAPE(duplicate_file, ValueOrMinusOne, "fd", [](int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }),
    // Of the open file description: it ends with the last descriptor, at the latest with the process.
    SHAPE(lock_file, MinusOne, "fd", [](int fd) { return flock(fd, LOCK_EX | LOCK_NB); }),
    // Disk blocks for the range, and the file as long as that: what is written there later can't fail for want of space.
    SHAPE(allocate_file, MinusOne, "fd offset length",
          [](int fd, size_t offset, size_t length) {
            return fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(length));
          })
        .blocking(),
};

}  // namespace

const bind::Topic topic::file{"file", nullptr, table};

}  // namespace memprobe
