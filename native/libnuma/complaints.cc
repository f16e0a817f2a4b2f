#include "complaints.h"

#include <dlfcn.h>
#include <link.h>
#include <numa.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace memprobe::numa {
namespace {

// get_mempolicy asks for no privilege: where it is EPERM, somebody filters.
bool filtered() { return syscall(SYS_get_mempolicy, nullptr, nullptr, 0UL, nullptr, 0UL) == -1 && errno == EPERM; }

std::string text_of(int number, const char* inner) {
  std::array<char, 128> buffer{};
  const std::string text = strerror_r(number, buffer.data(), buffer.size());
  return inner == nullptr ? text : text + " (" + inner + ")";
}

}  // namespace

std::atomic<int> exit_on_error = 0;
std::atomic<int> exit_on_warn = 0;

Complaints& complaints() {
  thread_local Complaints said;
  return said;
}

bool heard() {
  // The loader lists everything in the order in which it was loaded, us before the libnuma that came with us.
  static const bool first = [] {
    Dl_info info = {};
    void* self = nullptr;
    if (dladdr1(reinterpret_cast<void*>(&complaints), &info, &self, RTLD_DL_LINKMAP) == 0) return true;
    for (const auto* before = static_cast<link_map*>(self)->l_prev; before != nullptr; before = before->l_prev) {
      if (std::string_view(before->l_name).find("/libnuma.so") != std::string_view::npos) return false;
    }
    return true;
  }();
  return first;
}

void Complaints::err(const char* where) {
  // Of a preference for several nodes libnuma complains, up to 2.0.16, by the name of its own source file: it is fine.
  if (erred() || std::string_view(where).ends_with("libnuma.c")) return;
  number = errno;
  std::snprintf(error.data(), error.size(), "%s", *where == '\0' ? "numa_error" : where);
}

void Complaints::warn(const char* text) {
  const size_t length = std::strlen(warning.data());
  std::snprintf(warning.data() + length, warning.size() - length, "%s%s", length == 0 ? "" : "; ", text);
  for (char& c : warning) {  // libnuma's lines end with a newline here and there
    if (c == '\n') c = ' ';
  }
  for (size_t end = std::strlen(warning.data()); end > 0 && warning[end - 1] == ' '; end--) warning[end - 1] = '\0';
}

Failure Complaints::failure() {
  if (erred()) return number != 0 ? explain(number, error.data()) : fail("ERR_MEMPROBE_NUMA", error.data());
  if (!failed()) return {};
  Failure thrown = fail("ERR_MEMPROBE_NUMA", warning.data());
  warning = {};
  return thrown;
}

Failure explain(int number, const char* inner) {
  Failure failure{.number = number, .message = text_of(number, inner)};
  if (number == ENOSYS) {
    return fail("ERR_MEMPROBE_UNSUPPORTED", "this kernel has no NUMA (CONFIG_NUMA), or a seccomp filter hides it");
  }
  if (number == EPERM && filtered()) {
    failure.message += "; a seccomp filter refuses the NUMA calls, as containers' do to who lacks CAP_SYS_NICE "
                       "(docker run --cap-add SYS_NICE)";
  }
  return failure;
}

void emit_warning(napi_env env) {
  Complaints& said = complaints();
  napi_value pending = nullptr;
  bool is_pending = false;
  napi_is_exception_pending(env, &is_pending);
  if (is_pending) napi_get_and_clear_last_exception(env, &pending);
  napi_value global = nullptr;
  napi_value process = nullptr;
  napi_value emit = nullptr;
  napi_value argv[2] = {};
  const bool ready = napi_get_global(env, &global) == napi_ok &&
                     napi_get_named_property(env, global, "process", &process) == napi_ok &&
                     napi_get_named_property(env, process, "emitWarning", &emit) == napi_ok &&
                     napi_create_string_utf8(env, said.warning.data(), NAPI_AUTO_LENGTH, &argv[0]) == napi_ok &&
                     napi_create_string_utf8(env, "LibnumaWarning", NAPI_AUTO_LENGTH, &argv[1]) == napi_ok;
  if (ready) napi_call_function(env, process, emit, 2, argv, nullptr);
  said.clear();
  if (pending != nullptr) napi_throw(env, pending);
}

}  // namespace memprobe::numa

// --- what libnuma calls -------------------------------------------------------------------------------------------
// Its own are weak: these take their place because this addon is what loads it.

extern "C" [[gnu::visibility("default")]] void numa_error(char* where) {
  const int number = errno;
  memprobe::numa::complaints().err(where);
  errno = number;
}

extern "C" [[gnu::visibility("default"), gnu::format(printf, 2, 3)]] void numa_warn(int, char* format, ...) {
  const int number = errno;
  std::array<char, 256> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  memprobe::numa::complaints().warn(text.data());
  errno = number;
}
