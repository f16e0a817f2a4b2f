// What libnuma complains of. In C it writes to standard error, or ends the process; here it becomes the exception of the
// call that caused it (numa_error), or a process.emitWarning (numa_warn).
#pragma once

#include <node_api.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "../bind/failure.h"

namespace memprobe::numa {

// libnuma's numa_exit_on_error and numa_exit_on_warn, as ours have them: they never reach libnuma, which would exit.
extern std::atomic<int> exit_on_error;
extern std::atomic<int> exit_on_warn;

// Of the libnuma call that this thread is in.
struct Complaints {
  int number = 0;                     // errno when it said so
  std::array<char, 128> error = {};   // the inner call that failed; empty: none
  std::array<char, 512> warning = {};

  void clear() { *this = {}; }
  bool erred() const { return error[0] != '\0'; }
  bool warned() const { return warning[0] != '\0'; }
  // An exception is to be made of it.
  bool failed() const { return erred() || (warned() && exit_on_warn != 0); }
  // What numa_error and numa_warn were told.
  void err(const char* where);
  void warn(const char* text);  // one more, in a sentence of its own
  // The exception that this makes of the call, or nothing. A warning that is one is not emitted too.
  Failure failure();
};
Complaints& complaints();

// Where somebody else has loaded libnuma before, its complaints stay with that one, on standard error: false. Then errno
// alone tells that a call failed which returns nothing.
bool heard();
inline int unheard_error() { return heard() ? 0 : errno; }

// What an errno of the NUMA system calls means where it comes from a container or a kernel without NUMA.
Failure explain(int number, const char* inner = nullptr);

// The warnings of the call that has just run, through process.emitWarning. An exception that is pending stays so.
void emit_warning(napi_env env);

}  // namespace memprobe::numa
