#include "bind.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>

namespace memprobe::bind {

Failure explain(const Entry& row, Failure failure) {
  if (failure.number != ENOSYS || row.needs == nullptr) return failure;
  utsname kernel = {};
  const std::string linux = uname(&kernel) == 0 ? kernel.release : "unknown";
  return fail("ERR_MEMPROBE_UNSUPPORTED", std::string(row.name) + " needs " + row.needs + "; here are Linux " + linux +
                                              " and glibc " + gnu_get_libc_version() +
                                              ", or a seccomp filter hides the call");
}

}  // namespace memprobe::bind
